"""Recipe of the auto-encoder with lookup-free quantisation."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.layers import LookupFreeQuantizer
from keras_ae.models import AutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


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

    def build_model(self, data: ImageData, training_steps: int) -> AutoEncoder:
        settings = self.network_settings()
        quantizer = LookupFreeQuantizer(
            self.bits,
            entropy_weight=self.entropy_weight,
            diversity_weight=self.diversity_weight,
            commitment_cost=self.commitment_cost,
        )
        encoder = image_encoder(data.image_shape, self.bits, **settings, noise=self.noise)
        return AutoEncoder(encoder, image_decoder(data.image_shape, self.bits, **settings), quantizer)
