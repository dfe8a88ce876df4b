"""Bottleneck of binary codes."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_ae.layers.bottlenecks.bottleneck import flatten_weights
from keras_ae.layers.bottlenecks.stochastic_bottleneck import StochasticBottleneck, check_estimator
from keras_ae.losses.divergences import bernoulli_entropy, bernoulli_kl, bernoulli_log_prob
from keras_ae.losses.quantization import bit_balance_loss, bit_decorrelation_loss
from keras_ae.metrics.codebook import count_codes
from keras_ae.ops.core import Tensor, straight_through
from keras_ae.ops.terms import batch_term, mean_term

ESTIMATORS = ("sigmoid", "gumbel", "semantic_hashing")


@keras.saving.register_keras_serializable(package="keras_ae")
class BinaryBottleneck(StochasticBottleneck):
    """Binary bottleneck: each bit is 1 where the sigmoid of its logit exceeds 0.5.

    Ten bits represent the 1024 classes for which a one-hot embedding needs 1024 units, and a combination of
    bits that never occurred in training still has a meaning.

    ```
    p = sigmoid(logits)
    inference:          embedding = bit = 1[p > 0.5]
    training, by estimator:
      sigmoid:          bit = 1[p > 0.5],  or with stochastic=True  bit ~ Bernoulli(p)
                        embedding = bit + y - sg[y],   y = sigmoid(logits / temperature)
      gumbel:           y = sigmoid((logits + log u - log(1 - u)) / temperature),   u ~ U(0, 1)
                        embedding = 1[y > 0.5] + y - sg[y],  or y itself with straight_through=False
      semantic_hashing: n = logits + N(0, 1),   y = clip(1.2 sigmoid(n) - 0.1, 0, 1)
                        embedding = y  or  1[n > 0] + y - sg[y],  a fair coin for each position
    loss = kl_weight * mean max(0, sum_bits KL(p || prior) - free_bits log 2)
           + entropy_weight * mean sum_bits H(p)
           + balance_weight * bit_balance_loss(p) + decorrelation_weight * bit_decorrelation_loss(p)
    ```

    Args:
        stochastic: whether to draw the bits in training (inference always thresholds).
        estimator: how the bits are drawn and their gradient is estimated, see above.
        temperature: float, or a `keras.optimizers.schedules.LearningRateSchedule` of the training steps,
            which are counted in a saved variable; `layer.temperature` is the variable. With `"sigmoid"`
            its inverse is the slope of the gradient.
        straight_through: whether to return hard bits in training; `False` only with `"gumbel"`.
        kl_weight: weight of the KL to the prior, in nats per position (0: only measured).
        free_bits: number of bits per position that the KL term ignores.
        prior: `"uniform"` (fair coins), or `"learned"`: a trainable logit for each bit. It is learned
            from the KL, so `kl_weight` must be above 0 or the model must weight `layer.kl` itself.
        entropy_weight: weight of the bits' entropy, which pushes the probabilities to 0 or 1.
        balance_weight: weight of `losses.bit_balance_loss`: each bit should be 1 half of the time.
        decorrelation_weight: weight of `losses.bit_decorrelation_loss`: no bit should copy another.
        seed: seed of the draws.

    Call arguments:
        x: logits `(batch, ..., bits)`.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.

    Output shape:
        embedding `(batch, ..., bits)` of 0 and 1; codes int32 `(batch, ..., bits)`.

    Metrics:
        `usage`: fraction of the (bit, value) pairs that occurred; `perplexity`: effective number of
            values per bit, 1 to 2; `kl_loss`.

    Example:

    >>> layer = BinaryBottleneck()
    >>> layer.encode(ops.array([[-1.0, 0.3, 2.0]])).numpy().tolist()
    [[0, 1, 1]]

    Reference:
        Bengio et al., 2013 (straight-through), https://arxiv.org/abs/1308.3432; Maddison et
        al., 2017 (binary concrete), https://arxiv.org/abs/1611.00712; Chung et al., 2017
        (slope annealing), https://arxiv.org/abs/1609.01704; Kaiser and Bengio, 2018
        (semantic hashing), https://arxiv.org/abs/1801.09797.
    """

    def __init__(
        self,
        *,
        stochastic: bool = False,
        estimator: str = "sigmoid",
        temperature: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        straight_through: bool = True,
        kl_weight: float = 0.0,
        free_bits: float = 0.0,
        prior: str = "uniform",
        entropy_weight: float = 0.0,
        balance_weight: float = 0.0,
        decorrelation_weight: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        check_estimator("BinaryBottleneck", estimator, ESTIMATORS, straight_through, soft=("gumbel",))
        super().__init__(
            temperature=temperature,
            straight_through=straight_through,
            kl_weight=kl_weight,
            free_bits=free_bits,
            prior=prior,
            seed=seed,
            **kwargs,
        )
        self.stochastic = stochastic
        self.estimator = estimator
        self.entropy_weight = entropy_weight
        self.balance_weight = balance_weight
        self.decorrelation_weight = decorrelation_weight

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.bits = input_shape[-1]
        if self.bits is None:
            raise ValueError(
                "The logits of BinaryBottleneck must have a known number of bits. "
                f"Received: shape={tuple(input_shape)}"
            )
        self.track_codes(2, num_heads=self.bits)
        self.add_prior((self.bits,))
        super().build(input_shape)

    def build_from_codes(self, shape: tuple[int | None, ...]) -> None:
        self._build_once(shape)

    # Inference

    def assign_codes(self, x: Tensor) -> Tensor:
        return ops.cast(x > 0, "int32")

    def look_up(self, codes: Tensor) -> Tensor:
        return ops.cast(codes, "float32")

    def margin(self, x: Tensor) -> Tensor:
        """Return the distance of each logit from the threshold, relative to the largest logit."""
        size = ops.abs(ops.cast(x, "float32"))
        return size / ops.maximum(ops.max(size, axis=-1, keepdims=True), 1e-30)

    # The distribution of the codes

    def divergence(self, x: Tensor, prior_logits: Tensor) -> Tensor:
        return ops.sum(bernoulli_kl(x, prior_logits), axis=-1)

    def code_log_prob(self, logits: Tensor, codes: Tensor) -> Tensor:
        return ops.sum(bernoulli_log_prob(logits, self.look_up(codes)), axis=-1)

    def codes_of_noise(self, logits: Tensor, uniform: Tensor) -> Tensor:
        return ops.cast(uniform < ops.sigmoid(logits), "int32")

    # Training

    def train_call(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        temperature = self.annealing.next(advance=self.trainable)
        embedding, codes = getattr(self, f"_by_{self.estimator}")(x, temperature)
        self.observe(x, None, self.assign_codes(x), weights)
        return embedding, codes

    def _by_sigmoid(self, x, temperature):
        codes = self.draw(x) if self.stochastic else self.assign_codes(x)
        return straight_through(ops.sigmoid(x / temperature), self.look_up(codes)), codes

    def _by_gumbel(self, x, temperature):
        uniform = self.uniform(ops.shape(x))
        noisy = x + ops.log(uniform) - ops.log1p(-uniform)
        codes, relaxed = self.assign_codes(noisy), ops.sigmoid(noisy / temperature)
        return (straight_through(relaxed, self.look_up(codes)) if self.straight_through else relaxed), codes

    def _by_semantic_hashing(self, x, temperature):
        noise = keras.random.normal(ops.shape(x), dtype="float32", seed=self.seed_generator)
        noisy = x + noise
        relaxed = ops.clip(1.2 * ops.sigmoid(noisy / temperature) - 0.1, 0.0, 1.0)
        codes = self.assign_codes(noisy)
        hard = self.uniform((*ops.shape(x)[:-1], 1)) < 0.5
        return ops.where(hard, straight_through(relaxed, self.look_up(codes)), relaxed), codes

    def observe(self, x: Tensor, embedding: Tensor | None, codes: Tensor, weights: Tensor | None) -> None:
        kl, weighted = self.weighted_kl(x, weights)
        flat_weights = flatten_weights(weights, x)
        self.record_counts(count_codes(ops.reshape(codes, (-1, self.bits)), flat_weights, 2))
        added = [] if weighted is None else [weighted]
        if self.entropy_weight:
            entropy = mean_term(ops.sum(bernoulli_entropy(x), axis=-1), weights)
            added.append(self.entropy_weight * entropy)
        probabilities = ops.reshape(ops.sigmoid(x), (-1, self.bits))
        if self.balance_weight:
            balance = bit_balance_loss(probabilities, flat_weights)
            added.append(self.balance_weight * batch_term(balance, flat_weights))
        if self.decorrelation_weight:
            copies = bit_decorrelation_loss(probabilities, flat_weights)
            added.append(self.decorrelation_weight * batch_term(copies, flat_weights))
        self.record_terms({"kl_loss": kl}, sum(added) if added else None)

    def position_losses(self, x: Tensor) -> Tensor | None:
        losses = super().position_losses(x)
        if self.entropy_weight:
            entropy = self.entropy_weight * ops.sum(bernoulli_entropy(x), axis=-1)
            losses = entropy if losses is None else losses + entropy
        return losses

    @staticmethod
    def pack(codes: ArrayLike) -> np.ndarray:
        """Pack bits `(..., bits)` into bytes `(..., ceil(bits / 8))`, uint8, first bit highest.

        >>> BinaryBottleneck.pack([[0, 1, 1]]).tolist()
        [[96]]
        """
        return np.packbits(np.asarray(codes, dtype=bool), axis=-1)

    @staticmethod
    def unpack(packed: ArrayLike, bits: int | tuple) -> np.ndarray:
        """Unpack the bytes of `pack` to int32 `(..., bits)`; `bits` may be the shape of an example's codes.

        >>> BinaryBottleneck.unpack(np.array([[96]], "uint8"), bits=3).tolist()
        [[0, 1, 1]]
        """
        bits = np.ravel(bits)[-1]  # the last axis of a shape, as for other bottlenecks
        packed = np.asarray(packed, dtype="uint8")
        if not 8 * (packed.shape[-1] - 1) < bits <= 8 * packed.shape[-1]:
            raise ValueError(
                f"packed must have {-(-bits // 8)} bytes per code of {bits} bits. "
                f"Received: {packed.shape[-1]} bytes per code"
            )
        return np.unpackbits(packed, axis=-1, count=bits).astype("int32")

    def codes_per_position(self) -> int | None:
        return self.bits

    def code_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "stochastic": self.stochastic,
            "estimator": self.estimator,
            "entropy_weight": self.entropy_weight,
            "balance_weight": self.balance_weight,
            "decorrelation_weight": self.decorrelation_weight,
        }
