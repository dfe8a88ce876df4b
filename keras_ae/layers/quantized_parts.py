"""Quantised parts of layers and models in their configuration.

`keras.Model.quantize` quantises each `Dense` and `Embedding`, including those that a layer creates itself.
The configuration of the layer does not contain such a part: after loading it would be float, and the
weights in the file would not fit.
"""

import keras

KEY = "quantized_parts"


def config_of_quantized_parts(owner) -> dict:
    """Return `{KEY: {place: {"dtype":, "quantization_config":}}}` of the quantised parts; empty without any.

    A place is the path of indices through the parts and their parts: names differ between objects.
    """
    parts = {place: _quantization(part) for place, part in _leaves(owner) if part.quantization_mode}
    return {KEY: parts} if parts else {}


def quantize_parts(owner, config: dict):
    """Quantise the parts of `owner` that `config` lists, as `config_of_quantized_parts` returns it.

    Parts that do not exist yet are quantised by `quantize_missing_parts`, after `owner` is built.
    """
    config, leaves = dict(config), dict(_leaves(owner))
    for place in sorted(set(config) & set(leaves)):
        settings = keras.saving.deserialize_keras_object(config.pop(place))
        part = leaves[place]
        if part.quantization_mode is None:
            part.quantization_config = settings["quantization_config"]
            part.dtype_policy = settings["dtype"]  # a built part is converted
    if config:
        owner._missing_parts = config


def quantize_missing_parts(owner):
    """Quantise the parts that did not exist at the time of `quantize_parts`."""
    quantize_parts(owner, owner._missing_parts or {})


class QuantizableLayer(keras.layers.Layer):
    """Base of layers that save, load and clone the parts that `model.quantize` has quantised."""

    _missing_parts = None  # quantised parts of the configuration that do not exist yet

    def get_config(self):
        return {**super().get_config(), **config_of_quantized_parts(self)}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        parts = config.pop(KEY, {})
        layer = super().from_config(config)
        quantize_parts(layer, parts)
        return layer

    def build_from_config(self, config):
        super().build_from_config(config)
        quantize_missing_parts(self)


def _quantization(part):
    settings = {"dtype": part.dtype_policy, "quantization_config": getattr(part, "quantization_config", None)}
    return keras.saving.serialize_keras_object(settings)


def _leaves(owner, place=""):
    """`(place, layer)` of all layers in `owner` that have no parts of their own."""
    # no public function lists the parts of a layer
    for number, part in enumerate(owner._flatten_layers(include_self=False, recursive=False)):
        here = f"{place}{number}"
        inside = list(_leaves(part, f"{here}/"))
        yield from inside or [(here, part)]
