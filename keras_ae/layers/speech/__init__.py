"""Layers for waveforms and spectrograms: front ends, normalisation and augmentation."""
