"""Waveforms made in a graph, against those made by numpy."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.audio import mel_to_magnitudes, mel_to_waveform
from keras_ae.audio.mel import _magnitudes, waveforms_of_frames
from keras_ae.layers import LogMelSpectrogram

SETTINGS = {
    "sample_rate": 8000,
    "window_length": 256,
    "hop": 64,
    "fft_length": 512,
    "power": 1.0,
    "floor": 1e-4,
}


def voice(samples, pitch=120.0):
    time = np.arange(samples) / 8000
    return sum(0.1 / k * np.sin(2 * np.pi * k * (pitch * time + 40 * time**2) + k) for k in range(1, 15))


@pytest.fixture(scope="module")
def layer():
    return LogMelSpectrogram(40, **SETTINGS)


@pytest.fixture(scope="module")
def frames(layer):
    """Two utterances of 20 and 31 frames, padded by garbage."""
    found = [np.asarray(layer(voice(64 * (n - 1))[None]))[0] for n in (20, 31)]
    batch = np.full((2, 31, 40), np.nan, "float32")
    for row, one in zip(batch, found, strict=True):
        row[: len(one)] = one
    return batch


@pytest.fixture(scope="module")
def waveforms(layer, frames):
    spec = tf.TensorSpec((None, None, 40), tf.float32)
    function = tf.function(lambda x, n: waveforms_of_frames(x, n, layer), input_signature=[spec, N])
    return function(frames, np.array([20, 31])), function(frames[:1, :20], np.array([20]))


N = tf.TensorSpec((None,), tf.int32)


def misfit(waveform, frames, layer):
    """How far the bands of a waveform are from those it was to have, of their size."""
    found = np.exp(np.asarray(layer(waveform[None]))[0])
    return np.linalg.norm(found - np.exp(frames)) / np.linalg.norm(np.exp(frames))


def test_magnitudes_are_those_of_numpy(layer, frames):
    expected = mel_to_magnitudes(frames[1:], layer)
    # 100 updates in float32 against float64
    np.testing.assert_allclose(_magnitudes(frames[1:], layer), expected, rtol=1e-2, atol=1e-3)


def test_the_waveform_has_the_bands_as_well_as_that_of_numpy(layer, frames, waveforms):
    for one, x, length in zip(np.asarray(waveforms[0]), frames, (20, 31), strict=True):
        samples = 64 * (length - 1)
        own = misfit(one[:samples], x[:length], layer)
        numpy = misfit(mel_to_waveform(x[:length], layer, samples=samples), x[:length], layer)
        # both stop at a local optimum that depends on the first phases
        assert own < 1.25 * numpy + 0.02


def test_an_utterance_alone_sounds_as_in_a_padded_batch(waveforms):
    together, alone = (np.asarray(part) for part in waveforms)
    assert together.shape == (2, 1920) and alone.shape == (1, 1216)
    assert not together[0, 1216:].any()
    # float32 transforms of other batch sizes, through 32 iterations
    np.testing.assert_allclose(together[0, :1216], alone[0], atol=1e-3 * np.abs(alone).max())


@pytest.mark.parametrize("length", [0, 1])
def test_less_than_two_frames_are_no_sound(layer, length):
    assert waveforms_of_frames(tf.zeros((1, 3, 40)), [length], layer, 2).shape == (1, 128)
    assert not np.asarray(waveforms_of_frames(tf.zeros((1, 3, 40)), [length], layer, 2)).any()
    assert waveforms_of_frames(tf.zeros((1, 1, 40)), [length], layer, 2).shape == (1, 0)
