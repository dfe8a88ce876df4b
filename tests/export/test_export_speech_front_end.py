"""The front end of speech models from waveform to normalised features: verified exports at free lengths."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import export
from keras_ae.layers import MFCC, FrameNormalization, LogMelSpectrogram, SpecAugment, TimeJitter
from keras_ae.models.endpoint import Endpoint

SIZES = {"batch_sizes": (1, 3), "lengths": (500, 2333)}


@pytest.fixture(scope="module")
def front_end():
    """`(model, endpoints)`: every layer, alone in a graph without a mask, and under lengths."""
    waveforms = np.random.default_rng(0).normal(size=(4, 3000)).astype("float32") / 10
    stacks = [
        [layer, FrameNormalization(), SpecAugment(), TimeJitter()]
        for layer in (LogMelSpectrogram(40), MFCC())
    ]
    for layer, normalization, *_ in stacks:
        normalization.adapt(waveforms, front_end=layer)
    x = keras.Input((None,), name="x")
    model = keras.Model(x, [apply(stack, x) for stack in stacks])

    def encode(x, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(x)[1])
        outputs = {}
        for name, stack in zip(("log_mel", "mfcc"), stacks, strict=True):
            frames = apply(stack, x, mask)
            real = frames._keras_mask
            outputs[name] = tf.where(real[..., None], frames, 0.0)
            outputs[f"{name}_frames"] = tf.reduce_sum(tf.cast(real, "int32"), axis=1)
        return outputs

    inputs = {
        "x": tf.TensorSpec((None, None), "float32", "x"),
        "lengths": tf.TensorSpec((None,), "int32", "lengths"),
    }
    return model, {**export.endpoints_of(model), "encode": Endpoint(encode, inputs)}


def apply(stack, x, mask=None):
    x = stack[0](x, mask=mask)
    for layer in stack[1:]:
        x = layer(x)
    return x


def test_saved_model(front_end, tmp_path):
    model, endpoints = front_end
    assert export.to_saved_model(model, tmp_path, endpoints=endpoints, **SIZES).is_dir()


def test_onnx(front_end, tmp_path):
    for package in ("tf2onnx", "onnx", "onnxruntime"):
        pytest.importorskip(package, exc_type=Exception)
    model, endpoints = front_end
    files = export.to_onnx(model, tmp_path, endpoints=endpoints, **SIZES)
    assert set(files) == {"serving_default", "encode"}
