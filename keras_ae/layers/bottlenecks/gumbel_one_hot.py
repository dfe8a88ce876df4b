"""One-hot bottleneck trained by the Gumbel-softmax."""

import math
from typing import Any

import keras
from keras import ops

from keras_ae.layers.bottlenecks.bottleneck import flatten_weights
from keras_ae.layers.bottlenecks.stochastic_bottleneck import StochasticBottleneck, check_estimator
from keras_ae.losses.divergences import categorical_kl, categorical_log_prob
from keras_ae.metrics.codebook import count_codes
from keras_ae.ops.core import Tensor, argmax, straight_through

ESTIMATORS = ("gumbel", "softmax", "reinmax")


@keras.saving.register_keras_serializable(package="keras_ae")
class GumbelOneHot(StochasticBottleneck):
    """One-hot bottleneck: the entry of the largest logit is 1, all others 0.

    ```
    training:   y = softmax((logits + g) / temperature),   g = -log(-log u),  u ~ U(0, 1)
                embedding = one_hot(argmax y) + y - sg[y]      (straight_through)
    inference:  embedding = one_hot(argmax logits)
    loss:       kl_weight * mean max(0, KL(softmax(logits) || prior) - free_bits log 2),  nats
    ```

    Args:
        num_groups: number of independent categorical variables per position; each has an equal part of
            the last axis, and the embedding is the concatenation of their one-hot vectors.
        temperature: float, or a `keras.optimizers.schedules.LearningRateSchedule` of the training steps,
            which are counted in a saved variable of the layer: a stock `fit` anneals it, and after
            loading the schedule continues. The current value is the variable `layer.temperature`, which a
            callback may assign.
        straight_through: whether to return the hard one-hot in training too; else the soft sample.
        estimator: the gradient of the drawn one-hot: `"gumbel"` (of `y` above), `"softmax"` (of
            `softmax(logits / temperature)`), or `"reinmax"` (second order: of `2 m - softmax(logits) /
            2`, with `m` halfway from those to the one-hot).
        kl_weight: weight of the KL to the prior (0: only measured).
        free_bits: number of bits per position that the KL term ignores.
        prior: `"uniform"`, or `"learned"`: trainable logits for each class of each group. They are
            learned from the KL, so `kl_weight` must be above 0 or the model must weight `layer.kl`
            itself.
        seed: seed of the Gumbel noise.

    Call arguments:
        x: logits `(batch, ..., num_groups * num_classes)`; `-inf` excludes a class.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.

    Output shape:
        embedding of the shape of `x`; codes int32 `(batch, ...)`, with several groups `(batch, ...,
        num_groups)`: the sampled class in training, the class of the largest logit otherwise.

    Metrics:
        `perplexity` and `usage` of the largest logits, `kl_loss` (summed over groups).

    Example:

    >>> layer = GumbelOneHot(temperature=0.5)
    >>> layer.encode(ops.array([[0.1, 2.0, -1.0]]))[0].numpy().item()
    1

    Reference:
        Jang et al., 2017, https://arxiv.org/abs/1611.01144; Maddison et al., 2017,
        https://arxiv.org/abs/1611.00712; Liu et al., 2023 (ReinMax),
        https://arxiv.org/abs/2304.08612.
    """

    def __init__(
        self,
        *,
        num_groups: int = 1,
        temperature: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        straight_through: bool = True,
        estimator: str = "gumbel",
        kl_weight: float = 0.0,
        free_bits: float = 0.0,
        prior: str = "uniform",
        seed: int | None = None,
        **kwargs: Any,
    ):
        check_estimator("GumbelOneHot", estimator, ESTIMATORS, straight_through, soft=("gumbel",))
        if num_groups < 1:
            raise ValueError(
                f"GumbelOneHot: num_groups must be at least 1. Received: num_groups={num_groups}"
            )
        super().__init__(
            temperature=temperature,
            straight_through=straight_through,
            kl_weight=kl_weight,
            free_bits=free_bits,
            prior=prior,
            seed=seed,
            **kwargs,
        )
        self.num_groups = num_groups
        self.estimator = estimator

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        size = input_shape[-1]
        if size is None:
            raise ValueError(
                "The logits of GumbelOneHot must have a known number of classes. "
                f"Received: shape={tuple(input_shape)}"
            )
        if size % self.num_groups:
            raise ValueError(
                "GumbelOneHot: the number of logits must be a multiple of num_groups. "
                f"Received: {size} logits, num_groups={self.num_groups}"
            )
        self.num_classes = size // self.num_groups
        self.track_codes(self.num_classes, self.num_groups)
        self.add_prior((self.num_groups, self.num_classes))
        super().build(input_shape)

    # Inference

    def assign_codes(self, x: Tensor) -> Tensor:
        # a NaN is never chosen: which one of several would be chosen depends on the device
        return self._join_codes(argmax(self._split(ops.where(ops.isnan(x), -math.inf, x))))

    def look_up(self, codes: Tensor) -> Tensor:
        codes = codes if self.num_groups > 1 else ops.expand_dims(codes, -1)
        return self._join(ops.one_hot(codes, self.num_classes, dtype="float32"))

    def margin(self, x: Tensor) -> Tensor:
        """Return the gap of the two largest logits relative to their size."""
        best = ops.top_k(self._split(ops.cast(x, "float32")), 2)[0]
        size = ops.maximum(ops.max(ops.abs(best), axis=-1), 1e-30)
        forbidden = best[..., 1] == -math.inf  # all other classes are excluded: the margin is full
        return self._join_codes(ops.where(forbidden, 1.0, (best[..., 0] - best[..., 1]) / size))

    # The distribution of the codes

    def divergence(self, x: Tensor, prior_logits: Tensor) -> Tensor:
        return ops.sum(categorical_kl(self._split(x), prior_logits), axis=-1)

    def code_log_prob(self, logits: Tensor, codes: Tensor) -> Tensor:
        one_hot = self._split(self.look_up(codes))
        return ops.sum(categorical_log_prob(self._split(logits), one_hot), axis=-1)

    def codes_of_noise(self, logits: Tensor, uniform: Tensor) -> Tensor:
        return self.assign_codes(logits + gumbel_of_uniform(uniform))

    # Training

    def train_call(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        temperature = self.annealing.next(advance=self.trainable)
        noisy = x + self._gumbel(ops.shape(x))
        codes = self.assign_codes(noisy)
        embedding = self._join(self._relaxed(self._split(x), self._split(noisy), codes, temperature))
        if self.straight_through:
            embedding = straight_through(embedding, self.look_up(codes))
        self.observe(x, embedding, self.assign_codes(x), weights)
        return embedding, codes

    def _relaxed(self, x, noisy, codes, temperature):
        """Return the relaxed embedding that provides the gradient, `(..., groups, classes)`."""
        if self.estimator == "gumbel":
            return ops.softmax(noisy / temperature, axis=-1)
        if self.estimator == "softmax":
            return ops.softmax(x / temperature, axis=-1)
        one_hot = self._split(self.look_up(codes))
        middle = ops.stop_gradient((one_hot + ops.softmax(x / temperature, axis=-1)) / 2)
        # the softmax whose value is `middle`, with a gradient to the logits; log 0 is kept finite
        finite = ops.where(ops.abs(x) == math.inf, 0.0, x)
        middle = ops.softmax(ops.stop_gradient(ops.log(middle + 1e-20) - finite) + finite, axis=-1)
        return 2 * middle - ops.softmax(x, axis=-1) / 2

    def observe(self, x: Tensor, embedding: Tensor | None, codes: Tensor, weights: Tensor | None) -> None:
        kl, weighted = self.weighted_kl(x, weights)
        flat = ops.reshape(codes, (-1, self.num_groups))
        self.record_counts(count_codes(flat, flatten_weights(weights, x), self.num_classes))
        self.record_terms({"kl_loss": kl}, weighted)

    # Parts

    def _gumbel(self, shape):
        return gumbel_of_uniform(self.uniform(shape))

    def _split(self, x):
        """Reshape `(..., groups * classes)` to `(..., groups, classes)`."""
        return ops.reshape(x, (*ops.shape(x)[:-1], self.num_groups, self.num_classes))

    def _join(self, x):
        return ops.reshape(x, (*ops.shape(x)[:-2], self.num_groups * self.num_classes))

    def _join_codes(self, codes):
        return codes if self.num_groups > 1 else codes[..., 0]

    def codes_per_position(self) -> int | None:
        return self.num_groups if self.num_groups > 1 else None

    def code_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape[:-1] if self.num_groups == 1 else (*shape[:-1], self.num_groups)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_groups": self.num_groups, "estimator": self.estimator}


def gumbel_of_uniform(uniform: Tensor) -> Tensor:
    """Return Gumbel noise `-log(-log u)` from uniform noise inside of (0, 1)."""
    return -ops.log(-ops.log(uniform))
