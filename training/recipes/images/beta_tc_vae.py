"""Recipe of the beta-TC-VAE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from keras_ae.training.recipes.images.vae import VaeRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class BetaTcVaeRecipe(VaeRecipe):
    """Variational auto-encoder with a larger weight of the total correlation (Chen et al., 2018)."""

    name: ClassVar[str] = "beta-tc-vae"
    summary: ClassVar[str] = "a Gaussian embedding of independent dimensions, by a total correlation penalty"

    latent_dim: int = 10
    """Dimension of the embedding."""
    total_correlation_weight: float = 6.0
    """Weight of the total correlation; the other parts of the KL have weight 1."""
    sampling: Literal["weighted", "stratified"] = "weighted"
    """Estimator of the aggregate posterior from a batch."""
    decoder: Literal["broadcast", "transposed"] = "broadcast"
    """Decoder: spatial broadcast (separates positions earliest), or transposed convolutions as in vae."""

    def build_model(
        self, data: ImageData, training_steps: int
    ) -> models.TotalCorrelationVariationalAutoEncoder:
        from keras_ae import models, networks

        options = self.model_options(data, training_steps)
        settings = {**self.network_settings(), "flatten": True, "num_labels": options["num_labels"]}
        return models.TotalCorrelationVariationalAutoEncoder(
            networks.image_encoder(data.image_shape, 4 * self.latent_dim, **settings),
            self._decoder(data.image_shape, settings),
            self.latent_dim,
            # number of training images, if the last batch is full
            dataset_size=training_steps // self.epochs * self.batch_size,
            total_correlation_weight=self.total_correlation_weight,
            sampling=self.sampling,
            **options,
        )

    def _decoder(self, image_shape, settings):
        from keras_ae import networks

        if self.decoder == "transposed":
            return networks.image_decoder(image_shape, self.latent_dim, **settings)
        given = {"filters": self.filters, "num_labels": settings["num_labels"]}
        return networks.spatial_broadcast_decoder(image_shape, self.latent_dim, **given)
