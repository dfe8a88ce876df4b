"""Log-mel frames back to spectra and waveforms, against librosa's inversion."""

import librosa
import numpy as np
import pytest

from keras_ae.audio import mel_to_magnitudes, mel_to_waveform
from keras_ae.layers import LogMelSpectrogram

SETTINGS = [
    {},
    {"num_mels": 40, "log": "db"},
    {"num_mels": 40, "power": 1.0, "mel_scale": "htk", "mel_norm": None},
    {"num_mels": 40, "power": 1.0, "log": "db", "sample_rate": 8000, "window_length": 200, "hop": 80},
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def voice(samples=8000):
    time = np.arange(samples) / 16000
    phase = 2 * np.pi * (120 * time + 100 * time**2)
    tones = sum(np.sin(k * phase + k) / k for k in range(1, 30))
    noise = 0.02 * np.random.default_rng(0).normal(size=samples)
    return (0.1 * tones + noise).astype("float32")


@settings
def test_magnitudes_have_the_bands(setting):
    layer = LogMelSpectrogram(**setting)
    log_mel = layer(voice()[None]).numpy()
    magnitudes = mel_to_magnitudes(log_mel, layer)
    assert magnitudes.shape == (1, log_mel.shape[1], layer.fft_length // 2 + 1)
    assert (magnitudes >= 0).all() and magnitudes.dtype == np.float32
    again = layer.log_scale * np.log(np.maximum(magnitudes**layer.power @ layer.mel_weights, layer.floor))
    # the updates are of finite number: the weakest bands stay some percent off, the mean of all within two
    assert np.abs(again - log_mel).mean() < 0.02 * layer.log_scale


def test_the_bands_are_met_as_well_as_by_librosa():
    layer = LogMelSpectrogram()
    bands = np.exp(layer(voice()[None])[0].numpy())
    ours = mel_to_magnitudes(np.log(bands), layer) ** 2
    theirs = librosa.feature.inverse.mel_to_stft(bands.T, sr=16000, n_fft=512, power=2.0).T ** 2

    def error(spectrum):
        return np.linalg.norm(spectrum @ layer.mel_weights - bands) / np.linalg.norm(bands)

    assert error(ours) < max(0.01, 1.1 * error(theirs))


def test_a_waveform_comes_back_with_its_frames():
    layer = LogMelSpectrogram()
    log_mel = layer(voice()[None]).numpy()
    waveform = mel_to_waveform(log_mel, layer)
    assert waveform.shape == (1, 8000) and waveform.dtype == np.float32
    heard = layer(waveform).numpy()
    # no waveform has exactly these magnitudes; another sound, here the same reversed, is further off
    assert np.abs(heard - log_mel).mean() < 0.3
    assert np.abs(heard[:, ::-1] - log_mel).mean() > 0.6
    assert 0.8 < np.std(waveform) / np.std(voice()) < 1.1


def test_length_and_iterations_are_passed_on():
    layer = LogMelSpectrogram(40)
    log_mel = layer(voice()[None, :4050])[0].numpy()
    assert mel_to_waveform(log_mel, layer, samples=4050, iterations=1).shape == (4050,)
    silence = mel_to_waveform(np.full((5, 40), np.log(layer.floor)), layer)
    assert np.abs(silence).max() < 0.01
