"""Sections of an embedding report, each of which measures one subject."""
