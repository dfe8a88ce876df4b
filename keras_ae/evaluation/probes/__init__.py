"""Probes: classifiers and regressions on embeddings, their leakage, and nearest neighbours."""
