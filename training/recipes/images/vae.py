"""Recipe of the variational auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    import keras

    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class VaeRecipe(ImageRecipe):
    """Variational auto-encoder with a KL warm-up over the first part of the training."""

    name: ClassVar[str] = "vae"
    summary: ClassVar[str] = "a Gaussian embedding; generates new images"
    monitor: ClassVar[str] = "val_loss"

    weight_decay: float = 0.01
    """Weight decay of AdamW; with the 0.3 of the other recipes the posterior collapses in short trainings."""
    latent_dim: int = 8
    """Dimension of the embedding."""
    beta: float = 1.0
    """Weight of the KL after its warm-up."""
    warm_up: float = 0.1
    """Share of the training steps over which the weight of the KL rises from 0."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """Likelihood of the pixels, which are in [0, 1]."""

    def build_model(self, data: ImageData, training_steps: int) -> models.VariationalAutoEncoder:
        from keras_ae import models, networks

        settings = {**self.network_settings(), "flatten": True}
        return models.VariationalAutoEncoder(
            networks.image_encoder(data.image_shape, 4 * self.latent_dim, **settings),
            networks.image_decoder(data.image_shape, self.latent_dim, **settings),
            self.latent_dim,
            beta=self.warmed_up_beta(training_steps),
            likelihood=self.likelihood,
            seed=self.seed,
        )

    def warmed_up_beta(self, training_steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
        """Return the weight of the KL, or a schedule of the training steps that increases to it."""
        import keras

        if self.warm_up == 0:
            return self.beta
        steps = max(1, round(self.warm_up * training_steps))
        return keras.optimizers.schedules.PolynomialDecay(0.0, steps, end_learning_rate=self.beta)
