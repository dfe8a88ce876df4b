"""Raw-data inputs of endpoints, and the endpoint `encode_uint8` for stored images."""

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.preprocessing import Preprocessing, preprocessing_of

INNER = ("embedding", "noise")  # inputs that are never raw data, also with a prefix as in `top_embedding`
UINT8 = "encode_uint8"


def preprocessing_for(
    model: keras.Model, declared: Preprocessing | Mapping | None = None
) -> Preprocessing | None:
    """Return the preprocessing `declared` for an export, completed by the preprocessing of `model`.

    Raises:
        InputError: the declaration is not valid, or contradicts the model.
    """
    declared, own = Preprocessing.of(declared), preprocessing_of(model)
    return own if declared is None else declared.filled_from(own)


def with_value_ranges(described: Mapping[str, dict], preprocessing: Preprocessing | None) -> dict:
    """Return the descriptions of endpoints with a `value_range` for each input that is raw data.

    Inputs that are the rows of a table have `"table": true` instead.
    """
    if preprocessing is not None and preprocessing.columns is not None:
        return {name: _with_tables(entry, len(preprocessing.columns)) for name, entry in described.items()}
    if preprocessing is None or preprocessing.value_range is None:
        return dict(described)
    return {
        name: {
            **entry,
            "inputs": {
                key: {**spec, "value_range": list(preprocessing.value_range)}
                if _is_raw(key, spec["dtype"], len(spec["shape"]), preprocessing)
                else spec
                for key, spec in entry["inputs"].items()
            },
        }
        for name, entry in described.items()
    }


def _with_tables(entry, width):
    inputs = {
        key: {**spec, "table": True} if key == "x" and spec["shape"] == [None, width] else spec
        for key, spec in entry["inputs"].items()
    }
    return {**entry, "inputs": inputs}


def with_uint8_images(
    table: Mapping[str, Endpoint], preprocessing: Preprocessing | None
) -> dict[str, Endpoint]:
    """Add the endpoint `encode_uint8`, which is `encode` for stored images with values from 0 to 255.

    `x = low + (high - low) pixels / 255` is computed in the graph, where `(low, high)` is the declared
    range.

    Raises:
        InputError: there is no endpoint `encode` of images, or their range of values is not known.
    """
    encode = table.get("encode")
    value_range = None if preprocessing is None else preprocessing.value_range
    images = [
        name
        for name, spec in ({} if encode is None or value_range is None else encode.inputs).items()
        if _is_raw(name, spec.dtype.name, spec.shape.rank, preprocessing)
    ]
    modality = None if preprocessing is None else preprocessing.modality
    if value_range is None or modality != "images" or len(images) != 1:
        raise InputError(
            "With uint8_images=True, model must have an endpoint `encode` of images with a known range of "
            f"values. Received: endpoints {sorted(table)}, "
            f"preprocessing {preprocessing and preprocessing.to_dict()}. "
            'Set model.preprocessing = {"modality": "images", "value_range": [0, 1]}.'
        )
    return {**table, UINT8: _of_uint8(encode, images[0], *value_range)}


def _of_uint8(encode, name, low, high):
    spec = encode.inputs[name]

    def scaled(inputs):
        return {**inputs, name: low + ops.cast(inputs[name], "float32") * ((high - low) / 255)}

    def sample(inputs):
        drawn = np.random.default_rng(0).integers(0, 256, inputs[name].shape)
        given = {**inputs, name: drawn.astype("float32") / 255}
        other = encode.sample(given) if encode.sample else given
        return {**other, name: drawn.astype("uint8")}

    return replace(
        encode,
        function=lambda **inputs: encode.function(**scaled(inputs)),
        inputs={**encode.inputs, name: tf.TensorSpec(spec.shape, tf.uint8, name=name)},
        sample=sample,
        margin=encode.margin and (lambda **inputs: encode.margin(**scaled(inputs))),
    )


def _is_raw(name, dtype, rank, preprocessing):
    inner = any(name == one or name.endswith(f"_{one}") for one in INNER)
    return dtype.startswith("float") and not inner and preprocessing.range_of(rank) is not None
