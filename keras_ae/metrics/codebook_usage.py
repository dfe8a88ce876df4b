"""Share of the codes that were chosen at least once."""

import keras
from keras import ops

from keras_ae.metrics.code_counts import CodeCounts


@keras.saving.register_keras_serializable(package="keras_ae")
class CodebookUsage(CodeCounts):
    """Fraction of codes chosen at least once since the last reset.

    `usage = |{k : count_k > 0}| / K`, over all heads.

    Args:
        num_embeddings: `K`, codes per head.
        num_heads: independent code variables per vector.
        name: name of the metric.
        sizes: codes of each head where they differ; `num_embeddings` is then the largest.

    Example:

    >>> metric = CodebookUsage(4)
    >>> metric.update_state([0, 0, 2])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, num_embeddings, num_heads=1, name="usage", dtype=None, sizes=None):
        super().__init__(num_embeddings, num_heads, name=name, dtype=dtype)
        self.sizes = None if sizes is None else list(sizes)

    def result(self):
        codes = self.num_heads * self.num_embeddings if self.sizes is None else sum(self.sizes)
        return ops.sum(ops.cast(self.counts > 0, "float32")) / codes

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes}
