"""Recipe of the two-level vector-quantised auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class VqVae2Recipe(ImageRecipe):
    """VQ-VAE-2: a coarse grid of codes for the global structure and a fine grid for the details."""

    name: ClassVar[str] = "vqvae2"
    summary: ClassVar[str] = "two grids of codes, a coarse one and a fine one"

    num_embeddings: int = 64
    """Size of each of the two codebooks."""
    embedding_dim: int = 16
    """Dimension of each code vector."""
    commitment_cost: float = 0.25
    """Weight of the commitment loss."""
    ema_decay: float = 0.99
    """Decay of the running means that define the codebooks."""

    def build_model(self, data: ImageData, training_steps: int) -> models.TwoLevelAutoEncoder:
        from keras_ae import models, networks

        parts = networks.two_level_networks(
            data.image_shape, self.embedding_dim, **self.network_settings(), noise=self.noise
        )
        return models.TwoLevelAutoEncoder(
            **parts, top_bottleneck=self._quantizer("top"), bottom_bottleneck=self._quantizer("bottom")
        )

    def _quantizer(self, name):
        from keras_ae import layers

        return layers.VectorQuantizer(
            self.num_embeddings,
            commitment_cost=self.commitment_cost,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=name,
        )
