"""Measures of embeddings: what they know, and what they leak."""
