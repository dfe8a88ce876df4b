"""Streaming metrics of codes."""

from keras_ae.metrics.codebook_perplexity import CodebookPerplexity
from keras_ae.metrics.codebook_usage import CodebookUsage

__all__ = ["CodebookPerplexity", "CodebookUsage"]
