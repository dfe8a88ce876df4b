"""How often each code was chosen since the last reset."""

import keras
from keras import ops


class CodeCounts(keras.metrics.Metric):
    """Base of the code metrics: `counts`, `(heads, K)`, summed over replicas."""

    def __init__(self, num_embeddings, num_heads=1, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.num_embeddings = num_embeddings
        self.num_heads = num_heads
        self.counts = self.add_variable((num_heads, num_embeddings), "zeros", dtype="float32", name="counts")

    def update_state(self, codes, sample_weight=None):
        """Add integer codes `(...)`, with several heads `(..., heads)`; those out of range do not count.

        `sample_weight` has the shape of `codes` without the axis of heads.
        """
        codes = ops.reshape(ops.convert_to_tensor(codes, "int32"), (-1, self.num_heads))
        weights = ops.ones_like(codes[:, 0], "float32")
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        self.add_counts(count_codes(codes, weights, self.num_embeddings))

    def add_counts(self, counts):
        """Add `(heads, K)` counts made elsewhere."""
        self.counts.assign_add(counts)

    def get_config(self):
        return {
            **super().get_config(),
            "num_embeddings": self.num_embeddings,
            "num_heads": self.num_heads,
        }


def count_codes(codes, weights, num_embeddings):
    """Return weighted counts `(heads, K)` of the `codes` `(vectors, heads)` in `[0, K)`, by segment sums."""
    heads = codes.shape[1]
    segments = codes + num_embeddings * ops.arange(heads, dtype="int32")
    # segment -1 does not exist; a code out of range would be counted for the next head
    segments = ops.where((codes >= 0) & (codes < num_embeddings), segments, -1)
    repeated = ops.broadcast_to(weights[:, None], ops.shape(codes))
    counts = ops.segment_sum(
        ops.reshape(repeated, (-1,)), ops.reshape(segments, (-1,)), num_segments=heads * num_embeddings
    )
    return ops.reshape(counts, (heads, num_embeddings))
