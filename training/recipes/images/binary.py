"""Recipe of the binary auto-encoder."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.layers import BinaryBottleneck
from keras_ae.models import AutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


@dataclass(frozen=True, kw_only=True)
class BinaryRecipe(ImageRecipe):
    """Binary auto-encoder: a grid of bits."""

    name: ClassVar[str] = "binary"
    summary: ClassVar[str] = "a grid of bits; new combinations still mean something"

    bits: int = 6
    """Number of bits per position."""
    stochastic: bool = False
    """Whether to sample the bits in training instead of thresholding at 0.5."""
    kl_weight: float = 0.0
    """Weight of the KL to Bernoulli(0.5)."""

    def build_model(self, data: ImageData, training_steps: int) -> AutoEncoder:
        settings = self.network_settings()
        bits = BinaryBottleneck(stochastic=self.stochastic, kl_weight=self.kl_weight, seed=self.seed)
        encoder = image_encoder(data.image_shape, self.bits, **settings, noise=self.noise)
        return AutoEncoder(encoder, image_decoder(data.image_shape, self.bits, **settings), bits)
