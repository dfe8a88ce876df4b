"""Endpoint functions as traced signatures, and their descriptions."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export.samples import axis_names, free_lengths
from keras_ae.export.verification_process import as_array
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import exporting

STYLES = re.compile("\x1b\\[[0-9;]*m")  # Keras prints the reason in bold
WHERE = re.compile(
    r"Graph execution error|Detected at node|<stack traces|\[\[\{\{node|\d+ root error\(s\) found"
    r"|Exception encountered when calling|in user code:|File \""
)
OPERATION = re.compile(r"^\{\{function_node [^}]*\}\} |\s*\[Op:\w+\]$")
FINAL = re.compile(r"\w*(Error|Exception)\b.*: ")
STATUS = re.compile(
    r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?(Non-zero status code .* Status Message: )?(\(\d+\) \w+: +)?"
)
ASSERTION = "assertion failed:"
EAGER_ASSERTION = re.compile(r"Expected '.*' to be true\. Summarized data: b'(.*)'$")


def summary(error: Exception) -> str:
    """Return the class of an error and the line that says what is wrong.

    Keras and TensorFlow write it after lines that only say where it happened.

    Example:

    >>> summary(ValueError("Exception encountered when calling A.call().\\n\\nx must be 1.\\n\\nArguments:"))
    'ValueError: x must be 1.'
    """
    return f"{type(error).__name__}: {reason(error)}"


def reason(error: Exception) -> str:
    """Return the line of an error that says what is wrong, without its class.

    Example:

    >>> reason(ValueError("Graph execution error:\\n\\nassertion failed: [n must be 1. Received:] [2]"))
    'n must be 1. Received: 2'
    """
    lines = [line.strip() for line in STYLES.sub("", str(error)).strip().splitlines()]
    lines = [STATUS.sub("", OPERATION.sub("", line)) for line in lines if line]
    if lines[:1] == ["in user code:"]:  # a traceback, which ends with the error
        lines = [line for line in lines if FINAL.match(line)] or lines
    told = [line for line in lines if not WHERE.match(line)]
    line = next(iter(told or lines), "no further details")
    if line.startswith(ASSERTION):
        line = _of_assertion(line)
    elif eager := EAGER_ASSERTION.match(line):
        line = " ".join([eager[1], *told[1:2]])
    return line.strip()


def _of_assertion(line):
    """Return the text of a failed assertion in a graph, whose values are in brackets: `[n is] [2]`."""
    values = line.removeprefix(ASSERTION).strip()
    return " ".join(values.removeprefix("[").removesuffix("]").split("] ["))


def specs_of(endpoint: Endpoint) -> list[tf.TensorSpec]:
    """Return the input specs in order, each with its name."""
    return [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in endpoint.inputs.items()]


def positional(name: str, endpoint: Endpoint) -> Callable[..., dict]:
    """Return the function to trace, from tensors in the order of the specs to a dict of distinct tensors."""

    def function(*tensors):
        with exporting():
            try:
                outputs = endpoint.function(**dict(zip(endpoint.inputs, tensors, strict=True)))
            except Exception as error:
                raise InputError(f"Endpoint `{name}` cannot be traced ({summary(error)}).") from error
        # a tensor with two names, or an input that is also an output, would lose one of its names in ONNX
        return {key: tf.identity(value) for key, value in outputs.items()}

    return function


def call(name: str, endpoint: Endpoint, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the outputs of the live endpoint function as arrays.

    Raises:
        InputError: the function fails, or does not return a dict of batches.
    """
    try:
        # use the CPU, on which the artifact will run, because GPUs may multiply in lower precision
        with exporting(), tf.device("CPU"):
            outputs = endpoint.function(**{key: tf.constant(value) for key, value in inputs.items()})
            if not isinstance(outputs, Mapping):
                raise TypeError(f"it must return a dict of tensors, not {type(outputs).__name__}")
            arrays = {key: _array(value) for key, value in outputs.items()}
    except Exception as error:
        shapes = ", ".join(f"{key} {value.shape}" for key, value in inputs.items())
        raise InputError(f"Endpoint `{name}` fails on sample inputs {shapes} ({summary(error)}).") from error
    _check_outputs(name, arrays, batch=len(next(iter(inputs.values()))))
    return arrays


def _check_outputs(name, arrays, batch):
    for key, array in arrays.items():
        if array.shape[:1] != (batch,):
            raise InputError(
                f"Output `{key}` of endpoint `{name}` must have the batch, {batch}, as axis 0. "
                f"Received: shape {array.shape}. A server that batches requests rejects other outputs."
            )
        if array.dtype.kind not in "fiubS":
            raise InputError(
                f"Output `{key}` of endpoint `{name}` must have a NumPy dtype. "
                f"Received: {array.dtype}. Cast it to float32."
            )


def value_type(array: np.ndarray) -> str:
    """Return the TensorFlow name of the dtype of an array."""
    return "string" if array.dtype.kind == "S" else array.dtype.name


def describe_endpoint(endpoint: Endpoint, traced: Any, cases: Sequence) -> dict:
    """Return names, shapes, axes and dtypes of a traced endpoint in the format of the manifest.

    A free axis of an output has the name of the free axis of an input, or of an
    earlier output, that had the same size in all cases.

    Returns:
        `{"inputs": {name: {"shape", "axes", "dtype"}}, "outputs": {...}}`. A free size is
        `None` and has a name in `axes`. An input with bounded values has a `value_range`.
    """
    ranges = endpoint.value_ranges
    inputs = {
        name: {
            "shape": endpoint.inputs[name].shape.as_list(),
            "axes": list(axes),
            "dtype": endpoint.inputs[name].dtype.name,
            **({"value_range": list(ranges[name])} if name in ranges else {}),
        }
        for name, axes in axis_names(endpoint.inputs).items()
    }
    static = traced.get_concrete_function().structured_outputs
    known = {name: [case.sizes[name] for case in cases] for name in free_lengths(endpoint.inputs)}
    outputs = {name: _describe_output(name, tensor, cases, known) for name, tensor in static.items()}
    return {"inputs": inputs, "outputs": outputs}


def _describe_output(name, tensor, cases, known):
    """Describe one output; its free axes are named by `known` axes with the same sizes in all cases."""
    arrays = [case.expected[name] for case in cases]
    sizes = tensor.shape.as_list() if tensor.shape.rank is not None else [None] * arrays[0].ndim
    axes = ["batch"]
    for axis, size in enumerate(sizes[1:], 1):
        measured = [array.shape[axis] for array in arrays]
        own = f"{name}_length" if axis == 1 else f"{name}_size_{axis}"
        axes.append(next((n for n, s in known.items() if s == measured), own) if size is None else None)
        if size is None:
            known.setdefault(axes[-1], measured)
    return {"shape": [None, *sizes[1:]], "axes": axes, "dtype": value_type(arrays[0])}


def _array(value):
    return as_array(tf.convert_to_tensor(value).numpy())
