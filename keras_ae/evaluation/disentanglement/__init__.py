"""Disentanglement metrics, and sprite images with exactly known factors."""
