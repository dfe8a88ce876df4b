"""Decoding of vectors to sentences, with beam search."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.models._data_checks import checked_array
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.text.sentence_model import SentenceModel
from keras_ae.text.vocabulary import PADDING, UNKNOWN

DECODED_AT_ONCE = 64  # sentences per batch: memory holds a score for each of their beams and words


class SentenceDecoding(SentenceModel):
    """Base class of a `SentenceModel` with decoders.

    A subclass has `decoders`, `{name: layers.GRUDecoder}`; `softmax`, a `layers.WordSoftmax`;
    `word_vectors()`, the `keras.layers.Embedding` of the decoders' inputs; `condition(vectors)`, the
    condition of the decoders for given vectors; `max_target_words`, the maximum length of a sentence.
    """

    decoders: dict[str, Any]
    softmax: Any
    max_target_words: int
    word_vectors: Callable[[], Any]
    condition: Callable[..., Any]
    decode_options = ("decoder", "beam_size", "max_words")

    def decode(
        self, vectors: Any, *, decoder: str = "next", beam_size: int = 1, max_words: int | None = None
    ) -> list[str] | str:
        """Return the most probable sentence of each vector as text, with spaces between the words.

        Args:
            vectors: `(sentences, dim)`, or `(dim,)`, as returned by `encode`.
            decoder: the sentence to write: "next", "previous" or "this", if the model has this decoder.
            beam_size: number of beams; 1: greedy search, which takes the most probable word each time.
            max_words: maximum number of words; `None`: `max_target_words`.

        Returns:
            list of strings, or one string for one vector. The unknown word is never written.

        Raises:
            InputError: the model has no such decoder or no vocabulary, or the vectors have another size.
        """
        vectors = np.asarray(checked_array("vectors", vectors), "float32")
        if vectors.ndim == 1:
            return self.decode(vectors[None], decoder=decoder, beam_size=beam_size, max_words=max_words)[0]
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(
                f"vectors must have the shape (sentences, dim), dim={self.dim}. Received: {vectors.shape}."
            )
        vocabulary, texts = self._word_ids().vocabulary, []
        search = self._search(decoder, beam_size, max_words or self.max_target_words)
        for start in range(0, len(vectors), DECODED_AT_ONCE):
            ids = np.asarray(search(tf.constant(vectors[start : start + DECODED_AT_ONCE])))
            texts += [" ".join(vocabulary.tokens(row)) for row in ids]
        return texts

    def interpolate(
        self, first: Any, second: Any, steps: int = 5, *, path: str = "linear", **options: Any
    ) -> Any:
        """Return decoded text of vectors between those of two sentences, both included.

        Args:
            first, second: sentences, or lists of sentences.
            steps: number of vectors.
            path: as in `BaseModel.interpolate`.
            **options: arguments of `decode`.

        Returns:
            list of strings; for lists of sentences one such list for each pair.
        """
        if isinstance(first, str):
            return self.interpolate([first], [second], steps, path=path, **options)[0]
        return super().interpolate(first, second, steps, path=path, **options).tolist()

    def prior_advice(self) -> str:
        return "Decode the vectors of your own sentences: decode(encode(sentences))."

    def decode_ids(
        self, vectors: Any, *, decoder: str = "next", beam_size: int = 1, max_words: int | None = None
    ) -> dict[str, Any]:
        """Return the word ids of the most probable sentences; can be traced and exported.

        The arguments are those of `decode`.

        Returns:
            `{"ids": int32 (sentences, max_words), "lengths", "score", "gap": (sentences,)}`, see
            `beam_search`.
        """
        if decoder not in self.decoders:
            raise InputError(f"decoder must be one of {list(self.decoders)}. Received: decoder={decoder!r}.")
        max_words = max_words or self.max_target_words
        if beam_size < 1 or max_words < 1:
            raise ValueError(
                f"beam_size and max_words must be at least 1. Received: {beam_size=}, {max_words=}"
            )
        network, table = self.decoders[decoder], self.word_vectors()
        known = ops.where(ops.arange(self.softmax.vocabulary_size, dtype="int32") == UNKNOWN, IMPOSSIBLE, 0.0)

        def step(words, state):
            hidden, given = state
            # The end precedes the first word; its vector is zero.
            read = table(words) * ops.cast(words[:, None] > 0, table.compute_dtype)
            hidden = network.step(read, hidden, given)
            return ops.log_softmax(self.softmax(hidden) + known), (hidden, given)

        vectors = ops.convert_to_tensor(vectors)
        state = network.start(self.condition(vectors))
        return beam_search(step, state, beam_size, max_words)

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `SentenceModel`, and `decode` from an embedding to word ids."""
        inputs = {"embedding": tf.TensorSpec((None, self.dim), tf.float32, name="embedding")}
        files = {} if self.vocabulary is None else {"vocabulary.txt": self.vocabulary.save}
        decode = Endpoint(self._decode_endpoint, inputs, margin=self._margin_endpoint, files=files)
        return {**super().endpoints(), "decode": decode}

    def _search(self, decoder, beam_size, max_words):
        """Return `decode_ids` as a graph, traced once for each combination of options."""
        # Bypasses Keras' attribute tracking, which would wrap the dictionary to save its contents.
        searches, key = vars(self).setdefault("_searches", {}), (decoder, beam_size, max_words)
        if key not in searches:

            def search(vectors):
                found = self.decode_ids(vectors, decoder=decoder, beam_size=beam_size, max_words=max_words)
                return found["ids"]

            signature = [tf.TensorSpec((None, self.dim), tf.float32)]
            searches[key] = tf.function(search, input_signature=signature, autograph=False)
        return searches[key]

    def _decode_endpoint(self, embedding):
        found = {name: self.decode_ids(embedding, decoder=name) for name in self.decoders}
        return {f"{name}_{key}": found[name][key] for name in found for key in ("ids", "lengths")}

    def _margin_endpoint(self, embedding):
        gaps = [self.decode_ids(embedding, decoder=name)["gap"] for name in self.decoders]
        return ops.min(ops.stack(gaps), axis=0)


END = PADDING  # the id of padding, as a predicted word, ends the sentence
IMPOSSIBLE = np.float32(-1e9)  # log probability; finite, so that its sums are finite too


def beam_search(step: Any, state: Any, beam_size: int, max_words: int) -> dict[str, Any]:
    """Return the best sentence by beam search, which keeps the `beam_size` best beginnings after each word.

    ```
    score = sum_t log p(word t | words before),  including the end of the sentence
    ```

    With `beam_size=1` this is greedy search: the most probable word is taken each time. The search for a
    sentence ends when its best beginning has ended, since further words can only lower the other scores.

    Args:
        step: `(words (rows,), state) -> (log_prob (rows, V), state)`: log probabilities of the words after
            `words`; the word 0, the end, precedes the first one.
        state: initial state, a tensor or nest of tensors `(batch, ...)`; rows are repeated and selected.
        beam_size: number of beginnings that are kept.
        max_words: maximum number of words of a sentence.

    Returns:
        dict of `ids` `(batch, max_words)` int32, zero after the end; `lengths` `(batch,)` int32;
        `score` `(batch,)`; `gap` `(batch,)`: the smallest relative difference between neighbouring scores in
        any selection; if it is within rounding, two runtimes may select different words.
    """
    batch = ops.shape(keras.tree.flatten(state)[0])[0]
    beams = _Beams(batch, beam_size, max_words)

    def body(index, words, state, ids, scores, done, gap):
        log_prob, state = step(words, state)
        scores, parents, words, nearest = beams.choose(scores, log_prob, done)
        state, ids, done = keras.tree.map_structure(lambda rows: tf.gather(rows, parents), (state, ids, done))
        ids = ops.where(ops.arange(max_words, dtype="int32") == index, words[:, None], ids)
        done = ops.logical_or(done, words == END)
        return index + 1, words, state, ids, scores, done, ops.minimum(gap, nearest)

    def unfinished(index, words, state, ids, scores, done, gap):
        best = ops.reshape(done, (batch, beam_size))[:, 0]
        return ops.logical_and(index < max_words, ops.logical_not(ops.all(best)))

    _, _, _, ids, scores, _, gap = ops.while_loop(unfinished, body, beams.start(state))
    ids = ops.reshape(ids, (batch, beam_size, max_words))[:, 0]
    lengths = ops.sum(ops.cast(ids != END, "int32"), axis=-1)
    return {"ids": ids, "lengths": lengths, "score": scores[:, 0], "gap": gap}


class _Beams:
    """Beams as `batch * beam_size` rows: the beginnings of each sentence are adjacent, the best one first."""

    def __init__(self, batch, size, max_words):
        self.batch = batch
        self.size = size
        self.max_words = max_words

    def start(self, state):
        rows = self.batch * self.size
        words = ops.zeros((rows,), "int32")
        ids = ops.zeros((rows, self.max_words), "int32")
        state = keras.tree.map_structure(lambda part: ops.repeat(part, self.size, axis=0), state)
        # All beginnings are empty and equal, so that only one of them may be continued.
        first = ops.where(ops.arange(self.size, dtype="int32") == 0, 0.0, IMPOSSIBLE)
        scores = ops.broadcast_to(first[None], (self.batch, self.size))
        gap = ops.ones((self.batch,), "float32")
        return ops.convert_to_tensor(0, "int32"), words, state, ids, scores, ops.zeros((rows,), "bool"), gap

    def choose(self, scores, log_prob, done):
        """Return `(scores, row of the beginning, word, gap)` of the best continuations."""
        num_words = log_prob.shape[-1]
        ended = ops.where(ops.arange(num_words, dtype="int32") == END, 0.0, IMPOSSIBLE)
        log_prob = ops.where(done[:, None], ended[None], log_prob)
        totals = scores[..., None] + ops.reshape(log_prob, (self.batch, self.size, num_words))
        totals = ops.reshape(totals, (self.batch, self.size * num_words))
        best, index = ops.top_k(totals, self.size + 1)
        index = ops.cast(index[:, : self.size], "int32")
        parents = ops.arange(self.batch, dtype="int32")[:, None] * self.size + index // num_words
        return (
            best[:, : self.size],
            ops.reshape(parents, (-1,)),
            ops.reshape(index % num_words, (-1,)),
            _relative_gap(best),
        )


def _relative_gap(best):
    """Return the smallest relative gap of sorted scores `(batch, scores)`; impossible ones are not ties."""
    gap = (best[:, :-1] - best[:, 1:]) / ops.maximum(1.0, ops.abs(best[:, :-1]))
    return ops.min(ops.where(best[:, 1:] > IMPOSSIBLE / 2, gap, 1.0), axis=-1)
