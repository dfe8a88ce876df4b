"""Usage and perplexity of a codebook."""

from typing import Any

import keras
from keras import ops


class CodeCounts(keras.metrics.Metric):
    """Base class of the code metrics: `counts`, `(heads, K)`, summed over replicas."""

    def __init__(
        self,
        num_embeddings: int,
        num_heads: int = 1,
        name: str | None = None,
        dtype: str | keras.DTypePolicy | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.num_embeddings = num_embeddings
        self.num_heads = num_heads
        self.counts = self.add_variable((num_heads, num_embeddings), "zeros", dtype="float32", name="counts")

    def update_state(self, codes: Any, sample_weight: Any | None = None) -> None:
        """Add integer codes `(...)`, with several heads `(..., heads)`; codes out of range do not count.

        `sample_weight` has the shape of `codes` without the axis of heads.
        """
        codes = ops.reshape(ops.convert_to_tensor(codes, "int32"), (-1, self.num_heads))
        weights = ops.ones_like(codes[:, 0], "float32")
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        self.add_counts(count_codes(codes, weights, self.num_embeddings))

    def add_counts(self, counts: Any) -> None:
        """Add `(heads, K)` counts that are already computed."""
        self.counts.assign_add(counts)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_embeddings": self.num_embeddings,
            "num_heads": self.num_heads,
        }


def count_codes(codes: Any, weights: Any, num_embeddings: int) -> Any:
    """Return weighted counts `(heads, K)` of the `codes` `(vectors, heads)` in `[0, K)`, by segment sums."""
    heads = codes.shape[1]
    segments = codes + num_embeddings * ops.arange(heads, dtype="int32")
    # segment -1 does not exist; otherwise a code out of range would be counted for the next head
    segments = ops.where((codes >= 0) & (codes < num_embeddings), segments, -1)
    repeated = ops.broadcast_to(weights[:, None], ops.shape(codes))
    counts = ops.segment_sum(
        ops.reshape(repeated, (-1,)), ops.reshape(segments, (-1,)), num_segments=heads * num_embeddings
    )
    return ops.reshape(counts, (heads, num_embeddings))


@keras.saving.register_keras_serializable(package="keras_ae")
class CodebookUsage(CodeCounts):
    """Fraction of codes chosen at least once since the last reset.

    `usage = |{k : count_k > 0}| / K`, over all heads.

    Args:
        num_embeddings: `K`, number of codes per head.
        num_heads: number of codes per vector.
        name: name of the metric.
        sizes: number of codes of each head if they differ; `num_embeddings` is then the largest.

    Example:

    >>> metric = CodebookUsage(4)
    >>> metric.update_state([0, 0, 2])
    >>> float(metric.result())
    0.5
    """

    def __init__(
        self,
        num_embeddings: int,
        num_heads: int = 1,
        name: str = "usage",
        dtype: str | keras.DTypePolicy | None = None,
        sizes: tuple[int, ...] | list[int] | None = None,
    ):
        super().__init__(num_embeddings, num_heads, name=name, dtype=dtype)
        self.sizes = None if sizes is None else list(sizes)

    def result(self) -> Any:
        codes = self.num_heads * self.num_embeddings if self.sizes is None else sum(self.sizes)
        return ops.sum(ops.cast(self.counts > 0, "float32")) / codes

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


@keras.saving.register_keras_serializable(package="keras_ae")
class CodebookPerplexity(CodeCounts):
    """Perplexity `exp(-sum_k p_k log p_k)` of the code frequencies since the last reset.

    1 if a single code is used, `K` if all are used equally; with several heads the mean over heads. The
    frequencies are those of the whole epoch: the perplexity of one batch cannot exceed the number of its
    vectors.

    Args:
        num_embeddings: `K`, number of codes per head.
        num_heads: number of codes per vector.
        name: name of the metric.

    Example:

    >>> metric = CodebookPerplexity(4)
    >>> metric.update_state([0, 0, 2, 2])
    >>> round(float(metric.result()), 3)
    2.0
    """

    def __init__(
        self,
        num_embeddings: int,
        num_heads: int = 1,
        name: str = "perplexity",
        dtype: str | keras.DTypePolicy | None = None,
    ):
        super().__init__(num_embeddings, num_heads, name=name, dtype=dtype)

    def result(self) -> Any:
        share = ops.divide_no_nan(self.counts.value, ops.sum(self.counts, axis=-1, keepdims=True))
        entropy = -ops.sum(share * ops.log(ops.maximum(share, 1e-30)), axis=-1)
        return ops.mean(ops.exp(entropy))
