"""Recipe of the residual vector-quantised auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class ResidualVqVaeRecipe(ImageRecipe):
    """Residual VQ-VAE: codes from coarse to fine, each level quantises the residual of the previous one."""

    name: ClassVar[str] = "residual-vqvae"
    summary: ClassVar[str] = "a grid of sums of codes, coarse to fine"

    num_embeddings: int = 8
    """Size of the codebook of each level: 8 codes are 3 bits."""
    num_levels: int = 2
    """Number of codes per position."""
    embedding_dim: int = 16
    """Dimension of each code vector."""
    commitment_cost: float = 0.25
    """Weight of the commitment loss."""
    quantizer_dropout: float = 0.0
    """Fraction of the training images for which a random number of the last levels is dropped."""

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        from keras_ae import layers, models, networks

        settings = self.network_settings()
        quantizer = layers.ResidualVectorQuantizer(
            self.num_embeddings,
            self.num_levels,
            commitment_cost=self.commitment_cost,
            quantizer_dropout=self.quantizer_dropout,
            seed=self.seed,
        )
        encoder = networks.image_encoder(data.image_shape, self.embedding_dim, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, self.embedding_dim, **settings), quantizer
        )
