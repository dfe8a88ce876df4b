"""Recipe of the plain auto-encoder."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.models import AutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


@dataclass(frozen=True, kw_only=True)
class AutoEncoderRecipe(ImageRecipe):
    """Convolutional auto-encoder with a vector as embedding."""

    name: ClassVar[str] = "autoencoder"
    summary: ClassVar[str] = "a vector as embedding, no bottleneck but its size"

    latent_dim: int = 16
    """Dimension of the embedding."""

    def build_model(self, data: ImageData, training_steps: int) -> AutoEncoder:
        settings = {**self.network_settings(), "flatten": True}
        encoder = image_encoder(data.image_shape, self.latent_dim, **settings, noise=self.noise)
        return AutoEncoder(encoder, image_decoder(data.image_shape, self.latent_dim, **settings))
