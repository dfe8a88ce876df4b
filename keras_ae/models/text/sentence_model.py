"""What all embeddings of sentences share: strings in, vectors out."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, integers_in
from keras_ae.layers.text.word_ids import WordIds
from keras_ae.models._input_rules import InputRules, is_table
from keras_ae.models.base import BaseModel
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.ops.sequences import sequence_mask
from keras_ae.text import tokenizer
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.vocabulary import FIRST_WORD, Vocabulary


class SentenceModel(BaseModel):
    """A model whose embedding of a sentence is one vector, whatever stands beside it in the batch.

    A subclass writes `vectors`, the vectors of sentences as numbers of words, calls
    `build_vectors` when its encoders are made, and has its objective as every `BaseModel`.

    Args:
        vocabulary: `Vocabulary` of the words, or its words; without it the model takes numbers only.
        max_words: further words of a sentence are cut off; `None`: all are read.

    Inputs of `encode`, `embed` and of the model itself:
        strings, see `encode`; or `{"ids": int32 (batch, words), "lengths": (batch,)}`, or `ids` alone,
        zero after the end of each sentence. What lies behind `lengths` is not read.
    """

    discrete = False

    def __init__(self, *, vocabulary=None, max_words: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if max_words is not None and max_words < 1:
            raise ValueError(f"A sentence keeps at least one word. Received: max_words={max_words}")
        self.max_words = max_words
        self.word_ids = None
        if vocabulary is not None:
            self.word_ids = WordIds(vocabulary, max_words=max_words, name="word_ids")
        self._traced_vectors = None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words the model knows."""
        return None if self.word_ids is None else self.word_ids.vocabulary

    def own_preprocessing(self):
        """Return the tokenisation, the size of the vocabulary and the maximum number of words."""
        known = {} if self.word_ids is None else {"vocabulary_size": len(self.vocabulary)}
        rule = {"tokenization": "keras_ae.text.tokenize", "lowercase": True}
        return Preprocessing(modality="text", **rule, **known, max_words=self.max_words)

    # for subclasses

    def vectors(self, ids, training=False):
        """The vectors `(batch, dim)` of `ids` `(batch, words)`, zero after the end of each sentence."""
        raise TypeError(f"{type(self).__name__} must define vectors(ids, training)")

    def input_rules(self):
        pairs = {f"{name}lengths": (None,) for name in ("", "previous_", "next_")}
        words = dict.fromkeys(("ids", "previous", "next"), (None, None))
        numbers = dict.fromkeys(("document", "position", "sentence"), (None,))
        sizes = dict.fromkeys(words, self._known_words())
        return InputRules(
            {**words, **pairs, **numbers}, values="ids", sizes=sizes, dtype="int32", ignores_y=True
        )

    def compile(self, optimizer="adam", *positional, jit_compile="auto", **others):
        """As `BaseModel.compile`; "auto" is without XLA, which would compile for every length anew."""
        super().compile(optimizer, *positional, jit_compile=jit_compile is True, **others)

    def build(self, input_shape=None):
        if self.built:
            return
        vectors = self.vectors(keras.KerasTensor((None, None), dtype="int32"))
        if len(getattr(vectors, "shape", ())) != 2 or vectors.shape[-1] is None:
            received = getattr(vectors, "shape", type(vectors).__name__)
            raise InputError(f"A sentence encoder returns vectors (batch, dim). Received: {received}.")
        self.dim = vectors.shape[-1]
        self.built = True

    def padded_ids(self, x):
        """`ids` of any input of the model, as a tensor, zero after the end of each sentence."""
        if isinstance(x, dict):
            ids, lengths = ops.convert_to_tensor(x["ids"]), x.get("lengths")
            if lengths is not None:
                ids = ops.where(sequence_mask(lengths, ops.shape(ids)[1]), ids, 0)
        else:
            ids = ops.convert_to_tensor(x)
            if ids.dtype == "string":
                return self._word_ids()(ids)["ids"]
        return integers_in("ids", ids[:, : self.max_words], self._known_words())

    # for users

    def encode(self, sentences, *, batch_size: int = 256, normalize: bool = False):
        """One vector for each sentence, the same whatever the other sentences are.

        Args:
            sentences: a string; a list of strings, encoded in batches of similar length, in any
                order of lengths; or tensors as the model takes them, in one batch.
            batch_size: sentences encoded at once; fewer where they are very long.
            normalize: whether vectors get length 1; those that are zero stay zero.

        Returns:
            of a string: `(dim,)`; of a list: `(sentences, dim)` in its order, both numpy float32;
            of tensors: a tensor `(batch, dim)`.

        Raises:
            InputError: an entry of the list is not a string; strings without a vocabulary; inputs of
                another kind.
        """
        if isinstance(sentences, str):
            return self.encode([sentences], normalize=normalize)[0]
        finish = unit_length if normalize else ops.convert_to_tensor
        if not _are_strings(sentences):
            text = getattr(sentences, "dtype", None) == tf.string
            ids = sentences if text else self.checked_inputs(sentences)
            return finish(self.vectors(self.padded_ids(ids)))
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1. Received: {batch_size}")
        vocabulary = self._word_ids().vocabulary
        numbers = numbers_of(check_sentences(sentences), vocabulary, self.max_words)
        result = np.zeros((len(numbers), self.dim), "float32")
        for rows in batches_by_length([len(own) for own in numbers], batch_size):
            ids = padded([numbers[row] for row in rows])
            result[rows] = finish(self._traced()(ids))
        return result

    def embed(self, x):
        """The vectors of `x`: `encode` without its options."""
        return self.encode(x)

    def call(self, x, training=None):
        """The vectors of `x`."""
        return self.vectors(self.padded_ids(x), training=training)

    def endpoints(self) -> dict[str, Endpoint]:
        """`encode` of `ids` and `lengths`; with a vocabulary `encode_text` of strings, the server's default.

        ONNX has no strings: beside `encode.onnx` lie the vocabulary and the tokenizer that make
        `ids` of strings.
        """
        inputs = {
            "ids": tf.TensorSpec((None, None), tf.int32, name="ids"),
            "lengths": tf.TensorSpec((None,), tf.int32, name="lengths"),
        }
        encode = {"function": self._encode_endpoint, "inputs": inputs, "sample": self._sample_ids}
        encode["value_ranges"] = {"ids": (0, self._num_words() - 1)}
        if self.word_ids is None:
            default = Endpoint(**encode, formats=("saved_model",))
            return {"serving_default": default, "encode": Endpoint(**encode)}
        files = {"vocabulary.txt": self.vocabulary.save, "tokenizer.py": _copy_tokenizer}
        text = Endpoint(
            self._encode_text_endpoint,
            {"text": tf.TensorSpec((None,), tf.string, name="text")},
            formats=("saved_model",),
            sample=self._sample_text,
            tables=(self.word_ids.table,),
        )
        return {"serving_default": text, "encode": Endpoint(**encode, files=files), "encode_text": text}

    # parts

    def _word_ids(self):
        if self.word_ids is None:
            raise InputError(
                f"{type(self).__name__} takes strings only with a vocabulary: give it `vocabulary=`, or pass "
                '{"ids":, "lengths":}.'
            )
        return self.word_ids

    def _traced(self):
        """`vectors`, traced once for every shape."""
        if self.run_eagerly:
            return self.vectors
        if self._traced_vectors is None:
            signature = [tf.TensorSpec((None, None), tf.int32)]
            self._traced_vectors = tf.function(self.vectors, input_signature=signature, autograph=False)
        return self._traced_vectors

    def _encode_endpoint(self, ids, lengths):
        return {"embedding": self.vectors(self.padded_ids({"ids": ids, "lengths": lengths}))}

    def _encode_text_endpoint(self, text):
        return {"embedding": self.vectors(self.padded_ids(text))}

    def _sample_ids(self, inputs):
        """Numbers of the first words, behind the end of sentences too: they must not be read."""
        shape = inputs["ids"].shape
        ids = 1 + np.arange(np.prod(shape)).reshape(shape) % (self._num_words() - 1)
        return {**inputs, "ids": ids}

    def _sample_text(self, inputs):
        """Sentences of different lengths, one of them without words."""
        words = self.vocabulary.words
        texts = [" ".join(words[: 3 * row]) for row in range(len(inputs["text"]))]
        return {"text": np.array([text.encode() for text in texts])}

    def _num_words(self):
        return self._known_words() or min(self._table_sizes(), default=FIRST_WORD)

    def _known_words(self):
        """Number of word ids; `None`: there are several tables, and which one has the words is unknown."""
        if self.word_ids is not None:
            return len(self.vocabulary)
        sizes = self._table_sizes()
        return sizes.pop() if len(sizes) == 1 else None

    def _table_sizes(self):
        return {la.input_dim for la in self._flatten_layers() if isinstance(la, keras.layers.Embedding)}

    def compute_output_shape(self, input_shape):
        shape = input_shape["ids"] if isinstance(input_shape, dict) else input_shape
        return (shape[0], self.dim)

    def get_config(self):
        words = None if self.word_ids is None else list(self.vocabulary.words)
        return {**super().get_config(), "vocabulary": words, "max_words": self.max_words}


def _copy_tokenizer(path):
    path.write_bytes(Path(tokenizer.__file__).read_bytes())


def _are_strings(x):
    if isinstance(x, (dict, keras.KerasTensor)) or ops.is_tensor(x):
        return False
    return getattr(getattr(x, "dtype", None), "kind", "O") in "USO"  # arrays and columns of tables


def unit_length(vectors):
    """The vectors divided by their lengths; those that are zero stay zero."""
    return ops.normalize(vectors, axis=-1, epsilon=1e-12)


WORDS_AT_ONCE = 2**15  # rows x longest of a batch: bounds the memory of a very long sentence's batch


def check_sentences(sentences) -> list[str]:
    """The sentences as a list.

    Raises:
        InputError: not a list, or an entry is not a string.
    """
    expected = "sentences must be a string or a list of strings."
    if is_table(sentences):
        columns = list(map(str, sentences.columns))
        raise InputError(f"{expected} Received: a table with the columns {columns}. Pass one of them.")
    if isinstance(sentences, bytes) or not hasattr(sentences, "__iter__"):
        shown = repr(sentences) if sentences is None else type(sentences).__name__
        decode = " Decode bytes first: sentences.decode()." if isinstance(sentences, bytes) else ""
        raise InputError(f"{expected} Received: sentences={shown}.{decode}")
    sentences = list(sentences)
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            kind = type(sentence).__name__
            shown = "None" if sentence is None else f"the {kind} {sentence!r:.60}"
            raise InputError(f"{expected} Received: {shown} in row {row}.")
    return sentences


def batches_by_length(lengths, batch_size: int):
    """Numbers of the rows of each batch, the longest first, so that little is padded.

    Args:
        lengths: words of each sentence.
        batch_size: rows of a batch at most; fewer of long sentences.

    Example:

    >>> [rows.tolist() for rows in batches_by_length([3, 1, 2], 2)]
    [[0, 2], [1]]
    """
    order = np.argsort(-np.asarray(lengths, "int64"), kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, lengths[order[start]])
        stop = start + min(batch_size, max(1, WORDS_AT_ONCE // longest))
        yield order[start:stop]
        start = stop


def numbers_of(sentences, vocabulary, max_words=None) -> list[list[int]]:
    """The numbers of each sentence's words."""
    return [vocabulary.ids(tokenize(sentence)[:max_words]) for sentence in sentences]


def padded(numbers) -> np.ndarray:
    """int32 `(sentences, words)`, zero after the end of each; one column at least."""
    ids = np.zeros((len(numbers), max(1, max(map(len, numbers), default=0))), "int32")
    for row, own in zip(ids, numbers, strict=True):
        row[: len(own)] = own
    return ids
