"""Text from vectors: what models share whose decoders write sentences."""

import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.models.data_values import checked_array
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.word_search import IMPOSSIBLE, beam_search
from keras_ae.text.vocabulary import UNKNOWN

DECODED_AT_ONCE = 64  # sentences: scores are held for each of their beginnings and words


class SentenceWriting:
    """Part of a `SentenceModel` that has decoders.

    The model has `decoders`, `{name: layers.GRUDecoder}`; `softmax`, a `layers.WordSoftmax`;
    `word_vectors()`, the `keras.layers.Embedding` of what decoders read; `told(vectors)`, what they
    are told of vectors; `max_target_words`, after which a sentence ends.
    """

    def decode(self, vectors, *, decoder: str = "next", beam_size: int = 1, max_words: int | None = None):
        """The most probable sentence, as text: words with blanks between them.

        Args:
            vectors: `(sentences, dim)`, or `(dim,)`, as `encode` gives them.
            decoder: which sentence to write: "next", "previous" or "this", if the model has it.
            beam_size: beginnings that are kept while searching; 1: the most probable word each time.
            max_words: sentences end there at the latest; `None`: `max_target_words`.

        Returns:
            list of strings; of one vector, a string. The unknown word is never written.

        Raises:
            InputError: the model has no such decoder, no vocabulary, or vectors of another size.
        """
        vectors = np.asarray(checked_array("vectors", vectors), "float32")
        if vectors.ndim == 1:
            return self.decode(vectors[None], decoder=decoder, beam_size=beam_size, max_words=max_words)[0]
        if vectors.ndim != 2 or vectors.shape[1] != self.dim:
            raise InputError(f"Expected vectors (sentences, dim), dim={self.dim}. Received: {vectors.shape}.")
        vocabulary, texts = self._word_ids().vocabulary, []
        search = self._search(decoder, beam_size, max_words or self.max_target_words)
        for start in range(0, len(vectors), DECODED_AT_ONCE):
            ids = np.asarray(search(tf.constant(vectors[start : start + DECODED_AT_ONCE])))
            texts += [" ".join(vocabulary.tokens(row)) for row in ids]
        return texts

    def interpolate(self, first: str, second: str, *, steps: int = 5, **options) -> list[str]:
        """Decoded text on the way from one sentence's vector to another's, both ends included.

        Args:
            first, second: sentences.
            steps: vectors, at equal distances on the straight line.
            **options: of `decode`.
        """
        if steps < 2:
            raise ValueError(f"steps is at least 2, the two ends. Received: steps={steps}")
        start, end = self.encode([first, second])
        share = np.linspace(0, 1, steps, dtype="float32")[:, None]
        return self.decode((1 - share) * start + share * end, **options)

    def decode_ids(self, vectors, *, decoder="next", beam_size=1, max_words=None) -> dict:
        """As `decode`, in numbers; can be traced and exported.

        Returns:
            `{"ids": int32 (sentences, max_words), "lengths", "score", "gap": (sentences,)}`, see
            `models.word_search.beam_search`.
        """
        if decoder not in self.decoders:
            raise InputError(f"Expected a decoder of {list(self.decoders)}. Received: {decoder!r}.")
        max_words = max_words or self.max_target_words
        if beam_size < 1 or max_words < 1:
            raise ValueError(f"beam_size and max_words are at least 1. Received: {beam_size} and {max_words}")
        network, table = self.decoders[decoder], self.word_vectors()
        known = ops.where(ops.arange(self.softmax.vocabulary_size, dtype="int32") == UNKNOWN, IMPOSSIBLE, 0.0)

        def step(words, state):
            hidden, given = state
            # the end stands before the first word, which is told zeros
            read = table(words) * ops.cast(words[:, None] > 0, table.compute_dtype)
            hidden = network.step(read, hidden, given)
            return ops.log_softmax(self.softmax(hidden) + known), (hidden, given)

        vectors = ops.convert_to_tensor(vectors)
        state = network.start(self.told(vectors))
        return beam_search(step, state, beam_size, max_words)

    def endpoints(self) -> dict[str, Endpoint]:
        """Those of a `SentenceModel`, and `decode`: an embedding to the numbers of the words around it."""
        inputs = {"embedding": tf.TensorSpec((None, self.dim), tf.float32, name="embedding")}
        files = {} if self.vocabulary is None else {"vocabulary.txt": self.vocabulary.save}
        decode = Endpoint(self._decode_endpoint, inputs, margin=self._margin_endpoint, files=files)
        return {**super().endpoints(), "decode": decode}

    def _search(self, decoder, beam_size, max_words):
        """`decode_ids` as a graph, made once for each way to search."""
        # not an attribute set on the model: Keras would wrap the dictionary to save what is in it
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
