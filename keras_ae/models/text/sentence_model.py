"""Base class of sentence encoders, from strings or word ids to vectors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

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
    """Base class of models that embed each sentence as one vector, independent of the rest of the batch.

    A subclass implements `vectors`, from word ids to the vectors of sentences, calls `build` when
    its encoders exist, and defines its objective like every `BaseModel`.

    Args:
        vocabulary: `Vocabulary` of the words, or its words; without it the model takes word ids only.
        max_words: maximum number of words of a sentence, further words are cut off; `None`: no maximum.

    Inputs of `encode`, `embed` and of the model itself:
        strings, see `encode`; or `{"ids": int32 (batch, words), "lengths": (batch,)}`, or only `ids`,
        zero after the end of each sentence. Words after `lengths` are ignored.
    """

    discrete = False

    def __init__(
        self, *, vocabulary: Vocabulary | list[str] | None = None, max_words: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if max_words is not None and max_words < 1:
            raise ValueError(f"max_words must be at least 1 or None. Received: max_words={max_words}")
        self.max_words = max_words
        self.word_ids = None
        if vocabulary is not None:
            self.word_ids = WordIds(vocabulary, max_words=max_words, name="word_ids")
        self._traced_vectors = None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """Vocabulary of the model; `None` without one."""
        return None if self.word_ids is None else self.word_ids.vocabulary

    def own_preprocessing(self) -> Preprocessing | None:
        """Return the tokenisation, the size of the vocabulary and the maximum number of words."""
        return Preprocessing(
            modality="text",
            tokenization="keras_ae.text.tokenize",
            lowercase=True,
            vocabulary_size=None if self.word_ids is None else len(self.word_ids.vocabulary),
            max_words=self.max_words,
        )

    # Methods for subclasses

    def vectors(self, ids: Any, training: bool | None = False) -> Any:
        """Return vectors `(batch, dim)` of `ids` `(batch, words)`, zero after the end of each sentence."""
        raise TypeError(f"{type(self).__name__} must define vectors(ids, training)")

    def input_rules(self) -> InputRules:
        pairs = {f"{name}lengths": (None,) for name in ("", "previous_", "next_")}
        words = dict.fromkeys(("ids", "previous", "next"), (None, None))
        numbers = dict.fromkeys(("document", "position", "sentence"), (None,))
        sizes = dict.fromkeys(words, self._known_words())
        return InputRules(
            {**words, **pairs, **numbers}, values="ids", sizes=sizes, dtype="int32", ignores_y=True
        )

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        *positional: Any,
        jit_compile: bool | str = "auto",
        **others: Any,
    ) -> None:
        """Compile as `BaseModel`, but "auto" is without XLA, which would recompile for every length."""
        super().compile(optimizer, *positional, jit_compile=jit_compile is True, **others)

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        vectors = self.vectors(keras.KerasTensor((None, None), dtype="int32"))
        if len(getattr(vectors, "shape", ())) != 2 or vectors.shape[-1] is None:
            received = getattr(vectors, "shape", type(vectors).__name__)
            raise InputError(f"A sentence encoder must return vectors (batch, dim). Received: {received}.")
        self.dim = vectors.shape[-1]
        self.built = True

    def padded_ids(self, x: Any) -> Any:
        """Return the word ids of any input of the model as a tensor, zero after the end of each sentence."""
        if isinstance(x, dict):
            ids, lengths = ops.convert_to_tensor(x["ids"]), x.get("lengths")
            if lengths is not None:
                ids = ops.where(sequence_mask(lengths, ops.shape(ids)[1]), ids, 0)
        else:
            ids = ops.convert_to_tensor(x)
            if ids.dtype == "string":
                return self._word_ids()(ids)["ids"]
        return integers_in("ids", ids[:, : self.max_words], self._known_words())

    # Methods for users

    def encode(self, sentences: Any, *, batch_size: int = 256, normalize: bool = False) -> Any:
        """Return one vector for each sentence, independent of the other sentences.

        Args:
            sentences: a string; a list of strings in any order, which are encoded in batches of similar
                length; or tensors as the model takes them, encoded in one batch.
            batch_size: number of sentences encoded at once; fewer if they are very long.
            normalize: whether vectors are scaled to length 1; zero vectors are not changed.

        Returns:
            for a string `(dim,)`, for a list `(sentences, dim)` in its order, both NumPy float32;
            for tensors a tensor `(batch, dim)`.

        Raises:
            InputError: an entry of the list is not a string; the model has no vocabulary for strings; the
                inputs are of another kind.
        """
        if isinstance(sentences, str):
            return self.encode([sentences], normalize=normalize)[0]
        finish = unit_length if normalize else ops.convert_to_tensor
        if not _are_strings(sentences):
            text = getattr(sentences, "dtype", None) == tf.string
            ids = sentences if text else self.checked_inputs(sentences)
            return finish(self.vectors(self.padded_ids(ids)))
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size=}")
        vocabulary = self._word_ids().vocabulary
        numbers = numbers_of(check_sentences(sentences), vocabulary, self.max_words)
        result = np.zeros((len(numbers), self.dim), "float32")
        for rows in batches_by_length([len(own) for own in numbers], batch_size):
            ids = padded([numbers[row] for row in rows])
            result[rows] = finish(self._traced()(ids))
        return result

    def embed(self, x: Any) -> Any:
        """Return the vectors of `x`: `encode` with its default options."""
        return self.encode(x)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the vectors of `x`."""
        return self.vectors(self.padded_ids(x), training=training)

    def endpoints(self) -> dict[str, Endpoint]:
        """Return `encode` from `ids` and `lengths`, and with a vocabulary `encode_text` from strings.

        With a vocabulary `encode_text` is also the server's default. ONNX files do not tokenise strings: the
        vocabulary and the tokenizer that convert strings to `ids` are written next to `encode.onnx`.
        """
        inputs = {
            "ids": tf.TensorSpec((None, None), tf.int32, name="ids"),
            "lengths": tf.TensorSpec((None,), tf.int32, name="lengths"),
        }
        encode = Endpoint(
            self._encode_endpoint,
            inputs,
            sample=self._sample_ids,
            value_ranges={"ids": (0, self._num_words() - 1)},
        )
        if self.word_ids is None:
            return {"serving_default": replace(encode, formats=("saved_model",)), "encode": encode}
        files = {"vocabulary.txt": self.word_ids.vocabulary.save, "tokenizer.py": _copy_tokenizer}
        text = Endpoint(
            self._encode_text_endpoint,
            {"text": tf.TensorSpec((None,), tf.string, name="text")},
            formats=("saved_model",),
            sample=self._sample_text,
            tables=(self.word_ids.table,),
        )
        return {"serving_default": text, "encode": replace(encode, files=files), "encode_text": text}

    # Parts

    def _word_ids(self):
        if self.word_ids is None:
            raise InputError(
                f"{type(self).__name__} must have a vocabulary to encode strings. Received: vocabulary=None. "
                'Pass `vocabulary=` to the model, or pass {"ids":, "lengths":} instead of strings.'
            )
        return self.word_ids

    def _traced(self):
        """Return `vectors` as a graph, traced once for all shapes."""
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
        """Return word ids, also after the end of sentences, where they must be ignored."""
        shape = inputs["ids"].shape
        ids = 1 + np.arange(np.prod(shape)).reshape(shape) % (self._num_words() - 1)
        return {**inputs, "ids": ids}

    def _sample_text(self, inputs):
        """Return sentences of different lengths, one of them without words."""
        words = self.vocabulary.words
        texts = [" ".join(words[: 3 * row]) for row in range(len(inputs["text"]))]
        return {"text": np.array([text.encode() for text in texts])}

    def _num_words(self):
        return self._known_words() or min(self._table_sizes(), default=FIRST_WORD)

    def _known_words(self):
        """Return the number of word ids; `None` if it is unknown which of several tables has the words."""
        if self.word_ids is not None:
            return len(self.vocabulary)
        sizes = self._table_sizes()
        return sizes.pop() if len(sizes) == 1 else None

    def _table_sizes(self):
        return {la.input_dim for la in self._flatten_layers() if isinstance(la, keras.layers.Embedding)}

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        shape = input_shape["ids"] if isinstance(input_shape, dict) else input_shape
        return (shape[0], self.dim)

    def get_config(self) -> dict[str, Any]:
        words = None if self.word_ids is None else list(self.word_ids.vocabulary.words)
        return {**super().get_config(), "vocabulary": words, "max_words": self.max_words}


def _copy_tokenizer(path):
    path.write_bytes(Path(tokenizer.__file__).read_bytes())


def _are_strings(x):
    if isinstance(x, (dict, keras.KerasTensor)) or ops.is_tensor(x):
        return False
    return getattr(getattr(x, "dtype", None), "kind", "O") in "USO"  # also arrays and columns of tables


def unit_length(vectors: Any) -> Any:
    """Return the vectors divided by their lengths; zero vectors are not changed."""
    return ops.normalize(vectors, axis=-1, epsilon=1e-12)


WORDS_AT_ONCE = 2**15  # rows x longest sentence of a batch; bounds the memory for very long sentences


def check_sentences(sentences: Any) -> list[str]:
    """Return the sentences as a list.

    Raises:
        InputError: the sentences are not a list, or an entry is not a string.
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


def batches_by_length(lengths: list[int], batch_size: int):
    """Return the row indices of each batch, the longest sentences first, so that there is little padding.

    Args:
        lengths: number of words of each sentence.
        batch_size: maximum number of rows of a batch; fewer for long sentences.

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


def numbers_of(sentences: list[str], vocabulary: Vocabulary, max_words: int | None = None) -> list[list[int]]:
    """Return the word ids of each sentence."""
    return [vocabulary.ids(tokenize(sentence)[:max_words]) for sentence in sentences]


def padded(numbers: list[list[int]]) -> np.ndarray:
    """Return int32 `(sentences, words)`, zero after the end of each, with at least one column."""
    ids = np.zeros((len(numbers), max(1, max(map(len, numbers), default=0))), "int32")
    for row, own in zip(ids, numbers, strict=True):
        row[: len(own)] = own
    return ids
