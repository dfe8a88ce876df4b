"""Probes of embeddings: classifiers, regressions, leakage and nearest neighbours."""
