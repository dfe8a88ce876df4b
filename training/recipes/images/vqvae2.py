"""Recipe of the two-level vector-quantised auto-encoder."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.layers import VectorQuantizer
from keras_ae.models import TwoLevelAutoEncoder
from keras_ae.networks import two_level_networks
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


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

    def build_model(self, data: ImageData, training_steps: int) -> TwoLevelAutoEncoder:
        networks = two_level_networks(
            data.image_shape, self.embedding_dim, **self.network_settings(), noise=self.noise
        )
        return TwoLevelAutoEncoder(
            **networks, top_bottleneck=self._quantizer("top"), bottom_bottleneck=self._quantizer("bottom")
        )

    def _quantizer(self, name):
        return VectorQuantizer(
            self.num_embeddings,
            commitment_cost=self.commitment_cost,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=name,
        )
