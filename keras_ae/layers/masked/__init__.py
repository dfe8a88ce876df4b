"""Layers for padded sequences, whose results do not depend on the padding."""
