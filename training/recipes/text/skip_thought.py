"""Sentences by writing the ones around them."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from keras_ae.models import SkipThought
from keras_ae.training.datasets import sentence_triples
from keras_ae.training.recipes.text.text_recipe import TextRecipe


@dataclass(frozen=True, kw_only=True)
class SkipThoughtRecipe(TextRecipe):
    """A vector for each sentence, from which the sentence before and the one after can be written."""

    name: ClassVar[str] = "skip-thought"
    summary: ClassVar[str] = "vectors of sentences, by writing the sentences around them; they decode to text"
    monitor: ClassVar[str] = "val_loss"
    headline: ClassVar[str] = "next_perplexity"

    decoders: tuple[Literal["previous", "this", "next"], ...] = ("previous", "next")
    """The sentences that are written; with "this" the vector decodes into its own sentence."""
    decoder_units: int | None = None
    """Size of the state of a decoder; without it that of the vector."""
    conditioning: Literal["state", "every_step"] = "state"
    """How a decoder is told the vector: as its first state, or at every word."""
    batch_normalization: bool = True
    """Tell decoders the vector standardised over the batch; otherwise as it is."""
    use_vector: bool = True
    """Tell the decoders the vector; without it they are the baseline of the perplexity."""
    num_sampled: int | None = None
    """Words among which a training step chooses, drawn at random; without it all of the vocabulary."""
    max_words: int = 30
    """Words of a sentence in training; further ones are cut off."""
    epochs: int = 5
    """Passes over the training sentences."""
    batch_size: int = 64
    """Sentences of one step, each with its neighbours."""
    learning_rate: float = 1e-3
    """Of AdamW, at the start; it falls to 0 by a cosine."""

    def batches_of(self, data, split, seed):
        return sentence_triples(split, data.vocabulary, self.batch_size, seed, max_words=self.max_words)

    def build_model(self, data, training_steps):
        return SkipThought(
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
