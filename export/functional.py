"""Endpoints derived from the graph of a user's functional model."""

import re
import unicodedata
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.export.samples import free_lengths, is_input_name, random_inputs
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import exporting

_AUTOMATIC = r"(keras_tensor|input|input_layer)(_\d+)?"  # numbered by Keras, different in each process


def functional_endpoints(model: keras.Model) -> dict[str, Endpoint]:
    """Return `serving_default`, and `encode` and `decode` if the graph can be split at one bottleneck.

    `encode` maps the inputs to `{"codes", "embedding"}`. `decode` maps `codes` (int32) to
    `{"reconstruction"}`, and exists only if the graph after the bottleneck depends on nothing else. The
    bottleneck may lie in a functional or sequential model that is a layer of this one.
    """
    graph = keras.Model(model.inputs, model.outputs)
    specs = _specs(model, graph)
    outputs = _output_names(model, graph, specs)

    def serve(**inputs):
        return dict(zip(outputs, _apply(graph, specs, inputs), strict=True))

    flat = _flat(graph) if any(_has_bottleneck(layer, type(graph)) for layer in graph.layers) else graph
    calls = [node for node in _nodes(flat) if isinstance(node.operation, Bottleneck)]
    sample = _words(flat, specs)
    table = {"serving_default": Endpoint(serve, specs, margin=_margin(flat, specs, calls), sample=sample)}
    if len(calls) == 1:
        table |= _split(flat, specs, calls[0], outputs, sample)
    return table


def _has_bottleneck(layer, functional):
    """Return whether a layer is a sequential or functional model that contains a bottleneck."""
    graph = type(layer) in (keras.Sequential, functional)  # a subclass may define its own `call`
    return graph and any(isinstance(one, Bottleneck) for one in layer._flatten_layers())


def _flat(graph):
    """Return the graph in which the layers of nested models with a bottleneck replace these models."""
    inputs = [keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in graph.inputs]
    return keras.Model(inputs, keras.tree.flatten(_run_flat(graph, inputs)))


def _run_flat(graph, inputs):
    def call(layer, *args, **kwargs):
        if not _has_bottleneck(layer, type(graph)):
            return layer(*args, **kwargs)
        given = args[0] if args else next(iter(kwargs.values()))
        return _run_flat(keras.Model(layer.inputs, layer.outputs), keras.tree.flatten(given))

    # no public function calls the layers of a graph on other tensors and nested models in a way of their own
    return graph._run_through_graph(inputs, operation_fn=lambda layer: partial(call, layer))


def _nodes(graph):
    """Return the calls of layers in a graph."""
    return [node for nodes in graph._nodes_by_depth.values() for node in nodes]


def _split(graph, specs, call, output_names, words):
    bottleneck, features = call.operation, call.input_tensors[0]
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

    margin = _margin(graph, specs, [call], inputs)
    table = {"encode": Endpoint(encode, specs, margin=margin, sample=words)}
    decode = _decode(graph, call, output_names)
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


def _decode(graph, call, output_names):
    """Return a function from codes to the outputs after the bottleneck, or `None` if codes do not suffice."""
    bottleneck, middle = call.operation, call.outputs  # the embedding, and the codes if they are returned
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


def _margin(graph, specs, calls, inputs=None):
    """Return a function for the smallest margin of the codes of each example, over all bottlenecks."""
    if not calls:
        return None
    encoder = _connect(graph.inputs if inputs is None else inputs, [call.input_tensors[0] for call in calls])
    if encoder is None:
        return None

    def margin(**inputs):
        gaps = [
            call.operation.margin(ops.cast(x, "float32"))
            for call, x in zip(calls, _apply(encoder, specs, inputs), strict=True)
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


def _words(graph, specs):
    """Return a function that draws inputs from the vocabularies in which they are looked up, or `None`."""
    names = {id(x): name for name, x in zip(specs, graph.inputs, strict=True)}
    found = {
        names[id(node.input_tensors[0])]: node.operation
        for node in _nodes(graph)
        if hasattr(node.operation, "get_vocabulary") and id(node.input_tensors[0]) in names
    }
    if not found:
        return None

    def sample(inputs):
        rng = np.random.default_rng(0)
        drawn = {
            name: _draw_words(layer, inputs[name], rng) for name, layer in found.items() if name in inputs
        }
        return {**inputs, **drawn}

    return sample


def _draw_words(layer, array, rng):
    """Return entries of a vocabulary, and values outside of it, in the shape of `array`."""
    known = [
        word for word in layer.get_vocabulary() if not isinstance(word, str) or word.strip("[]") != "UNK"
    ]
    if array.dtype.kind in "iu":
        values = [value for value in known if value >= 0] or [0]
        return rng.choice(np.array([*values, max(values) + 1], array.dtype), array.shape)
    words = [word for word in known if word] + ["word"]
    count = 3 if isinstance(layer, keras.layers.TextVectorization) else 1
    texts = [" ".join(rng.choice(words, count)).encode() for _ in range(array.size)]
    return np.array(texts, "S").reshape(array.shape)


def _specs(model, graph):
    """Return the inputs by name: the keys of a dict of inputs, otherwise the names of the tensors."""
    structure = None if isinstance(model, keras.Sequential) else model.input
    keys = sorted(structure) if isinstance(structure, dict) else [x.name for x in graph.inputs]
    keys = keys if len(keys) == len(graph.inputs) else [x.name for x in graph.inputs]  # a nested structure
    names = ["" if re.fullmatch(_AUTOMATIC, key) else key for key in keys]
    return {
        name: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name=name)
        for name, x in zip(_identifiers(names, "input"), graph.inputs, strict=True)
    }


def _output_names(model, graph, inputs):
    structure = None if isinstance(model, keras.Sequential) else model.output
    if isinstance(structure, dict):
        return sorted(structure)  # the order in which Keras flattens them
    if len(graph.outputs) == 1:
        return ["output" if "output" not in inputs else "output_1"]
    names = [re.sub(r"\W", "_", name) for name in graph.output_names]
    return [name if names.count(name) == 1 else f"{name}_{i}" for i, name in enumerate(names)]


def _identifiers(names, kind):
    """Return different names, which SavedModel and ONNX accept, for all inputs.

    Letters lose their accents, and other characters than ASCII letters, digits and `_` become `_`. A name
    without any of these letters and digits is replaced by the number of the input.
    """
    base = [re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name)) for name in names]
    plain = [re.sub("[^A-Za-z0-9_]", "_", name).lstrip("_") for name in base]
    for number, name in enumerate(plain):
        if not name.strip("_"):
            plain[number] = kind if len(names) == 1 else f"{kind}_{number + 1}"
        elif not is_input_name(name):
            plain[number] = f"{kind}_{name}"  # such as a name that begins with a digit
    lower = [name.lower() for name in plain]  # TensorFlow ignores case
    made = [name if lower.count(name.lower()) == 1 else f"{name}_{i}" for i, name in enumerate(plain)]
    if len({name.lower() for name in made}) < len(made):
        return [f"{kind}_{number + 1}" for number in range(len(made))]
    return made
