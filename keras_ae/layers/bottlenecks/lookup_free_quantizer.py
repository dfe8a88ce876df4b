"""Lookup-free quantisation: signs as codes."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.bottlenecks.bottleneck import ones_unless
from keras_ae.layers.bottlenecks.grid_quantizer import GridQuantizer
from keras_ae.losses.divergences import sign_entropy
from keras_ae.losses.quantization import commitment_loss, mean_sign_kl_to_uniform
from keras_ae.ops.terms import LossTerm, batch_term, mean_term


@keras.saving.register_keras_serializable(package="keras_ae")
class LookupFreeQuantizer(GridQuantizer):
    """Bottleneck that replaces each of a few channels by its sign: `2^bits` sign vectors are the codebook.

    ```
    embedding(x) = scale * sign(x),   scale = 1, or 1/sqrt(bits) with x <- x / |x|  (spherical)
    gradient     = that of the embedding, passed unchanged to x
    q(c | x)     = softmax_c(2 t x.c)  over all sign vectors c of size scale
    loss         =   entropy_weight   mean_x H(q(c | x))                  each x certain of its code
                   + diversity_weight KL(mean_x q(c | x) || uniform)      all codes used equally
                   + commitment_cost  mean |x - sg[embedding]|^2
    ```

    The first two terms are at least 0 and are minimised; the second is the constant `bits log 2` minus
    the entropy that the paper maximises. No table of vectors x codes is computed: the entropy is a sum
    over the bits, the mean a matrix product (`keras_ae.losses.mean_sign_kl_to_uniform`).

    Args:
        bits: number of channels of a code, 1 to 31.
        entropy_weight: weight of the entropy of each vector. The defaults of the three weights suit a
            mean squared error of pixels in [0, 1].
        diversity_weight: weight of the divergence of the batch from the uniform distribution; with 0 it
            is neither computed nor measured.
        commitment_cost: weight of the commitment loss.
        inverse_temperature: `t`.
        num_heads: number of codes per vector, each of `bits` bits.
        spherical: whether to use binary spherical quantisation: vectors and codes of unit length.
        entropy_group_bits: largest number of bits whose joint distribution is computed for the second
            term; more bits are cut into groups. Time and memory grow with `2^entropy_group_bits`.

    Call arguments:
        x: `(batch, ..., dim)`. If `dim` is not `num_heads * bits`, a learned linear map projects to this
            size, and another one from the signs back to `dim`.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.

    Output shape:
        embedding `(batch, ..., dim)`; codes int32 `(batch, ...)`, with several heads
        `(batch, ..., heads)`; the first channel is the lowest bit, 1 if it is positive.

    Metrics:
        `entropy_loss` and `diversity_loss` in nats, `commitment_loss`; `perplexity` and `usage` of the
        codes or, if all heads together have more than 2^18 codes, of the bits.

    Raises:
        ValueError: for codes beyond 31 bits.

    Example:

    >>> layer = LookupFreeQuantizer(3)
    >>> layer.encode(ops.array([[0.2, -1.0, 3.0]])).numpy().tolist()
    [5]
    >>> layer.decode([5]).numpy().tolist()
    [[1.0, -1.0, 1.0]]

    Reference:
        Yu et al., 2023, https://arxiv.org/abs/2310.05737; `spherical`: Zhao et al., 2024,
        https://arxiv.org/abs/2406.07548.
    """

    def __init__(
        self,
        bits: int,
        *,
        entropy_weight: float = 0.02,
        diversity_weight: float = 0.02,
        commitment_cost: float = 0.02,
        inverse_temperature: float = 100.0,
        num_heads: int = 1,
        spherical: bool = False,
        entropy_group_bits: int = 13,
        **kwargs: Any,
    ):
        if bits < 1 or entropy_group_bits < 1 or inverse_temperature <= 0:
            raise ValueError(
                "LookupFreeQuantizer: bits and entropy_group_bits must be at least 1, and "
                f"inverse_temperature must be positive. Received: bits={bits}, "
                f"entropy_group_bits={entropy_group_bits}, inverse_temperature={inverse_temperature}"
            )
        super().__init__([2] * bits, num_heads, **kwargs)
        self.bits = bits
        self.entropy_weight = entropy_weight
        self.diversity_weight = diversity_weight
        self.commitment_cost = commitment_cost
        self.inverse_temperature = inverse_temperature
        self.spherical = spherical
        self.entropy_group_bits = entropy_group_bits
        self.scale = bits**-0.5 if spherical else 1.0
        for name in ("entropy_loss", "diversity_loss", "commitment_loss"):
            if name != "diversity_loss" or diversity_weight:
                self.track_term(name)

    def relax(self, heads: Any) -> Any:
        # the gradient of keras.ops.normalize at a vector of zeros is NaN under XLA
        return tf.math.l2_normalize(heads, axis=-1) if self.spherical else heads

    def to_digits(self, relaxed: Any) -> Any:
        return ops.cast(relaxed > 0, "int32")

    def from_digits(self, digits: Any) -> Any:
        return (2.0 * ops.cast(digits, "float32") - 1.0) * self.scale

    def gap(self, relaxed: Any) -> Any:
        """Return the size of each channel relative to the largest of its head."""
        size = ops.abs(relaxed)
        return size / ops.maximum(ops.max(size, axis=-1, keepdims=True), 1e-30)

    def record(self, heads: Any, relaxed: Any, quantized: Any, digits: Any, weights: Any | None) -> None:
        super().record(heads, relaxed, quantized, digits, weights)
        logits = 4.0 * self.inverse_temperature * self.scale * relaxed  # q(bit = 1) = sigmoid(logits)
        costs = {"entropy_loss": self.entropy_weight, "commitment_loss": self.commitment_cost}
        terms = {}
        if self.diversity_weight:  # first, because it synchronises replicas
            costs["diversity_loss"] = self.diversity_weight
            kl = mean_sign_kl_to_uniform(logits, weights, self.entropy_group_bits)
            terms["diversity_loss"] = batch_term(kl, ones_unless(weights, heads))
        terms["entropy_loss"] = mean_term(sign_entropy(logits), weights)
        terms["commitment_loss"] = LossTerm.of(commitment_loss(relaxed, quantized, weights))
        self.record_terms(terms, sum(costs[name] * value for name, value in terms.items()))

    def position_losses(self, x: Any) -> Any | None:
        relaxed = self.relax(self._heads(x))
        quantized = self.from_digits(self.to_digits(relaxed))
        entropy = sign_entropy(4.0 * self.inverse_temperature * self.scale * relaxed)
        distance = ops.mean(ops.square(relaxed - quantized), axis=-1)
        return self._mean_of_heads(self.entropy_weight * entropy + self.commitment_cost * distance, x)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bits": self.bits,
            "entropy_weight": self.entropy_weight,
            "diversity_weight": self.diversity_weight,
            "commitment_cost": self.commitment_cost,
            "inverse_temperature": self.inverse_temperature,
            "num_heads": self.num_heads,
            "spherical": self.spherical,
            "entropy_group_bits": self.entropy_group_bits,
        }
