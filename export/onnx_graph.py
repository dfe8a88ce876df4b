"""Conversion of endpoints to ONNX graphs, and weights that several graphs share."""

import collections
import contextlib
import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError, require
from keras_ae.export.cases import Case
from keras_ae.export.signature import describe_endpoint, positional, specs_of, summary
from keras_ae.models.endpoint import Endpoint


def convert_endpoint(name: str, endpoint: Endpoint, cases: Sequence[Case], opset: int) -> tuple:
    """Return the ONNX model of an endpoint, and the description of the endpoint.

    Raises:
        InputError: an operation has no ONNX equivalent. tf2onnx would write it nevertheless,
            and no runtime would load the file.
    """
    tf2onnx = require("tf2onnx.convert", extra="onnx")
    traced = tf.function(positional(name, endpoint), input_signature=specs_of(endpoint), autograph=False)
    described = describe_endpoint(endpoint, traced, cases)
    shared = described["inputs"].keys() & described["outputs"].keys()
    if shared:
        raise InputError(
            f"The outputs of endpoint `{name}` must not have the names of its inputs in ONNX. "
            f"Received: {sorted(shared)} in both. Rename these outputs."
        )
    _refuse_strings(name, traced.get_concrete_function().graph)
    given = {"opset": opset, "custom_op_handlers": _handlers()}
    try:
        with _quiet():
            try:
                with _no_copies():
                    proto, _ = tf2onnx.from_function(traced, specs_of(endpoint), **given)
            except Exception:  # with copies, tf2onnx leaves out an optimisation that fails
                proto, _ = tf2onnx.from_function(traced, specs_of(endpoint), **given)
    except Exception as error:
        raise InputError(f"Endpoint `{name}` cannot be converted to ONNX ({summary(error)}).") from error
    _refuse_unknown_operations(name, proto, opset)
    return proto, described


def name_axes(name: str, proto: Any, described: dict[str, Any]) -> None:
    """Set the axis names of the inputs and outputs of the graph by the description, and check the graph."""
    onnx = require("onnx", extra="onnx")
    for side, values in (("inputs", proto.graph.input), ("outputs", proto.graph.output)):
        found = {value.name: value for value in values}
        if found.keys() != described[side].keys():
            raise InputError(
                f"The {side} of endpoint `{name}` in the ONNX graph must be {sorted(described[side])}. "
                f"Received: {sorted(found)}. An input that no output depends on must be left out."
            )
        for key, entry in described[side].items():
            shape = found[key].type.tensor_type.shape
            shape.Clear()
            for size, axis in zip(entry["shape"], entry["axes"], strict=True):
                shape.dim.add(**({"dim_param": axis} if size is None else {"dim_value": size}))
    proto.graph.name = name
    del proto.graph.value_info[:]  # contains the numbered axis names of the converter
    onnx.checker.check_model(proto, full_check=True)


class WeightPool:
    """Weights of several graphs; those that occur more than once are written to one file.

    Attributes:
        values: `{hash: bytes}` of the weights, each once.
    """

    LEAST = 1024  # bytes, many times more than a reference to the file
    PAGE = 4096  # large weights begin at a page, so that a runtime can map them into memory

    def __init__(self):
        self.values: dict[bytes, bytes] = {}
        self._places: dict[bytes, list] = collections.defaultdict(list)

    def take(self, proto: Any) -> None:
        """Move the weights of at least `LEAST` bytes from a graph to the pool."""
        for tensor in proto.graph.initializer:
            if len(tensor.raw_data) >= self.LEAST:
                key = hashlib.sha256(tensor.raw_data).digest()
                self.values[key] = tensor.raw_data
                self._places[key].append(tensor)
                tensor.ClearField("raw_data")

    def give_back(self, path: Path) -> None:
        """Write the weights that occur several times to `path`, and move the others back to their graphs."""
        shared = [key for key, tensors in self._places.items() if len(tensors) > 1]
        for key in self._places.keys() - set(shared):
            self._places[key][0].raw_data = self.values[key]
        if not shared:
            return
        with path.open("wb") as file:
            for key in shared:
                value = self.values[key]
                if len(value) >= 256 * self.PAGE:
                    file.write(bytes(-file.tell() % self.PAGE))
                for tensor in self._places[key]:
                    _refer(tensor, location=path.name, offset=file.tell(), length=len(value))
                file.write(value)


def _refer(tensor, **reference):
    """Let a tensor refer to a part of a file next to the file of its graph."""
    tensor.data_location = require("onnx", extra="onnx").TensorProto.EXTERNAL
    for key, value in reference.items():
        tensor.external_data.add(key=key, value=str(value))


def _refuse_strings(name, graph):
    """Raise an error for strings and lookup tables, about which the converter prints many lines."""
    tensors = [*graph.inputs, *graph.outputs]  # assertions inside of a graph have strings that are left out
    lookup = any(node.type.startswith("LookupTable") for node in graph.get_operations())
    if lookup or any(tensor.dtype == tf.string for tensor in tensors):
        raise InputError(
            f"Endpoint `{name}` must have neither strings nor lookup tables in ONNX, such as those of "
            f"TextVectorization and StringLookup. Received: {'a lookup table' if lookup else 'strings'}. "
            "Export it with to_saved_model, or leave it out, or pass an endpoint that takes integers."
        )


def _refuse_unknown_operations(name, proto, opset):
    defs = require("onnx.defs", extra="onnx")
    domains = {entry.domain: entry.version for entry in proto.opset_import}
    unknown = sorted(
        {
            node.op_type
            for node in _nodes(proto.graph)
            if not defs.has(
                node.op_type, max_inclusive_version=domains.get(node.domain, 1), domain=node.domain
            )
        }
    )
    if unknown:
        raise InputError(
            f"Endpoint `{name}` uses TensorFlow operations without an equivalent in ONNX opset {opset}: "
            f"{', '.join(unknown)}. Replace them by other operations, or leave the endpoint out."
        )


def _nodes(graph):
    """Yield all nodes, including those in the bodies of loops and branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _nodes(body)


def _handlers():
    """Return conversions that tf2onnx lacks or implements incorrectly."""
    return {"Erfc": (_erfc, []), "SelectV2": (_select, [])}


def _select(ctx, node, _name, _args):
    """Convert `where`, because tf2onnx adds products with 0 and 1: unselected infinite values become NaN."""
    onnx = require("onnx", extra="onnx")
    controlflow = require("tf2onnx.onnx_opset.controlflow", extra="onnx")
    if ctx.get_dtype(node.output[0]) in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        node.type = "Where"  # broadcasts as SelectV2 does
    else:
        controlflow.Select.version_9(ctx, node)


def _erfc(ctx, node, _name, _args):
    """Convert `erfc(x) = 1 - erf(x)`, which tf2onnx lacks and TensorFlow uses for exact GELU."""
    x, output = node.input[0], node.output[0]
    dtype, shape = ctx.get_dtype(output), ctx.get_shape(output)
    ctx.remove_node(node.name)
    one = ctx.make_const(f"{node.name}__one", np.ones((), "float32"))
    erf = ctx.make_node("Erf", [x], dtypes=[dtype], shapes=[shape])
    ctx.make_node("Sub", [one.output[0], erf.output[0]], outputs=[output], dtypes=[dtype], shapes=[shape])


@contextlib.contextmanager
def _no_copies():
    """Let tf2onnx optimise a graph in place: its copies before each optimisation take half of the time."""
    name = "TF2ONNX_CATCH_ERRORS"
    if name in os.environ:  # the user has chosen
        yield
        return
    os.environ[name] = "FALSE"
    try:
        yield
    finally:
        del os.environ[name]


@contextlib.contextmanager
def _quiet():
    """Suppress the log of tf2onnx, whose relevant errors are checked after the conversion, and of TensorFlow.

    TensorFlow warns that it does not copy the lookup tables of the model, also if the endpoint reads none.
    """
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
