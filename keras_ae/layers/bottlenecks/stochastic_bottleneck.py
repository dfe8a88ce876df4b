"""Base class of the bottlenecks whose logits are a distribution over codes."""

import math
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_ae.layers.base import ScheduledVariable
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.ops.terms import LossTerm, mean_term

OPEN_INTERVAL = (1e-7, 1.0 - 1e-7)  # bounds of uniform noise whose logarithms are finite in float32


class StochasticBottleneck(Bottleneck):
    """Base class of the bottlenecks whose input is the logits of `q(codes | x)`.

    The distribution is public, for models that sample from it and for gradient estimators: `kl(x)`,
    `log_prob(x, codes)`, `draw(x)`; and so is the prior, `p(codes)`: `prior_log_prob(codes)`,
    `draw_prior(shape)`.

    A subclass implements the three functions below on float32 tensors, and calls `add_prior(shape)` when it
    is built:

    - `divergence(x, prior_logits)` -> KL, `(batch, ...)`;
    - `code_log_prob(logits, codes)` -> log-probability, `(batch, ...)`;
    - `codes_of_noise(logits, uniform)` -> the codes that follow from uniform noise of the shape of the
      logits.
    """

    def __init__(
        self,
        *,
        temperature: float | keras.optimizers.schedules.LearningRateSchedule,
        straight_through: bool,
        kl_weight: float,
        free_bits: float,
        prior: str,
        seed: int | None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if prior not in ("uniform", "learned"):
            raise ValueError(f"prior must be 'uniform' or 'learned'. Received: prior={prior!r}")
        if free_bits < 0:
            raise ValueError(f"free_bits must be at least 0. Received: free_bits={free_bits!r}")
        self.straight_through = straight_through
        self.kl_weight = kl_weight
        self.free_bits = free_bits
        self.prior = prior
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.annealing = ScheduledVariable(temperature, name="temperature", positive=True)
        self.track_term("kl_loss")

    @property
    def temperature(self) -> keras.Variable:
        """Variable that holds the current temperature."""
        return self.annealing.variable

    def add_prior(self, shape: tuple[int, ...]) -> None:
        """Create `prior_logits`: zeros, and trainable if the prior is learned."""
        if self.prior == "uniform":
            self.prior_logits = np.zeros(shape, "float32")
        else:
            self.prior_logits = self.add_weight(
                name="prior_logits", shape=shape, initializer="zeros", dtype="float32", autocast=False
            )

    def kl(self, x: Any) -> Any:
        """Return `KL(q(codes | x) || p(codes))` of each position in nats, `(batch, ...)`."""
        x = ops.cast(x, "float32")
        return self.divergence(x, ops.convert_to_tensor(self.prior_logits))

    def log_prob(self, x: Any, codes: Any) -> Any:
        """Return `log q(codes | x)` of each position in nats, `(batch, ...)`."""
        return self.code_log_prob(ops.cast(x, "float32"), self.codes_in_range(codes))

    def draw(self, x: Any, seed: keras.random.SeedGenerator | int | None = None) -> Any:
        """Draw codes from `q(codes | x)`, int32; `seed=None`: by the layer's generator, as in training."""
        x = ops.cast(x, "float32")
        return self.codes_of_noise(x, self.uniform(ops.shape(x), seed))

    def prior_log_prob(self, codes: Any) -> Any:
        """Return `log p(codes)` of each position in nats."""
        return self.code_log_prob(self._flat_prior(), self.codes_in_range(codes))

    def draw_prior(
        self,
        shape: tuple[int, ...],
        seed: keras.random.SeedGenerator | int | None = None,
        temperature: float = 1.0,
    ) -> Any:
        """Draw prior codes for positions of this shape, `(batch, ...)`, int32; `seed` as in `draw`.

        The prior's logits are divided by `temperature`, which does not change a uniform prior.
        """
        uniform = self.uniform((*shape, self._flat_prior().shape[-1]), seed)
        return self.prior_codes(uniform, temperature)

    def prior_codes(self, uniform: Any, temperature: float = 1.0) -> Any:
        """Return codes of the prior from noise `(batch, ..., features)`, uniform in (0, 1)."""
        uniform = ops.clip(ops.cast(uniform, "float32"), *OPEN_INTERVAL)
        return self.codes_of_noise(self._flat_prior() / temperature + ops.zeros_like(uniform), uniform)

    def uniform(self, shape: tuple[Any, ...], seed: keras.random.SeedGenerator | int | None = None) -> Any:
        """Return float32 noise strictly inside of (0, 1), so that its logarithms are finite."""
        seed = self.seed_generator if seed is None else seed
        return keras.random.uniform(shape, *OPEN_INTERVAL, dtype="float32", seed=seed)

    def weighted_kl(self, x: Any, weights: Any | None) -> tuple[LossTerm, LossTerm | None]:
        """Return `(mean KL, trained part)`: the trained part is the KL beyond the free bits."""
        kl = self.kl(x)
        mean = mean_term(kl, weights)
        if not self.kl_weight:
            return mean, None
        if self.free_bits:
            excess = ops.relu(kl - self.free_bits * math.log(2.0))
            return mean, self.kl_weight * mean_term(excess, weights)
        return mean, self.kl_weight * mean

    def position_losses(self, x: Any) -> Any | None:
        if self.kl_weight:
            return self.kl_weight * ops.relu(self.kl(x) - self.free_bits * math.log(2.0))
        return None

    def _flat_prior(self):
        return ops.reshape(ops.convert_to_tensor(self.prior_logits), (-1,))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "temperature": self.annealing.get_value_config(),
            "straight_through": self.straight_through,
            "kl_weight": self.kl_weight,
            "free_bits": self.free_bits,
            "prior": self.prior,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{**config, "temperature": ScheduledVariable.value_from_config(config["temperature"])})


def check_estimator(
    name: str, estimator: str, allowed: tuple[str, ...], straight_through: bool, soft: tuple[str, ...]
) -> None:
    """Raise a `ValueError` for an unknown estimator, or for soft samples of an estimator without any."""
    if estimator not in allowed:
        raise ValueError(f"{name}: estimator must be one of {allowed}. Received: estimator={estimator!r}")
    if not straight_through and estimator not in soft:
        raise ValueError(
            f"{name}: estimator must be one of {soft} with straight_through=False, because the others have "
            f"no soft samples. Received: estimator={estimator!r}, straight_through=False"
        )
