"""Recipe of the Gumbel-softmax auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class GumbelRecipe(ImageRecipe):
    """Gumbel-softmax auto-encoder: a grid of one-hot vectors, with an annealed temperature."""

    name: ClassVar[str] = "gumbel"
    summary: ClassVar[str] = "a grid of one-hot vectors by the Gumbel-softmax"

    num_classes: int = 64
    """Number of classes per position: 64 are 6 bits."""
    temperature: float = 1.0
    """Temperature at the first step."""
    final_temperature: float = 0.5
    """Temperature at the last step; it decays exponentially."""
    kl_weight: float = 1e-3
    """Weight of the KL to the uniform prior."""

    def build_model(self, data: ImageData, training_steps: int) -> models.AutoEncoder:
        import keras

        from keras_ae import layers, models, networks

        settings = self.network_settings()
        rate = self.final_temperature / self.temperature
        temperature = keras.optimizers.schedules.ExponentialDecay(self.temperature, training_steps, rate)
        one_hot = layers.GumbelOneHot(temperature=temperature, kl_weight=self.kl_weight, seed=self.seed)
        encoder = networks.image_encoder(data.image_shape, self.num_classes, **settings, noise=self.noise)
        return models.AutoEncoder(
            encoder, networks.image_decoder(data.image_shape, self.num_classes, **settings), one_hot
        )
