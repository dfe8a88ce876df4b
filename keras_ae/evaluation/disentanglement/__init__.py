"""Disentanglement metrics, and sprites whose factors are known exactly."""
