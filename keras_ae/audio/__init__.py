"""Waveforms outside of models: mel filter banks, inversion, players."""

from keras_ae.audio.mel_filter_bank import mel_weights

__all__ = ["mel_weights"]
