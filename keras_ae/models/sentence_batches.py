"""Sentences for an encoder: strings to numbers of words, batches of equal length."""

import numpy as np

from keras_ae.errors import InputError
from keras_ae.models.input_rules import is_table
from keras_ae.text.tokenizer import tokenize

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
