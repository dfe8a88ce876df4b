"""Recipe of the Gumbel-softmax auto-encoder."""

from dataclasses import dataclass
from typing import ClassVar

import keras

from keras_ae.layers import GumbelOneHot
from keras_ae.models import AutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.datasets import ImageData
from keras_ae.training.recipes.images.image_recipe import ImageRecipe


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

    def build_model(self, data: ImageData, training_steps: int) -> AutoEncoder:
        settings = self.network_settings()
        rate = self.final_temperature / self.temperature
        temperature = keras.optimizers.schedules.ExponentialDecay(self.temperature, training_steps, rate)
        one_hot = GumbelOneHot(temperature=temperature, kl_weight=self.kl_weight, seed=self.seed)
        encoder = image_encoder(data.image_shape, self.num_classes, **settings, noise=self.noise)
        return AutoEncoder(encoder, image_decoder(data.image_shape, self.num_classes, **settings), one_hot)
