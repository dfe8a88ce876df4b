"""Effective number of codes in use."""

import keras
from keras import ops

from keras_ae.metrics.code_counts import CodeCounts


@keras.saving.register_keras_serializable(package="keras_ae")
class CodebookPerplexity(CodeCounts):
    """`exp(-sum_k p_k log p_k)` of the code frequencies since the last reset.

    1 where a single code is used, `K` where all are used alike; with several heads
    the mean over heads. The frequencies are those of the whole epoch: the
    perplexity of one batch can never exceed the vectors in it.

    Args:
        num_embeddings: `K`, codes per head.
        num_heads: independent code variables per vector.
        name: name of the metric.

    Example:

    >>> metric = CodebookPerplexity(4)
    >>> metric.update_state([0, 0, 2, 2])
    >>> round(float(metric.result()), 3)
    2.0
    """

    def __init__(self, num_embeddings, num_heads=1, name="perplexity", dtype=None):
        super().__init__(num_embeddings, num_heads, name=name, dtype=dtype)

    def result(self):
        share = ops.divide_no_nan(self.counts.value, ops.sum(self.counts, axis=-1, keepdims=True))
        entropy = -ops.sum(share * ops.log(ops.maximum(share, 1e-30)), axis=-1)
        return ops.mean(ops.exp(entropy))
