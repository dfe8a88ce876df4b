"""Recipe of the plain auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class AutoEncoderRecipe(ImageRecipe):
    """Convolutional auto-encoder with a vector as embedding."""

    name: ClassVar[str] = "autoencoder"
    summary: ClassVar[str] = "a vector as embedding, no bottleneck but its size"

    latent_dim: int = 16
    """Dimension of the embedding."""

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        from keras_ae import models, networks

        settings = {**self.network_settings(), "flatten": True}
        encoder = networks.image_encoder(data.image_shape, self.latent_dim, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, self.latent_dim, **settings)
        )
