"""Variational auto-encoder with a Gaussian posterior."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import require
from keras_ae.layers.bottlenecks.gaussian_bottleneck import GaussianBottleneck
from keras_ae.layers.tables.table_likelihood import TableLikelihood
from keras_ae.losses.divergences import LIKELIHOODS, log_likelihood_of
from keras_ae.models._input_rules import likelihood_bounds
from keras_ae.models.auto_encoder import AutoEncoder
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import Tensor, where_counted
from keras_ae.ops.sequences import (
    call_masked,
    code_lengths,
    combine,
    crop,
    input_mask,
    mask_of,
    sum_per_example,
    unpack_inputs,
)
from keras_ae.ops.terms import mean_term, scalars, take_losses


@keras.saving.register_keras_serializable(package="keras_ae")
class VariationalAutoEncoder(AutoEncoder):
    """Variational auto-encoder, trained on the negative evidence lower bound in nats per example.

    ```
    loss = -E_q(z|x) log p(x|z) + beta * KL(q(z|x) || N(0, I)),   q(z|x) = N(mean, exp(log_variance))
    ```

    Both terms are summed over elements and averaged over examples, with one sample of `z`, also in
    validation, where the noise is the same each time. `encode` returns the mean. The posterior is computed
    by a `layers.GaussianBottleneck`, whose log-variance is bounded.

    Args:
        encoder: any `keras.Model` that returns features.
        decoder: any `keras.Model` from `(batch, latent_dim)` to the parameters of the
            likelihood, in the shape of the input.
        latent_dim: size of `z`.
        beta: weight of the KL, or a `keras.optimizers.schedules.LearningRateSchedule` of
            the training steps for a warm-up, counted in a saved variable.
        likelihood: `"bernoulli"` (the decoder returns logits; `x` in [0, 1]) or
            `"gaussian"` (it returns the mean), or `layers.TableLikelihood` for the rows of a table, where
            missing values do not count.
        observation_scale: standard deviation of the Gaussian likelihood.
        seed: seed of the samples of `z`.

    Metrics:
        `loss`, `reconstruction_loss`, `kl_loss`, in nats per example.

    Raises:
        ImportError: at the first training step, without TensorFlow Probability, except for tables.

    Example:

    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, "relu")])
    >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
    >>> VariationalAutoEncoder(encoder, decoder, 2).encode(ops.ones((3, 8))).shape
    TensorShape([3, 2])

    Reference:
        Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114.
    """

    likelihood_names = LIKELIHOODS

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        latent_dim: int,
        *,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        likelihood: str | TableLikelihood = "bernoulli",
        observation_scale: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        posterior = GaussianBottleneck(latent_dim, beta=beta, seed=seed)
        super().__init__(encoder, decoder, posterior, likelihood=likelihood, **kwargs)
        self.latent_dim = latent_dim
        self.observation_scale = observation_scale

    def target_bounds(self) -> dict[str, Any]:
        return likelihood_bounds(self.likelihood)

    def posterior(self, x: Any) -> Any:
        """Return `q(z|x)` as a TensorFlow Probability distribution, `(batch, ..., latent_dim)`."""
        mean, log_variance = self.bottleneck.parameters(self.features(self.checked_inputs(x)))
        return _distributions().Normal(mean, ops.exp(0.5 * log_variance))

    def observation(self, parameters: Tensor) -> Any:
        """Return `p(x|z)` for the decoder's output, one distribution per element."""
        parameters = ops.cast(parameters, "float32")
        if self.table is not None:
            return self.table.distribution(parameters)
        if self.likelihood == "bernoulli":
            return _distributions().Bernoulli(logits=parameters)
        return _distributions().Normal(parameters, self.observation_scale)

    def score(self, x: Any, noise: Tensor | None = None) -> Tensor:
        """Return the negative evidence lower bound `-log p(x|z) + KL(q(z|x) || N(0, I))`, nats: `(batch,)`.

        It is the bound with `beta=1`, also in training: the larger, the less likely `x` is for the model.

        Args:
            x: as in `encode`.
            noise: standard normal `(batch, ..., latent_dim)`, with
                `z = mean + exp(log_variance / 2) noise`; `None`: `z` is the mean, as in the endpoint
                `score`.
        """
        values, lengths = unpack_inputs(self.checked_inputs(x))
        values = ops.cast(values, "float32")
        features = self.features(values, lengths)
        z, log_variance = self.bottleneck.parameters(features)
        if noise is not None:
            z = z + ops.exp(0.5 * log_variance) * ops.cast(noise, "float32")
        z = ops.cast(z, self.bottleneck.compute_dtype)
        parameters = ops.cast(self.decoded_parameters(z, code_lengths(features)), "float32")
        settings = (crop(parameters, values), self.observation_scale)
        log_likelihood = log_likelihood_of(self.likelihood, values, *settings)
        kl = self.bottleneck.kl(features, mask_of(features))
        return kl - sum_per_example(log_likelihood, input_mask(values, lengths))

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        features = call_masked(self.encoder, values, mask, training)
        added = take_losses(self.encoder)
        weighting = self._weighting(features, sample_weight)
        z = self.bottleneck(features, training=training, sample=True, **weighting)
        added += take_losses(self.bottleneck)
        parameters = call_masked(self.decoder, z, mask_of(z), training)
        added += take_losses(self.decoder)
        target, mask = self.target_of(ops.cast(values if y is None else y, "float32"), mask)
        target = where_counted(target, mask)
        parameters = crop(parameters, target)
        self.observe_reconstruction(target, self._mean(parameters), combine(mask, sample_weight))
        log_likelihood = self.observation(parameters).log_prob(target)
        reconstruction = -mean_term(sum_per_example(log_likelihood, mask), sample_weight)
        further, terms = self.code_terms(features, z, sample_weight)
        loss = reconstruction + added + further
        return scalars({"loss": loss, "reconstruction_loss": reconstruction, **terms})

    def code_terms(
        self, features: Tensor, z: Tensor, sample_weight: Tensor | None
    ) -> tuple[Any, dict[str, Any]]:
        """Return `(loss, {name: term})` for further terms of `z`; to be overridden by subclasses."""
        return 0.0, {}

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `AutoEncoder` and `sample`, from noise `(batch, ..., latent_dim)`."""
        specs = {
            name: spec if name == "code_lengths" else tf.TensorSpec(spec.shape, spec.dtype, name="noise")
            for name, spec in self.code_specs().items()
        }
        specs = {spec.name: spec for spec in specs.values()}
        return {**super().endpoints(), "sample": Endpoint(self._sample_endpoint, specs)}

    def _sample_endpoint(self, noise, code_lengths=None):
        return {"reconstruction": self.decode(noise, code_lengths)}

    def _mean(self, parameters):
        return ops.sigmoid(parameters) if self.likelihood == "bernoulli" else super()._mean(parameters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("bottleneck")
        config.pop("reconstruction_loss")
        return {
            **config,
            "latent_dim": self.latent_dim,
            "beta": self.bottleneck.warm_up.get_value_config(),
            "observation_scale": self.observation_scale,
            "seed": self.bottleneck.seed,
        }


def _distributions():
    return require("tensorflow_probability", extra="distributions").distributions
