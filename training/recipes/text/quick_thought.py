"""Recipe of sentence vectors learned by identifying neighbouring sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from keras_ae.errors import InputError
from keras_ae.training.recipes.text.text_recipe import TextRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import BatchStream, SentenceData, TextSplit


@dataclass(frozen=True, kw_only=True)
class QuickThoughtRecipe(TextRecipe):
    """Sentence vectors that identify the neighbours of a sentence among other sentences."""

    name: ClassVar[str] = "quick-thought"
    summary: ClassVar[str] = "vectors of sentences, by picking their neighbours among hundreds of others"
    headline: ClassVar[str] = "gain"

    epochs: int = 3
    """Number of passes over the training sentences; more passes overfit small corpora."""
    batch_size: int = 400
    """Number of consecutive sentences per block, which are the candidates for each neighbour."""
    max_words: int = 50
    """Maximum number of words per sentence in training; further words are cut off."""
    sub_batches: int | None = None
    """Number of parts in which a block is encoded, to save memory; the gradients are the same."""
    learning_rate: float = 1e-3
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""

    def __post_init__(self):
        super().__post_init__()
        if self.batch_size < 2:
            raise InputError(f"--batch-size must be at least 2 sentences. Received: {self.batch_size}")

    def build_model(self, data: SentenceData, training_steps: int) -> models.QuickThought:
        from keras_ae import models

        rows = self.start_rows(data)
        encoders = [self.sentence_encoder(data, rows, name) for name in ("encoder", "context_encoder")]
        return models.QuickThought(*encoders, sub_batches=self.sub_batches, vocabulary=data.vocabulary)

    def batches_of(self, data: SentenceData, split: TextSplit, seed: int | None) -> BatchStream:
        from keras_ae.training.datasets import sentence_blocks

        return sentence_blocks(split, data.vocabulary, self.batch_size, seed, max_words=self.max_words)
