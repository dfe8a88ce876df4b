"""Recipe of the residual vector-quantised auto-encoder."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.layers import ResidualVectorQuantizer
from keras_ae.models import AutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


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

    def build_model(self, data: ImageData, training_steps: int) -> AutoEncoder:
        settings = self.network_settings()
        quantizer = ResidualVectorQuantizer(
            self.num_embeddings,
            self.num_levels,
            commitment_cost=self.commitment_cost,
            quantizer_dropout=self.quantizer_dropout,
            seed=self.seed,
        )
        encoder = image_encoder(data.image_shape, self.embedding_dim, **settings, noise=self.noise)
        return AutoEncoder(
            encoder, image_decoder(data.image_shape, self.embedding_dim, **settings), quantizer
        )
