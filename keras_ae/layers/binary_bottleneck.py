"""Embedding as bits."""

import keras
import numpy as np
from keras import ops

from keras_ae.layers.bottleneck import Bottleneck, flatten_weights
from keras_ae.losses.kl_to_uniform import bernoulli_entropy, bernoulli_kl_to_uniform
from keras_ae.metrics.code_counts import count_codes
from keras_ae.ops import straight_through, weighted_mean


@keras.saving.register_keras_serializable(package="keras_ae")
class BinaryBottleneck(Bottleneck):
    """Turns logits into bits: 1 where the sigmoid exceeds 0.5.

    Ten bits name the 1024 classes for which a one-hot embedding needs 1024 units, and
    a combination of bits that never occurred in training still means something.

    ```
    p = sigmoid(logits)
    bit = 1[p > 0.5],  or in training with stochastic=True  bit ~ Bernoulli(p)
    embedding = bit + p - sg[p]                                 (straight-through)
    loss = kl_weight * mean sum_bits KL(p || 0.5) + entropy_weight * mean sum_bits H(p)
    ```

    Args:
        stochastic: draw the bits in training (inference always thresholds).
        kl_weight: weight of the KL to fair coins, nats per position (0: measured only).
        entropy_weight: weight of the bits' entropy, which drives them to 0 or 1.
        seed: of the draws.

    Call arguments:
        x: logits `(batch, ..., bits)`.
        mask: `(batch, ...)`, 1 = real.
        training: whether to train.
        return_codes: also return the codes.

    Output shape:
        embedding `(batch, ..., bits)` of 0 and 1; codes int32 `(batch, ..., bits)`.

    Metrics:
        `usage`: share of the (bit, value) pairs that occurred; `perplexity`: values a
        bit effectively takes, 1 to 2; `kl_loss`.

    Example:

    >>> layer = BinaryBottleneck()
    >>> layer.encode(ops.array([[-1.0, 0.3, 2.0]])).numpy().tolist()
    [[0, 1, 1]]

    Reference:
        Bengio et al., 2013 (straight-through), https://arxiv.org/abs/1308.3432.
    """

    def __init__(
        self,
        *,
        stochastic: bool = False,
        kl_weight: float = 0.0,
        entropy_weight: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stochastic = stochastic
        self.kl_weight = kl_weight
        self.entropy_weight = entropy_weight
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.track_term("kl_loss")

    def build(self, input_shape):
        self.bits = input_shape[-1]
        if self.bits is None:
            raise ValueError(
                "BinaryBottleneck expects logits of a known number of bits. "
                f"Received: shape={tuple(input_shape)}"
            )
        self.track_codes(2, num_heads=self.bits)
        super().build(input_shape)

    def build_from_codes(self, shape):
        self._build_once(shape)

    def assign_codes(self, x):
        return ops.cast(x > 0, "int32")

    def look_up(self, codes):
        return ops.cast(codes, "float32")

    def margin(self, x):
        """Distance of each logit from the threshold, relative to the largest logit."""
        size = ops.abs(ops.cast(x, "float32"))
        return size / ops.maximum(ops.max(size, axis=-1, keepdims=True), 1e-30)

    def train_call(self, x, weights):
        probability = ops.sigmoid(x)
        codes = self._draw(probability) if self.stochastic else self.assign_codes(x)
        self.observe(x, None, self.assign_codes(x), weights)
        return straight_through(probability, self.look_up(codes)), codes

    def observe(self, x, embedding, codes, weights):
        kl = weighted_mean(bernoulli_kl_to_uniform(x), weights)
        entropy = weighted_mean(ops.sum(bernoulli_entropy(x), axis=-1), weights)
        flat = ops.reshape(codes, (-1, self.bits))
        self.record_counts(count_codes(flat, flatten_weights(weights, x), 2))
        weighted = self.kl_weight * kl + self.entropy_weight * entropy
        self.record_terms({"kl_loss": kl}, weighted if self.kl_weight or self.entropy_weight else None)

    def _draw(self, probability):
        uniform = keras.random.uniform(ops.shape(probability), dtype="float32", seed=self.seed_generator)
        return ops.cast(uniform < probability, "int32")

    @staticmethod
    def pack(codes) -> np.ndarray:
        """Bits `(..., bits)` to bytes `(..., ceil(bits / 8))`, uint8, first bit highest.

        >>> BinaryBottleneck.pack([[0, 1, 1]]).tolist()
        [[96]]
        """
        return np.packbits(np.asarray(codes, dtype=bool), axis=-1)

    @staticmethod
    def unpack(packed, bits: int | tuple) -> np.ndarray:
        """The opposite of `pack`: int32 `(..., bits)`; `bits` may be the shape of an example's codes.

        >>> BinaryBottleneck.unpack(np.array([[96]], "uint8"), bits=3).tolist()
        [[0, 1, 1]]
        """
        bits = bits if np.ndim(bits) == 0 else bits[-1]  # a shape, as other bottlenecks take
        packed = np.asarray(packed, dtype="uint8")
        if not 8 * (packed.shape[-1] - 1) < bits <= 8 * packed.shape[-1]:
            raise ValueError(
                f"{bits} bits take {-(-bits // 8)} bytes. Received: {packed.shape[-1]} bytes a code"
            )
        return np.unpackbits(packed, axis=-1, count=bits).astype("int32")

    def compute_output_spec(self, x, mask=None, training=None, return_codes=False, sample_weight=None):
        embedding = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        return (embedding, keras.KerasTensor(x.shape, dtype="int32")) if return_codes else embedding

    def get_config(self):
        return {
            **super().get_config(),
            "stochastic": self.stochastic,
            "kl_weight": self.kl_weight,
            "entropy_weight": self.entropy_weight,
            "seed": self.seed,
        }
