"""Endpoints derived from the graph of a user's functional model."""

import re

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.export.samples import free_lengths, random_inputs
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import exporting

_AUTOMATIC = r"(keras_tensor|input|input_layer)(_\d+)?"  # numbered by Keras, different in each process


def functional_endpoints(model: keras.Model) -> dict[str, Endpoint]:
    """Return `serving_default`, and `encode` and `decode` if the graph can be split at one bottleneck.

    `encode` maps the inputs to `{"codes", "embedding"}`. `decode` maps `codes` (int32) to
    `{"reconstruction"}`, and exists only if the graph after the bottleneck depends on nothing else.
    """
    graph = keras.Model(model.inputs, model.outputs)
    specs = _specs(graph.inputs)
    bottlenecks = [layer for layer in graph.layers if isinstance(layer, Bottleneck)]
    outputs = _output_names(model, graph)

    def serve(**inputs):
        return dict(zip(outputs, _apply(graph, specs, inputs), strict=True))

    table = {"serving_default": Endpoint(serve, specs, margin=_margin(graph, specs, bottlenecks))}
    if len(bottlenecks) == 1:
        table |= _split(graph, specs, bottlenecks[0], outputs)
    return table


def _split(graph, specs, bottleneck, output_names):
    features = keras.tree.flatten(bottleneck.input)[0]
    inputs = _needed(graph.inputs, features)
    encoder = _connect(inputs, [features])
    if encoder is None:  # the layer was first called in another graph
        return {}
    specs = {
        name: spec for (name, spec), x in zip(specs.items(), graph.inputs, strict=True) if _among(x, inputs)
    }

    def encode(**inputs):
        codes = bottleneck.encode(_apply(encoder, specs, inputs)[0])
        return {"codes": codes, "embedding": bottleneck.decode(codes)}

    margin = _margin(encoder, specs, [bottleneck])
    table = {"encode": Endpoint(encode, specs, margin=margin)}
    decode = _decode(graph, bottleneck, output_names)
    if decode:
        codes = _some_codes(encode, specs)
        shape = (None, *features.shape[1:-1], *codes.shape[len(features.shape) - 1 :])
        spec = tf.TensorSpec(shape, tf.int32, name="codes")
        values = getattr(bottleneck, "num_values", None)
        table["decode"] = Endpoint(
            decode,
            {"codes": spec},
            sample=lambda inputs: _redraw(inputs, codes),
            value_ranges={"codes": (0, values - 1)} if values else {},
        )
    return table


def _decode(graph, bottleneck, output_names):
    """Return a function from codes to the outputs after the bottleneck, or `None` if codes do not suffice."""
    middle = keras.tree.flatten(bottleneck.output)  # the embedding, and the codes if they are returned
    rest = {n: x for n, x in zip(output_names, graph.outputs, strict=True) if not _among(x, middle)}
    if not rest:
        return None
    decoder = _connect(middle[:1], list(rest.values()))
    takes_codes = decoder is None and len(middle) > 1
    if takes_codes:
        decoder = _connect(middle, list(rest.values()))
    if decoder is None:
        return None
    names = list(rest) if len(rest) > 1 else ["reconstruction"]

    def decode(codes):
        embedding = bottleneck.decode(codes)
        outputs = decoder([embedding, codes] if takes_codes else [embedding], training=False)
        return dict(zip(names, keras.tree.flatten(outputs), strict=True))

    return decode


def _margin(graph, specs, bottlenecks):
    """Return a function for the smallest margin of the codes of each example, over all bottlenecks."""
    if not bottlenecks:
        return None
    features = [keras.tree.flatten(layer.input)[0] for layer in bottlenecks]
    encoder = _connect(graph.inputs, features)
    if encoder is None:
        return None

    def margin(**inputs):
        gaps = [
            layer.margin(ops.cast(x, "float32"))
            for layer, x in zip(bottlenecks, _apply(encoder, specs, inputs), strict=True)
        ]
        gaps = [ops.min(ops.reshape(gap, (ops.shape(gap)[0], -1)), axis=1) for gap in gaps]
        return ops.min(ops.stack(gaps), axis=0)

    return margin


def _apply(graph, specs, inputs):
    return keras.tree.flatten(graph([inputs[name] for name in specs], training=False))


def _connect(inputs, outputs):
    """Return the sub-model between tensors of a graph, or `None` if it requires further inputs."""
    try:
        return keras.Model(inputs, outputs)
    except ValueError:
        return None


def _needed(inputs, output):
    return [
        x for x in inputs if len(inputs) == 1 or not _connect([y for y in inputs if y is not x], [output])
    ]


def _among(tensor, tensors):
    return any(tensor is other for other in tensors)


def _some_codes(encode, specs):
    """Return codes of the encoder for random inputs, from which the decoder's test inputs are drawn."""
    sizes = {"batch": 4, **dict.fromkeys(free_lengths(specs), 16)}
    with exporting():
        return ops.convert_to_numpy(encode(**random_inputs(specs, sizes, np.random.default_rng(0)))["codes"])


def _redraw(inputs, codes):
    """Draw codes of the required shape by whole last axes, because heads and levels differ in range."""
    shape = inputs["codes"].shape
    rows = codes.reshape(-1, shape[-1]) if codes.shape[-1] == shape[-1] else codes.reshape(-1, 1)
    count = int(np.prod(shape)) // rows.shape[1]
    return {"codes": rows[np.random.default_rng(count).integers(len(rows), size=count)].reshape(shape)}


def _specs(inputs):
    names = [_input_name(x.name, i, len(inputs)) for i, x in enumerate(inputs)]
    return {
        name: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name=name)
        for name, x in zip(names, inputs, strict=True)
    }


def _input_name(name, index, count):
    if re.fullmatch(_AUTOMATIC, name):
        return "input" if count == 1 else f"input_{index + 1}"
    return re.sub(r"\W", "_", name)


def _output_names(model, graph):
    structure = None if isinstance(model, keras.Sequential) else model.output
    if isinstance(structure, dict):
        return sorted(structure)  # the order in which Keras flattens them
    if len(graph.outputs) == 1:
        return ["output"]
    names = [re.sub(r"\W", "_", name) for name in graph.output_names]
    return [name if names.count(name) == 1 else f"{name}_{i}" for i, name in enumerate(names)]
