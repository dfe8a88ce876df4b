"""Recipe of sentence vectors learned by generating the surrounding sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from keras_ae.training.recipes.text.text_recipe import TextRecipe

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import BatchStream, SentenceData, TextSplit


@dataclass(frozen=True, kw_only=True)
class SkipThoughtRecipe(TextRecipe):
    """Sentence vectors from which the previous and the next sentence can be generated."""

    name: ClassVar[str] = "skip-thought"
    summary: ClassVar[str] = "vectors of sentences, by writing the sentences around them; they decode to text"
    monitor: ClassVar[str] = "val_loss"
    headline: ClassVar[str] = "next_perplexity"

    decoders: tuple[Literal["previous", "this", "next"], ...] = ("previous", "next")
    """Sentences that are generated; with "this" the vector is decoded to its own sentence."""
    decoder_units: int | None = None
    """Number of units of each decoder's state; None: the dimension of the sentence vector."""
    conditioning: Literal["state", "every_step"] = "state"
    """Conditioning of a decoder on the sentence vector: as its initial state, or at every word."""
    batch_normalization: bool = True
    """Whether to standardise the sentence vector over the batch before the decoders."""
    use_vector: bool = True
    """Whether to condition the decoders on the sentence vector; without it they give the baseline
    of the perplexity."""
    num_sampled: int | None = None
    """Number of words in the sampled softmax of a training step; None: the whole vocabulary."""
    max_words: int = 30
    """Maximum number of words per sentence in training; further words are cut off."""
    epochs: int = 5
    """Number of passes over the training sentences."""
    batch_size: int = 64
    """Number of sentences per step, each with its neighbours."""
    learning_rate: float = 1e-3
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""

    def batches_of(self, data: SentenceData, split: TextSplit, seed: int | None) -> BatchStream:
        from keras_ae.training.datasets import sentence_triples

        return sentence_triples(split, data.vocabulary, self.batch_size, seed, max_words=self.max_words)

    def build_model(self, data: SentenceData, training_steps: int) -> models.SkipThought:
        from keras_ae import models

        return models.SkipThought(
            self.sentence_encoder(data, self.start_rows(data)),
            data.vocabulary,
            units=self.decoder_units,
            conditioning=self.conditioning,
            num_sampled=self.num_sampled,
            decoders=self.decoders,
            batch_normalization=self.batch_normalization,
            use_vector=self.use_vector,
            max_target_words=self.max_words,
            seed=self.seed,
        )
