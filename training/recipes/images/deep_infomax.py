"""Recipe of local Deep InfoMax: an embedding without a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.images.image_recipe import ImageRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData


@dataclass(frozen=True, kw_only=True)
class DeepInfoMaxRecipe(ImageRecipe):
    """Encoder and discriminator trained jointly to identify the patches of an embedding's own image."""

    name: ClassVar[str] = "deep-infomax"
    summary: ClassVar[str] = "an embedding that identifies its image, without a decoder"
    monitor: ClassVar[str] = "val_loss"

    latent_dim: int = 16
    """Dimension of the embedding."""
    estimator: Literal["info_nce", "jensen_shannon", "donsker_varadhan"] = "info_nce"
    """Bound on the mutual information; jensen_shannon does not depend on the batch size."""
    alpha: float = 0.0
    """Weight of the global term: the embedding against the whole map of an image."""
    beta: float = 1.0
    """Weight of the local term: the embedding against each location of the map."""
    gamma: float = 0.0
    """Weight of the term that matches the embedding to a uniform prior."""
    temperature: float = 16.0
    """Temperature by which the scores are divided."""
    mi_units: int = 256
    """Number of channels of the networks whose outputs are compared."""
    epochs: int = 60
    """Number of passes over the training images."""
    learning_rate: float = 1e-3
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""
    weight_decay: float = 0.01
    """Weight decay of AdamW: each step shrinks the weights by learning rate x weight decay."""
    noise: float = 0.0
    """Standard deviation of the noise added to the encoder's input in training."""
    baselines: bool = True
    """Whether to measure baselines of the linear probe: the pixels, and --latent-dim principal components."""

    def __post_init__(self):
        super().__post_init__()
        if self.downsampling < 1:
            raise InputError(f"--downsampling must be at least 1. Received: {self.downsampling}")

    def build_model(self, data: ImageData, training_steps: int) -> models.DeepInfoMax:
        from keras_ae import models, networks

        filters = tuple(self.filters * 2**level for level in range(self.downsampling))
        encoder = networks.deep_info_max_encoder(
            data.image_shape, self.latent_dim, filters=filters, noise=self.noise
        )
        return models.DeepInfoMax(
            encoder,
            local="local",
            estimator=self.estimator,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            mi_units=self.mi_units,
            temperature=self.temperature,
            seed=self.seed,
        )
