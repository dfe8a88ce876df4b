"""Recipe of a prior over the codes of a discrete auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.training.recipes.images.binary import BinaryRecipe
from keras_ae.training.recipes.images.gumbel import GumbelRecipe
from keras_ae.training.recipes.images.image_recipe import ImageRecipe
from keras_ae.training.recipes.images.vqvae import VqVaeRecipe
from keras_ae.training.recipes.images.vqvae2 import VqVae2Recipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import ImageData

AUTOENCODERS = {recipe.name: recipe for recipe in (VqVaeRecipe, VqVae2Recipe, GumbelRecipe, BinaryRecipe)}
OF_THE_PRIOR = {"epochs", "learning_rate", "weight_decay", "batch_size"}


@dataclass(frozen=True, kw_only=True)
class VqVaePriorRecipe(ImageRecipe):
    """Prior over the codes of a discrete auto-encoder, for generating new images.

    It uses a trained model, or trains one first in the folder `autoencoder` of the run.
    """

    name: ClassVar[str] = "vqvae-prior"
    summary: ClassVar[str] = "generates new images: a prior over the codes of a discrete model"
    monitor: ClassVar[str] = "val_loss"

    model: str | None = None
    """Run directory or .keras file of a trained discrete model; None: a model is trained first.
    The data are those of that run, unless others are given."""
    autoencoder: Literal["vqvae", "vqvae2", "gumbel", "binary"] = "vqvae"
    """Recipe that is trained first; --filters, --downsampling and --noise are its settings."""
    autoencoder_epochs: int = 200
    """Number of passes over the training images of the model that is trained first."""
    code_bits: int = 6
    """Number of bits of each code of the model that is trained first: 2^bits codes."""
    epochs: int = 30
    """Number of passes over the training images of the prior."""
    learning_rate: float = 2e-3
    """Initial learning rate of the prior's AdamW; it decays to 0 by a cosine."""
    weight_decay: float = 0.01
    """Weight decay of the prior's AdamW."""
    dim: int = 64
    """Dimension of the hidden vector of a position in the prior."""
    depth: int = 3
    """Number of transformer blocks of the prior."""
    num_attention_heads: int = 4
    """Number of attention heads of each block; a divisor of --dim."""
    dropout: float = 0.1
    """Dropout rate in the prior's training."""

    class_conditional: bool = False
    """Whether to condition the prior on the labels of the images, to generate images of a class."""

    @property
    def labelled(self) -> bool:
        return self.class_conditional

    def builds_on(self) -> ImageRecipe | str:
        if self.model is not None:
            return self.model
        first = AUTOENCODERS[self.autoencoder]
        shared = {field.name for field in fields(ImageRecipe)} - OF_THE_PRIOR
        settings: dict[str, Any] = {name: getattr(self, name) for name in shared}
        size = {"gumbel": "num_classes", "binary": "bits"}.get(self.autoencoder, "num_embeddings")
        value: Any = self.code_bits if size == "bits" else 2**self.code_bits
        return first(**settings, **{size: value}, epochs=self.autoencoder_epochs, batch_size=self.batch_size)

    # `Recipe.build` passes the trained model of `builds_on`
    def build_model(  # type: ignore[override]
        self,
        data: ImageData,
        training_steps: int,
        auto_encoder: models.AutoEncoder | models.TwoLevelAutoEncoder,
    ) -> models.GenerativeAutoEncoder:
        from keras_ae import models

        inside: dict[str, Any] = {
            name: getattr(self, name) for name in ("dim", "depth", "num_attention_heads", "dropout")
        }
        inside["num_labels"] = data.num_classes if self.class_conditional else None
        return models.GenerativeAutoEncoder.from_auto_encoder(auto_encoder, **inside)

    def measure(self, model: models.GenerativeAutoEncoder, data: ImageData) -> dict[str, Any]:
        from keras_ae.evaluation.attempts import attempt
        from keras_ae.training.recipes.images._likelihood import likelihood_metrics
        from keras_ae.training.recipes.images._measures import code_metrics, reconstruction_metrics

        test = attempt("reconstructions", reconstruction_metrics, model, data.test, default={})
        test = {**test, **attempt("likelihood", likelihood_metrics, model, data, default={})}
        codes = attempt("codes", code_metrics, model.auto_encoder, data.train, default={})
        return {"test": test, "codes": codes}
