"""Recipe of the auto-encoder with finite scalar quantisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.errors import InputError
from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import layers, models
    from keras_ae.training.datasets import ImageData


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

    def quantizer(self) -> layers.FiniteScalarQuantizer:
        """Return the bottleneck."""
        from keras_ae import layers

        return layers.FiniteScalarQuantizer(self.levels, saturation_cost=self.saturation_cost)

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        from keras_ae import models, networks

        settings, channels = self.network_settings(), len(self.levels)
        encoder = networks.image_encoder(data.image_shape, channels, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, channels, **settings), self.quantizer()
        )
