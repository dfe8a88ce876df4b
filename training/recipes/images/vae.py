"""Recipe of the variational auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.training.recipes.images.image_recipe import MOST_ROWS, SHOWN, ImageRecipe

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
    class_conditional: bool = False
    """Whether to condition encoder and decoder on the labels of the images, to generate images of a class."""
    mmd_weight: float = 0.0
    """Weight of the maximum mean discrepancy between the embeddings of a batch and the prior (InfoVAE)."""
    num_samples: int = 1
    """Number of samples of the embedding for each image; above 1 for the importance-weighted bound."""
    free_bits: float = 0.0
    """Smallest cost of each dimension of the embedding in nats, which keeps dimensions in use."""

    @property
    def labelled(self) -> bool:
        return self.class_conditional

    def build_model(self, data: ImageData, training_steps: int) -> models.VariationalAutoEncoder:
        from keras_ae import models, networks

        options = self.model_options(data, training_steps)
        settings = {**self.network_settings(), "flatten": True, "num_labels": options["num_labels"]}
        return models.VariationalAutoEncoder(
            networks.image_encoder(data.image_shape, 4 * self.latent_dim, **settings),
            networks.image_decoder(data.image_shape, self.latent_dim, **settings),
            self.latent_dim,
            **options,
        )

    def model_options(self, data: ImageData, training_steps: int) -> dict[str, Any]:
        """Return the options of the model that do not depend on its networks."""
        names = ("likelihood", "mmd_weight", "num_samples", "free_bits", "seed")
        return {
            **{name: getattr(self, name) for name in names},
            "beta": self.warmed_up_beta(training_steps),
            "num_labels": data.num_classes if self.class_conditional else None,
        }

    def pictures(self, model: keras.Model, data: ImageData, directory: Any) -> list[keras.callbacks.Callback]:
        from keras_ae.training.callbacks import ReconstructionGrid, SampleGrid

        if not self.class_conditional:
            return super().pictures(model, data, directory)
        figures, settings = directory / "figures", self._drawing(directory)
        shown = data.test.inputs(range(min(SHOWN, len(data.test))), labels=True)
        callbacks: list[keras.callbacks.Callback] = [ReconstructionGrid(shown, figures, **settings)]
        if model.generative:
            labels = range(min(data.num_classes or 0, MOST_ROWS))
            callbacks.append(SampleGrid(figures, labels=labels, **settings))
        return callbacks

    def warmed_up_beta(self, training_steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
        """Return the weight of the KL, or a schedule of the training steps that increases to it."""
        import keras

        if self.warm_up == 0:
            return self.beta
        steps = max(1, round(self.warm_up * training_steps))
        return keras.optimizers.schedules.PolynomialDecay(0.0, steps, end_learning_rate=self.beta)
