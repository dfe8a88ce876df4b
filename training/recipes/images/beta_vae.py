"""Recipe of the beta-VAE."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.training.recipes.images.vae import VaeRecipe


@dataclass(frozen=True, kw_only=True)
class BetaVaeRecipe(VaeRecipe):
    """Variational auto-encoder with a larger KL weight, for disentanglement (Higgins et al., 2017)."""

    name: ClassVar[str] = "beta-vae"
    summary: ClassVar[str] = "a Gaussian embedding with a larger KL weight, for disentanglement"

    latent_dim: int = 10
    """Dimension of the embedding."""
    beta: float = 4.0
    """Weight of the KL after its warm-up."""
