"""Gaussian bottleneck: a sampled embedding with a KL penalty to the prior."""

from typing import Any, Self

import keras
from keras import ops

from keras_ae.layers.base import Float32Dense, Float32Layer, NamedMetrics, ScheduledVariable
from keras_ae.layers.bottlenecks.bottleneck import position_weights
from keras_ae.losses.divergences import gaussian_kl
from keras_ae.ops.core import Tensor, finite_padding, is_exporting, is_recording, where_counted
from keras_ae.ops.terms import TermMean, mean_term

LOG_VARIANCE_BOUND = 10.0  # standard deviations from 0.007 to 148: exp is finite in every dtype


@keras.saving.register_keras_serializable(package="keras_ae")
class GaussianBottleneck(NamedMetrics, Float32Layer):
    """Gaussian bottleneck of a VAE: a sample in training, the mean otherwise.

    ```
    mean = W x + b,   log_variance = 10 tanh((V x + c) / 10)
    z    = mean + exp(log_variance / 2) * noise
    loss = beta * mean over examples of KL(N(mean, exp(log_variance)) || N(0, I)),  nats
    ```

    Args:
        latent_dim: size of `z`.
        beta: weight of the KL, or a `keras.optimizers.schedules.LearningRateSchedule` of the training
            steps (KL warm-up), which are counted in a saved variable. The current value is the variable
            `layer.beta`, which a callback may assign.
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
        `kl_loss` in nats, summed over positions and dimensions, mean over examples.

    Reference:
        Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114.
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
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
            self.add_loss((beta * kl).value)
        z = self._sample(mean, log_variance) if (training if sample is None else sample) else mean
        return ops.cast(z, self.compute_dtype)

    def kl(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `KL(q(z|x) || N(0, I))` of each example, nats, summed over real positions: `(batch,)`."""
        return self._kl_of(*self.parameters(x), mask)

    def example_losses(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss of each example, `beta * KL`: `(batch,)`."""
        return ops.convert_to_tensor(self.beta) * self.kl(x, mask)

    def _kl_of(self, mean, log_variance, mask):
        kl = where_counted(ops.sum(gaussian_kl(mean, log_variance), axis=-1), mask)
        return ops.sum(ops.reshape(kl, (ops.shape(kl)[0], -1)), axis=1)

    def _kl(self, mean, log_variance, mask, sample_weight):
        return mean_term(self._kl_of(mean, log_variance, mask), sample_weight)

    def _sample(self, mean, log_variance):
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise

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
        return {**super().get_config(), "latent_dim": self.latent_dim, "beta": beta, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{**config, "beta": ScheduledVariable.value_from_config(config["beta"])})
