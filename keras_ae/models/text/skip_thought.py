"""Skip-thought: sentence embeddings trained by decoding the neighbouring sentences."""

import warnings
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, integers_in
from keras_ae.layers.masked.masked_batch_normalization import MaskedBatchNormalization
from keras_ae.layers.text.gru_decoder import GRUDecoder
from keras_ae.layers.text.word_softmax import WordSoftmax
from keras_ae.metrics.perplexity import Perplexity
from keras_ae.models.base import Player
from keras_ae.models.text._sentence_decoding import SentenceDecoding
from keras_ae.ops.sequences import sequence_mask
from keras_ae.ops.terms import mean_term, scalars, take_losses

SENTENCES = {
    "previous": "previous",
    "this": "ids",
    "next": "next",
}  # names of the decoders and of their inputs

MOMENTUM = 0.9  # momentum of the moving averages; low, because encoders change fast


@keras.saving.register_keras_serializable(package="keras_ae")
class SkipThought(SentenceDecoding):
    """Skip-thought vectors: from the vector of a sentence, decoders predict the previous and next one.

    ```
    v = encoder(s_i),   u = (v - mean(v)) / sqrt(variance(v) + 0.001)
    loss = -sum_t log p(w_t of s_(i-1) | w_(<t), u) - sum_t log p(w_t of s_(i+1) | w_(<t), u)
    p(w_t | w_(<t), u) = softmax(W h_t + b),   h_t = GRU(E w_(t-1), h_(t-1), u),   E w_0 = 0
    ```

    The loss is in nats per triple, averaged over triples; the sum is over the words and the end of the
    sentence. Each decoder has its own GRU; the softmax `W`, `b` is shared by the decoders, and the word
    vectors `E` are shared by decoders and encoder.

    Args:
        encoder: any model from `ids` `(batch, words)` to vectors `(batch, dim)` with its word vectors
            in a `keras.layers.Embedding`, such as `networks.recurrent_sentence_encoder`.
        vocabulary: `Vocabulary` of the words, or its words; without it the model takes word ids only.
        units: number of units of the decoders' states; `None`: `dim`.
        conditioning: how decoders are conditioned on the vector, "state" or "every_step", see
            `layers.GRUDecoder`.
        num_sampled: number of words of the softmax that are drawn in each training step, see
            `layers.WordSoftmax`; `None`: all.
        decoders: the sentences to write, among "previous", "this" and "next". With "this" a vector
            can be decoded into its own sentence.
        batch_normalization: whether decoders are conditioned on `u`, which is standardised over the batch,
            with moving averages in inference; with `False`, on `v` as in the paper. A component that all
            vectors share is equivalent to a bias of the decoders; an encoder that is trained to provide it
            may saturate, and all its vectors are then similar.
        use_vector: whether decoders are conditioned on the vector. With `False` they are conditioned on
            zeros and the encoder is not trained, which gives the baseline of the same decoders without it.
        max_words: maximum number of encoded words of a sentence; `None`: no maximum.
        max_target_words: maximum number of predicted words of a sentence. The end of a sentence of this
            length is not predicted, since the sentence may have been cut off.
        word_layer: name of the encoder's layer of word vectors; `None`: it has only one.
        seed: seed of the drawn words.

    Inputs of `fit`, `evaluate`:
        x: `{"ids", "previous", "next": int32 (batch, words), "lengths", "previous_lengths", "next_lengths":
            (batch,)}`, as returned by `training.datasets.sentence_triples`.
        sample_weight: `(batch,)`; weights the triples.

    Metrics:
        `loss`; `previous_loss`, `next_loss` in nats per sentence; `previous_perplexity`,
        `next_perplexity` per word, over all words since the last reset. With `num_sampled`, training metrics
        are computed over the drawn words, validation metrics over the whole vocabulary.

    Raises:
        ValueError: decoders or conditioning are unknown; sizes are below 1.
        InputError: the encoder does not return vectors, or does not have exactly one table of word vectors.

    Example:

    >>> from keras_ae.networks import recurrent_sentence_encoder
    >>> words = ["how", "much", "is", "this", "?"]
    >>> model = SkipThought(recurrent_sentence_encoder(7, 8, embedding_dim=4), words, max_target_words=6)
    >>> model.compile("adam")
    >>> vectors = model.encode(["How much is this?", "This?"])
    >>> vectors.shape, len(model.decode(vectors, decoder="previous", beam_size=2))
    ((2, 8), 2)

    Reference:
        Kiros et al., 2015, https://arxiv.org/abs/1506.06726.
    """

    def __init__(
        self,
        encoder: keras.Model,
        vocabulary: Any = None,
        *,
        units: int | None = None,
        conditioning: str = "state",
        num_sampled: int | None = None,
        decoders: tuple[str, ...] = ("previous", "next"),
        batch_normalization: bool = True,
        use_vector: bool = True,
        max_words: int | None = None,
        max_target_words: int = 30,
        word_layer: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(vocabulary=vocabulary, max_words=max_words, **kwargs)
        _check(decoders, max_target_words)
        self.encoder = encoder
        self.units, self.conditioning = units, conditioning
        self.num_sampled, self.seed = num_sampled, seed
        self.batch_normalization, self.use_vector = batch_normalization, use_vector
        self.max_target_words = max_target_words
        self.word_layer = word_layer
        self.sentences = tuple(decoders)
        self.perplexities = {name: Perplexity(name=f"{name}_perplexity") for name in decoders}
        self.track_terms(*(f"{name}_loss" for name in decoders))
        self.build()

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        super().build()
        table = self.word_vectors()
        size, units = table.input_dim, self.units or self.dim
        words = size if self.word_ids is None else len(self.word_ids.vocabulary)
        if size != words:
            raise InputError(
                f"The encoder must have a word vector for each of the {words} ids of the vocabulary. "
                f"Received: an encoder with {size}."
            )
        options = {"conditioning": self.conditioning, "dtype": self.dtype_policy}
        self.decoders = {
            name: GRUDecoder(units, name=f"{name}_decoder", **options) for name in self.sentences
        }
        for decoder in self.decoders.values():
            decoder.build((None, None, table.output_dim), (None, self.dim))
        self.normalization = None
        if self.batch_normalization:
            settings = {"momentum": MOMENTUM, "affine": False, "dtype": self.dtype_policy}
            self.normalization = MaskedBatchNormalization(**settings, name="normalization")
            self.normalization.build((None, self.dim))
        self.softmax = WordSoftmax(
            size, num_sampled=self.num_sampled, seed=self.seed, dtype=self.dtype_policy, name="softmax"
        )
        self.softmax.build((None, units))

    def word_vectors(self) -> keras.layers.Embedding:
        """Return the layer of word vectors that encoder and decoders share."""
        found = [la for la in self.encoder._flatten_layers() if isinstance(la, keras.layers.Embedding)]
        named = [la for la in found if self.word_layer in (None, la.name)]
        if len(named) != 1:
            raise InputError(
                "The encoder must have its word vectors in one keras.layers.Embedding, and `word_layer` must "
                f"be its name if there are several. Received: word_layer={self.word_layer!r} and "
                f"{[la.name for la in found]}."
            )
        return named[0]

    def input_rules(self) -> Any:
        needed = tuple(SENTENCES[name] for name in self.sentences if name != "this")
        made_by = "keras_ae.training.datasets.sentence_triples"
        return replace(super().input_rules(), trained_on=needed, made_by=made_by)

    def vectors(self, ids: Any, training: bool | None = False) -> Any:
        return self.encoder(ids, training=training)

    def condition(self, vectors: Any, sample_weight: Any = None, training: bool | None = False) -> Any:
        """Return the condition of the decoders for vectors `(batch, dim)`."""
        if not self.use_vector:
            return ops.zeros_like(vectors)
        if self.normalization is None:
            return vectors
        weights = None if sample_weight is None else ops.reshape(sample_weight, (-1,))
        return self.normalization(vectors, mask=weights, training=training)

    def told(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of `condition`, the present name of this method."""
        warnings.warn("SkipThought.told is now SkipThought.condition.", DeprecationWarning, stacklevel=2)
        return self.condition(*args, **kwargs)

    def players(self) -> list[Player]:
        if self.use_vector:
            return super().players()
        return [Player("model", self._without_encoder)]

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Any, training: bool, player: str
    ) -> dict[str, Any]:
        self._check_triples(x)
        ids = self.padded_ids({"ids": x["ids"], "lengths": x.get("lengths")})
        vector = ops.zeros((ops.shape(ids)[0], self.dim), self.compute_dtype)
        if self.use_vector:
            vector = self.condition(self.vectors(ids, training=training), sample_weight, training)
        terms, loss = {}, take_losses(self.encoder)
        for name in self.sentences:
            sums, nats, sentence = self._nats_of_triples(name, x, vector, training)
            weights = None if sample_weight is None else ops.reshape(sample_weight, (-1,))
            self.perplexities[name].update_state(
                nats, None if weights is None else ops.take(weights, sentence)
            )
            terms[f"{name}_loss"] = mean_term(sums, weights)
            loss = loss + terms[f"{name}_loss"]
        return scalars({"loss": loss, **terms})

    def score(self, x: Any) -> Any:
        """Return the loss of each triple of sentences in nats, `(batch,)`, over the whole vocabulary.

        Args:
            x: triples as in `fit`.
        """
        x = self.checked_inputs(x)
        self._check_triples(x)
        vector = self.condition(self.vectors(self.padded_ids({"ids": x["ids"], "lengths": x.get("lengths")})))
        return sum(self._nats_of_triples(name, x, vector, training=False)[0] for name in self.sentences)

    # Parts

    def _nats_of_triples(self, name, x, vector, training):
        """Return `-log p` of the sentences `name`, `(batch,)`, of their words, and the row of each word."""
        nats, sentence = self._nats(name, x, vector, training)
        # TensorFlow's function accepts a dynamic number of segments.
        return tf.math.unsorted_segment_sum(nats, sentence, ops.shape(vector)[0]), nats, sentence

    def _check_triples(self, x):
        wanted = {"ids", *(SENTENCES[name] for name in self.sentences)}
        missing = sorted(wanted - set(x)) if isinstance(x, dict) else sorted(wanted)
        if missing:
            raise InputError(
                f"x must be a dictionary with {sorted(wanted)} and lengths, of consecutive sentences, for "
                f"SkipThought. Received: no {' and no '.join(missing)}. "
                "keras_ae.training.datasets.sentence_triples returns such batches."
            )

    def _without_encoder(self):
        own = {id(v) for v in self.encoder.trainable_variables}
        own -= {id(v) for v in self.word_vectors().trainable_variables}
        return [v for v in self.trainable_variables if id(v) not in own]

    def _nats(self, name, x, vector, training):
        """Return `-log p` of every word of the sentences `name`, and its row's index: both `(words,)`."""
        key = SENTENCES[name]
        ids = ops.cast(ops.convert_to_tensor(x[key])[:, : self.max_target_words], "int32")
        lengths = x.get("lengths" if name == "this" else f"{name}_lengths")
        lengths = ops.sum(ops.cast(ids != 0, "int32"), axis=1) if lengths is None else lengths
        lengths = ops.minimum(ops.cast(lengths, "int32"), self.max_target_words)
        ids = ops.where(sequence_mask(lengths, ops.shape(ids)[1]), ids, 0)
        ids = integers_in(key, ids, self.word_vectors().input_dim)
        predicted = lengths + ops.cast(lengths < self.max_target_words, "int32")
        read = ops.pad(self.word_vectors()(ids), ((0, 0), (1, 0), (0, 0)))
        states = self.decoders[name](read, vector, predicted)
        targets = ops.pad(ids, ((0, 0), (0, 1)))  # the end of a sentence is the word 0
        # Selects the real words only, about half of a padded batch. keras.ops.where does not return a tensor
        # of indices.
        places = tf.where(sequence_mask(predicted, ops.shape(targets)[1]))
        states, targets = tf.gather_nd(states, places), tf.gather_nd(targets, places)
        return self.softmax.cross_entropy(states, targets, training), places[:, 0]

    def get_config(self) -> dict[str, Any]:
        names = (
            "units",
            "conditioning",
            "num_sampled",
            "batch_normalization",
            "use_vector",
            "max_target_words",
            "word_layer",
            "seed",
        )
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoders": list(self.sentences),
            **{name: getattr(self, name) for name in names},
        }


def _check(decoders, max_target_words):
    if not decoders or set(decoders) - set(SENTENCES) or len(set(decoders)) < len(decoders):
        raise ValueError(f"decoders must be one or more of {list(SENTENCES)}. Received: {decoders=}")
    if max_target_words < 1:
        raise ValueError(f"max_target_words must be at least 1. Received: {max_target_words=}")
