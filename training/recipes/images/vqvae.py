"""Recipe of the vector-quantised auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class VqVaeRecipe(ImageRecipe):
    """VQ-VAE: a grid of codes, each the nearest vector of a learned codebook."""

    name: ClassVar[str] = "vqvae"
    summary: ClassVar[str] = "a grid of codes from a learned codebook"

    num_embeddings: int = 64
    """Size of the codebook: 64 codes are 6 bits per position."""
    embedding_dim: int = 16
    """Dimension of each code vector."""
    commitment_cost: float = 0.25
    """Weight of the commitment loss."""
    ema_decay: float = 0.99
    """Decay of the running means that define the codebook."""
    distance: Literal["euclidean", "cosine"] = "euclidean"
    """Distance by which the nearest code is chosen."""

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        from keras_ae import layers, models, networks

        settings = self.network_settings()
        quantizer = layers.VectorQuantizer(
            self.num_embeddings,
            commitment_cost=self.commitment_cost,
            ema_decay=self.ema_decay,
            distance=self.distance,
            seed=self.seed,
        )
        encoder = networks.image_encoder(data.image_shape, self.embedding_dim, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, self.embedding_dim, **settings), quantizer
        )
