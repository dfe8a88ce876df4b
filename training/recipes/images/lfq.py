"""Recipe of the auto-encoder with lookup-free quantisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class LfqRecipe(ImageRecipe):
    """Auto-encoder with lookup-free quantisation: codes of signs, kept in use by an entropy loss."""

    name: ClassVar[str] = "lfq"
    summary: ClassVar[str] = "a grid of codes without a codebook: the signs of a few channels"

    bits: int = 6
    """Number of bits per position, one per channel."""
    entropy_weight: float = 0.02
    """Weight of the entropy of each code, which is minimised."""
    diversity_weight: float = 0.02
    """Weight of the entropy of the mean code, which is maximised."""
    commitment_cost: float = 0.02
    """Weight of the commitment loss."""

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        from keras_ae import layers, models, networks

        settings = self.network_settings()
        quantizer = layers.LookupFreeQuantizer(
            self.bits,
            entropy_weight=self.entropy_weight,
            diversity_weight=self.diversity_weight,
            commitment_cost=self.commitment_cost,
        )
        encoder = networks.image_encoder(data.image_shape, self.bits, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, self.bits, **settings), quantizer
        )
