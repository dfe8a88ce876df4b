"""Recipe of the binary auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


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

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        from keras_ae import layers, models, networks

        settings = self.network_settings()
        bits = layers.BinaryBottleneck(stochastic=self.stochastic, kl_weight=self.kl_weight, seed=self.seed)
        encoder = networks.image_encoder(data.image_shape, self.bits, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, self.bits, **settings), bits
        )
