"""Gaussian bottleneck: a sampled embedding with a KL penalty to the prior."""

from typing import Any, Self

import keras
from keras import ops

from keras_ae.layers.base import Float32Dense, Float32Layer, NamedMetrics, ScheduledVariable
from keras_ae.layers.bottlenecks.bottleneck import position_weights
from keras_ae.losses.divergences import gaussian_kl
from keras_ae.losses.variational import free_bits_kl
from keras_ae.ops.core import Tensor, finite_padding, is_exporting, is_recording, where_counted
from keras_ae.ops.terms import LossTerm, TermMean, mean_term

LOG_VARIANCE_BOUND = 10.0  # standard deviations from 0.007 to 148: exp is finite in every dtype


@keras.saving.register_keras_serializable(package="keras_ae")
class GaussianBottleneck(NamedMetrics, Float32Layer):
    """Gaussian bottleneck of a VAE: a sample in training, the mean otherwise.

    ```
    mean = W x + b,   log_variance = 10 tanh((V x + c) / 10)
    z    = mean + exp(log_variance / 2) * noise
    loss = beta * mean over examples of KL(N(mean, exp(log_variance)) || N(0, I)),  nats
    loss = beta * sum_d max(free_bits, mean over examples of KL_d),  nats,  with free_bits > 0
    ```

    Free bits keep dimensions in use that the KL would push to the prior at the beginning of the training.
    `KL_d` is summed over positions, and its mean is that of the batch, under replicas of the global batch.

    Args:
        latent_dim: size of `z`.
        beta: weight of the KL, or a `keras.optimizers.schedules.LearningRateSchedule` of the training
            steps (KL warm-up), which are counted in a saved variable. The current value is the variable
            `layer.beta`, which a callback may assign.
        free_bits: smallest cost of each dimension, in nats.
        seed: seed of the noise.

    Call arguments:
        x: `(batch, ..., features)`.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        sample: whether to sample `z`; `None`: as `training`.
        sample_weight: `(batch,)`, the weight of each example in the KL.

    Output shape:
        `(batch, ..., latent_dim)`.

    Metrics:
        `kl_loss` in nats, summed over positions and dimensions, mean over examples, without `free_bits`.

    Raises:
        ValueError: `free_bits` is negative.

    Reference:
        Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114; Kingma et al., 2016 (free bits),
        https://arxiv.org/abs/1606.04934.
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not free_bits >= 0:
            raise ValueError(f"free_bits must be at least 0. Received: free_bits={free_bits}")
        self.latent_dim = latent_dim
        self.free_bits = free_bits
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.warm_up = ScheduledVariable(beta, name="beta")
        # float32: half precision would lose the bits of the variance that determine the KL
        self.mean_map = Float32Dense(latent_dim, name="mean")
        self.log_variance_map = Float32Dense(latent_dim, name="log_variance")
        self.kl_metric = TermMean(name=self.metric_name("kl_loss"))

    def named_metrics(self) -> dict[str, keras.metrics.Metric]:
        return {"kl_loss": self.kl_metric}

    @property
    def beta(self) -> keras.Variable:
        """Variable that holds the current weight of the KL."""
        return self.warm_up.variable

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.mean_map.build(input_shape)
        self.log_variance_map.build(input_shape)
        super().build(input_shape)

    def parameters(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(mean, log_variance)` of the posterior, float32 `(batch, ..., latent_dim)`."""
        x = ops.cast(x, "float32")
        raw = self.log_variance_map(x)
        return self.mean_map(x), LOG_VARIANCE_BOUND * ops.tanh(raw / LOG_VARIANCE_BOUND)

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
        sample: bool | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        self.tell_metrics_apart()
        mean, log_variance = self.parameters(finite_padding(x, position_weights(x, mask, sample_weight)))
        beta = self.warm_up.next(advance=bool(training) and self.trainable)
        if not is_exporting():
            kl = self._kl(mean, log_variance, mask, sample_weight)
            if is_recording():
                self.kl_metric.update_state(kl)
            if self.free_bits:
                dimensions = self._kl_of_dimensions(mean, log_variance, mask)
                kl = LossTerm.of(free_bits_kl(dimensions, self.free_bits, sample_weight))
            self.add_loss((beta * kl).value)
        z = self.draw(mean, log_variance) if (training if sample is None else sample) else mean
        return ops.cast(z, self.compute_dtype)

    def draw(
        self, mean: Tensor, log_variance: Tensor, seed_generator: keras.random.SeedGenerator | None = None
    ) -> Tensor:
        """Return one sample of `N(mean, exp(log_variance))`, float32; `None`: the noise of the training."""
        seed = self.seed_generator if seed_generator is None else seed_generator
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        return mean + ops.exp(0.5 * log_variance) * noise

    def kl(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `KL(q(z|x) || N(0, I))` of each example, nats, summed over real positions: `(batch,)`."""
        return self._kl_of(*self.parameters(x), mask)

    def draw_prior(
        self,
        shape: tuple[int, ...],
        seed: keras.random.SeedGenerator | int | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Draw `z` from `N(0, temperature^2 I)` for positions of this shape, `(*shape, latent_dim)`.

        `seed=None`: by the layer's generator, as in training.
        """
        seed = self.seed_generator if seed is None else seed
        noise = keras.random.normal((*shape, self.latent_dim), dtype="float32", seed=seed)
        return ops.cast(temperature * noise, self.compute_dtype)

    def example_losses(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss of each example, `beta * KL`, without `free_bits`: `(batch,)`."""
        return ops.convert_to_tensor(self.beta) * self.kl(x, mask)

    def _kl_of(self, mean, log_variance, mask):
        kl = where_counted(ops.sum(gaussian_kl(mean, log_variance), axis=-1), mask)
        return ops.sum(ops.reshape(kl, (ops.shape(kl)[0], -1)), axis=1)

    def _kl(self, mean, log_variance, mask, sample_weight):
        return mean_term(self._kl_of(mean, log_variance, mask), sample_weight)

    def _kl_of_dimensions(self, mean, log_variance, mask):
        """Return the KL summed over positions, `(batch, latent_dim)`."""
        kl = where_counted(gaussian_kl(mean, log_variance), mask)
        return ops.sum(ops.reshape(kl, (ops.shape(kl)[0], -1, self.latent_dim)), axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.latent_dim)

    def compute_output_spec(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
        sample: bool | None = None,
        sample_weight: Tensor | None = None,
    ) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        beta = self.warm_up.get_value_config()
        settings = {"latent_dim": self.latent_dim, "free_bits": self.free_bits, "seed": self.seed}
        return {**super().get_config(), **settings, "beta": beta}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{**config, "beta": ScheduledVariable.value_from_config(config["beta"])})
