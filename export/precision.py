"""Float32 copies of models that compute in another precision."""

import keras

from keras_ae.errors import InputError
from keras_ae.export.signature import summary

_OTHER = ("float16", "bfloat16", "float64")


def computes_in_float32(model: keras.Model) -> bool:
    """Return whether no layer of the model computes in half or double precision."""
    # _flatten_layers also finds the layers of subclassed models, for which there is no public list
    return not any(layer.compute_dtype in _OTHER for layer in model._flatten_layers())


def float32_copy(model: keras.Model) -> keras.Model:
    """Return a float32 copy of the model with the same weights, or the model itself if it is float32.

    ONNX Runtime rejects bfloat16 graphs, and a served model should not depend on the
    precision of its training. The copy is not compiled.

    Raises:
        InputError: the model cannot be rebuilt from its configuration.

    Example:

    >>> half = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_float16")])
    >>> float32_copy(half).layers[-1].compute_dtype
    'float32'
    """
    if computes_in_float32(model):
        return model
    policy = keras.config.dtype_policy()
    # layers that are created inside a constructor use the global policy
    keras.config.set_dtype_policy("float32")
    try:
        copy = keras.saving.deserialize_keras_object(_in_float32(keras.saving.serialize_keras_object(model)))
        copy.set_weights(model.get_weights())
    except Exception as error:
        raise InputError(
            "model must be rebuildable in float32 from its configuration. "
            f"Received: {type(model).__name__} ({summary(error)}). "
            "Define its get_config(), or train it in float32."
        ) from error
    finally:
        keras.config.set_dtype_policy(policy)
    if not computes_in_float32(copy):
        raise InputError(
            "model must compute in float32 when it is rebuilt with this dtype. Received: "
            f"{type(model).__name__}, whose constructor sets another dtype. Remove that dtype."
        )
    return copy


def _in_float32(config):
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float32(item) for item in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") in ("DTypePolicy", "FloatDTypePolicy"):
        return {**config, "config": {**config["config"], "name": "float32"}}
    return {key: _entry(key, value) for key, value in config.items() if key != "compile_config"}


def _entry(key, value):
    if key == "dtype" and isinstance(value, str) and value.removeprefix("mixed_") in _OTHER:
        return "float32"
    return _in_float32(value)
