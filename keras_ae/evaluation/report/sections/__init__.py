"""Sections of an embedding report, with one module per subject."""
