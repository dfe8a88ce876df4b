"""A small model of each kind, what it takes, and the message of a refusal."""

import keras
import numpy as np
import pytest

from keras_ae import InputError, networks
from keras_ae.layers import GumbelOneHot, LogMelSpectrogram, VectorQuantizer
from keras_ae.models import (
    AdversarialDisentangler,
    AutoEncoder,
    CodePrior,
    ContrastivePredictiveCoding,
    DeepInfoMax,
    DiscreteVariationalAutoEncoder,
    QuickThought,
    SkipThought,
    SpeechAutoEncoder,
    TwoLevelAutoEncoder,
    VariationalAutoEncoder,
)

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).random((6, *SHAPE), "float32")
LABELS = np.arange(6) % 3
CODES = np.random.default_rng(0).integers(0, 4, (6, 4), "int32")
for shared in (IMAGES, LABELS, CODES):
    shared.flags.writeable = False


def convolutions():
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(2, 1)])
    decoder = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(1, 1)])
    return encoder, decoder


def flat_parts(outputs, inputs):
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(outputs)])
    decoder = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(16), keras.layers.Reshape(SHAPE)])
    return encoder, decoder


def auto_encoder(bottleneck=None, **options):
    return AutoEncoder(*convolutions(), bottleneck, **options)


def vae(**options):
    return VariationalAutoEncoder(*flat_parts(3, 2), 2, **options)


def discrete_vae(**options):
    return DiscreteVariationalAutoEncoder(*flat_parts(4, 4), GumbelOneHot(num_groups=2), **options)


def two_level(top=4, bottom=4, **options):
    sizes = {"top": top, "bottom": bottom}
    quantizers = {f"{name}_bottleneck": VectorQuantizer(size, name=name) for name, size in sizes.items()}
    return TwoLevelAutoEncoder(
        **networks.two_level_networks((8, 8, 1), 2, filters=4, residual_blocks=0), **quantizers, **options
    )


def disentangler():
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    z, label = keras.Input((2,)), keras.Input((), dtype="int32")
    known = keras.layers.Concatenate()([z, keras.layers.Embedding(3, 2)(label)])
    decoder = keras.Model([z, label], keras.layers.Reshape(SHAPE)(keras.layers.Dense(16)(known)))
    return AdversarialDisentangler(
        encoder, decoder, keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    )


def speech_auto_encoder(bottleneck=None):
    mel = {"num_mels": 4, "sample_rate": 100, "window_length": 4, "hop": 2, "fft_length": 8}
    small = {"filters": 4, "residual_blocks": 1}
    return SpeechAutoEncoder(
        networks.frame_encoder([LogMelSpectrogram(**mel)], 4, **small),
        networks.frame_decoder(4, 4, 3, speaker_dim=2, **small),
        networks.front_end([LogMelSpectrogram(**mel)]),
        bottleneck,
    )


def deep_info_max():
    inputs = keras.Input(SHAPE)
    local = keras.layers.Conv2D(2, 1, name="local")(inputs)
    return DeepInfoMax(
        keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(local))), local="local"
    )


def contrastive_predictive_coding():
    encoder = networks.waveform_encoder(4, kernels=(4, 4), strides=(2, 2))
    return ContrastivePredictiveCoding(encoder, networks.recurrent_context(4, 5), steps=3, first_step=2)


def quick_thought():
    encoders = [networks.bag_of_words_encoder(6, 2) for _ in range(2)]
    return QuickThought(*encoders, vocabulary=["how", "much", "is", "this"])


def skip_thought():
    words = ["how", "much", "is", "this", "?"]
    return SkipThought(networks.recurrent_sentence_encoder(7, 4, embedding_dim=2), words, max_target_words=4)


def prior(shape=(4,), **options):
    return CodePrior(4, shape, dim=8, depth=1, **options)


def compiled(model):
    model.compile("sgd", run_eagerly=True)
    return model


def message(function, *args, **kwargs):
    """The message of the InputError that a call must raise: one line."""
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    text = str(error.value)
    assert "\n" not in text
    return text


def assert_weights(model, expected):
    """The model has the weights that `get_weights` gave before."""
    for received, before in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(received, before)
