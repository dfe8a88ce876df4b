"""Waveforms outside of models: mel filter banks, inversion of spectrograms, wav files."""

from keras_ae.audio.mel import griffin_lim, mel_to_magnitudes, mel_to_waveform, mel_to_waveforms, mel_weights
from keras_ae.audio.wav import wav_bytes, write_wav

__all__ = [
    "griffin_lim",
    "mel_to_magnitudes",
    "mel_to_waveform",
    "mel_to_waveforms",
    "mel_weights",
    "wav_bytes",
    "write_wav",
]
