"""Perplexity of a language model."""

import keras
from keras import ops

from keras_ae.ops.core import Tensor, where_counted


@keras.saving.register_keras_serializable(package="keras_ae")
class Perplexity(keras.metrics.Metric):
    """Perplexity of a language model over the words since the last reset.

    `exp(sum_t w_t nats_t / sum_t w_t)`, where `nats_t = -log p(word t)`.

    A model that assigns the same probability to each of `V` words has perplexity `V`. The mean is over
    words, not over batches or sentences: it does not depend on how the text is cut into batches.

    Args:
        name: name of the metric.

    Example:

    >>> metric = Perplexity()
    >>> metric.update_state(-ops.log([0.5, 0.125, 0.9]), sample_weight=[1, 1, 0])
    >>> round(float(metric.result()), 3)
    4.0
    """

    def __init__(self, name: str = "perplexity", dtype: str | keras.DTypePolicy | None = None):
        super().__init__(name=name, dtype=dtype)
        self.nats = self.add_variable((), "zeros", dtype="float32", name="nats")
        self.words = self.add_variable((), "zeros", dtype="float32", name="words")

    def update_state(self, nats: Tensor, sample_weight: Tensor | None = None) -> None:
        """Add the `nats` of words, of any shape; `sample_weight` must have the same shape."""
        nats = ops.cast(nats, "float32")
        weights = ops.ones_like(nats) if sample_weight is None else ops.cast(sample_weight, "float32")
        self.nats.assign_add(ops.sum(where_counted(nats, weights) * weights))
        self.words.assign_add(ops.sum(weights))

    def result(self) -> Tensor:
        return ops.exp(ops.divide_no_nan(self.nats.value, self.words.value))
