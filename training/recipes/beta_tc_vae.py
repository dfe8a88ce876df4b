"""The beta-TC-VAE."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import keras

from keras_ae.models import TotalCorrelationVariationalAutoEncoder
from keras_ae.networks import image_decoder, image_encoder, spatial_broadcast_decoder
from keras_ae.training.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class BetaTcVaeRecipe(Recipe):
    """Variational auto-encoder with a heavier total correlation (Chen et al., 2018)."""

    name: ClassVar[str] = "beta-tc-vae"
    summary: ClassVar[str] = "a Gaussian embedding of independent dimensions, by its total correlation"
    monitor: ClassVar[str] = "val_loss"

    latent_dim: int = 10
    """Size of the embedding."""
    total_correlation_weight: float = 6.0
    """Weight of the total correlation; the other parts of the KL have 1."""
    beta: float = 1.0
    """Weight of the whole KL after its warm-up."""
    sampling: Literal["weighted", "stratified"] = "weighted"
    """How the aggregate posterior is estimated from a batch."""
    warm_up: float = 0.1
    """Share of the training steps over which the weight of the whole KL rises from 0."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Of the pixels, which lie in [0, 1]."""
    decoder: Literal["broadcast", "transposed"] = "broadcast"
    """Point by point (positions come apart soonest), or transposed convolutions as in the recipe vae."""

    def build_model(self, image_shape, training_steps):
        settings = {**self.network_settings(), "flatten": True}
        beta = self.beta
        if self.warm_up > 0:
            steps = max(1, round(self.warm_up * training_steps))
            beta = keras.optimizers.schedules.PolynomialDecay(0.0, steps, end_learning_rate=self.beta)
        return TotalCorrelationVariationalAutoEncoder(
            image_encoder(image_shape, 4 * self.latent_dim, **settings),
            self._decoder(image_shape, settings),
            self.latent_dim,
            # training images, but for the batch that may be short
            dataset_size=training_steps // self.epochs * self.batch_size,
            total_correlation_weight=self.total_correlation_weight,
            sampling=self.sampling,
            beta=beta,
            likelihood=self.likelihood,
            seed=self.seed,
        )

    def _decoder(self, image_shape, settings):
        if self.decoder == "transposed":
            return image_decoder(image_shape, self.latent_dim, **settings)
        return spatial_broadcast_decoder(image_shape, self.latent_dim, filters=self.filters)
