"""Evaluation of sentence embeddings: transfer tasks, controls, neighbours."""
