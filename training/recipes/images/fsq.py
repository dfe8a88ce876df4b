"""Recipe of the auto-encoder with finite scalar quantisation."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.errors import InputError
from keras_ae.layers import FiniteScalarQuantizer
from keras_ae.models import AutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


@dataclass(frozen=True, kw_only=True)
class FsqRecipe(ImageRecipe):
    """Auto-encoder with finite scalar quantisation: each code consists of a few bounded, rounded channels."""

    name: ClassVar[str] = "fsq"
    summary: ClassVar[str] = "a grid of codes without a codebook: a few channels, rounded to a few levels"

    levels: tuple[int, ...] = (4, 4, 4)
    """Number of levels of each channel: 4 x 4 x 4 = 64 codes are 6 bits per position."""
    saturation_cost: float = 0.25
    """Weight of the loss that keeps the channels out of the saturation of the tanh."""

    def __post_init__(self):
        super().__post_init__()
        try:
            self.quantizer()
        except ValueError as error:
            raise InputError(f"--levels {' '.join(map(str, self.levels))}: {error}") from None

    def quantizer(self) -> FiniteScalarQuantizer:
        """Return the bottleneck."""
        return FiniteScalarQuantizer(self.levels, saturation_cost=self.saturation_cost)

    def build_model(self, data: ImageData, training_steps: int) -> AutoEncoder:
        settings, channels = self.network_settings(), len(self.levels)
        encoder = image_encoder(data.image_shape, channels, **settings, noise=self.noise)
        return AutoEncoder(encoder, image_decoder(data.image_shape, channels, **settings), self.quantizer())
