"""Wav files, read by the standard library and by TensorFlow."""

import io
import wave

import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.audio import wav_bytes, write_wav


def test_is_read_back(tmp_path):
    waveform = np.random.default_rng(0).uniform(-1, 1, 100).astype("float32")
    data = wav_bytes(waveform, 8000)
    decoded, rate = tf.audio.decode_wav(data)
    assert rate == 8000
    np.testing.assert_allclose(decoded[:, 0], waveform, atol=1 / 2**14)  # half a step, and 32768 for 32767
    with wave.open(io.BytesIO(data)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getnframes()) == (1, 2, 100)
    write_wav(tmp_path / "a.wav", waveform, 8000)
    assert (tmp_path / "a.wav").read_bytes() == data


def test_is_clipped_not_wrapped():
    decoded, _ = tf.audio.decode_wav(wav_bytes(np.array([-3.0, -1.0, 0.0, 1.0, 3.0]), 16000))
    np.testing.assert_allclose(decoded[:, 0], [-1, -1, 0, 1, 1], atol=1e-4)


def test_an_empty_waveform_is_a_file():
    with wave.open(io.BytesIO(wav_bytes(np.zeros(0), 16000))) as reader:
        assert reader.getnframes() == 0


def test_what_is_no_waveform_is_refused():
    with pytest.raises(InputError, match=r"must have the shape \(samples,\).*Received: shape \(2, 5\)"):
        wav_bytes(np.zeros((2, 5)), 16000)
    with pytest.raises(InputError, match="1 values that are not finite"):
        wav_bytes(np.array([0.0, np.nan]), 16000)
