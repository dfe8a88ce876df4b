"""Streaming metrics."""

from keras_ae.metrics.codebook import CodebookPerplexity, CodebookUsage
from keras_ae.metrics.perplexity import Perplexity
from keras_ae.ops.terms import TermMean

__all__ = ["CodebookPerplexity", "CodebookUsage", "Perplexity", "TermMean"]
