"""Batches of training sentences."""

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.vocabulary import Vocabulary
from keras_ae.training.datasets._orders import BlockOrder, BucketedOrder
from keras_ae.training.datasets._reading import read_ahead
from keras_ae.training.datasets.batch_stream import BatchStream
from keras_ae.training.datasets.text.data import TextSplit

PADDED_TO = 8  # words; padded lengths are multiples of it, so that few shapes are compiled
IDS, NUMBERS = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)


def sentence_blocks(
    split: TextSplit, vocabulary: Vocabulary, block_size: int, seed: int | None, *, max_words: int = 50
) -> BatchStream:
    """Return blocks of consecutive sentences for a training that can be resumed exactly, see `BatchStream`.

    A batch is `{"ids": (sentences, words), "lengths", "document", "position", "sentence":
    (sentences,)}`, all int32. `ids` are word ids of the vocabulary, zero after the end of each
    sentence. Two rows are neighbours if their `document` is equal and their `position` differs by one:
    blocks may contain several documents, and an epoch wraps around at the end of the text. Equal
    numbers in `sentence` mark sentences with equal tokens within the batch.

    Args:
        split: the documents.
        vocabulary: the vocabulary.
        block_size: sentences per block; if there are fewer sentences, all are one block.
        seed: seed of the start and the order of the blocks, see `BlockOrder`; `None`: always the
            same blocks, in order, for validation.
        max_words: maximum number of words per sentence; further words are cut off.

    Raises:
        InputError: there are fewer than two sentences; `block_size` is below 2; `seed` or
            `max_words` is too small.

    Example:

    >>> from keras_ae.training.datasets import load_text
    >>> data = load_text(packages=["json"])
    >>> vocabulary = Vocabulary.of(data.train.tokens(), size=100)
    >>> batch = next(sentence_blocks(data.train, vocabulary, 2, None).dataset.as_numpy_iterator())
    >>> batch["document"].tolist(), batch["position"].tolist(), batch["sentence"].tolist()
    ([0, 0], [0, 1], [0, 1])
    """
    _check(max_words)
    if block_size < 2 or len(split) < 2:
        raise InputError(
            "Blocks must have at least two sentences. "
            f"Received: block_size={block_size} and {len(split)} sentences"
        )

    def block(indices):
        tokens = [tokenize(sentence)[:max_words] for sentence in split.sentences(indices)]
        ids, lengths = _padded(vocabulary, tokens, max_words)
        numbers: dict[tuple, int] = {}
        return {
            "ids": ids,
            "lengths": lengths,
            "document": split.document(indices),
            "position": split.position(indices),
            "sentence": np.array([numbers.setdefault(tuple(t), len(numbers)) for t in tokens], "int32"),
        }

    signature = {"ids": IDS} | dict.fromkeys(("lengths", "document", "position", "sentence"), NUMBERS)
    return _stream(BlockOrder(len(split), block_size, seed), block, signature)


def sentence_triples(
    split: TextSplit, vocabulary: Vocabulary, batch_size: int, seed: int | None, *, max_words: int = 30
) -> BatchStream:
    """Return batches of sentences with the previous and the next sentence, see `BatchStream`.

    A batch is `{"ids", "previous", "next": (sentences, words), "lengths", "previous_lengths",
    "next_lengths": (sentences,)}`, all int32. Each sentence occurs once per epoch, except the
    first and last of each document. The sentences of a batch have similar lengths, see
    `BucketedOrder`; their neighbours may have any length.

    Args:
        split: the documents.
        vocabulary: the vocabulary.
        batch_size: triples per batch; one batch of an epoch may be smaller.
        seed: seed of the order; `None`: sorted by length, always the same, for validation.
        max_words: maximum number of words per sentence; further words are cut off.

    Raises:
        InputError: no document has three sentences; `batch_size`, `seed` or `max_words` is too
            small.
    """
    _check(max_words)
    middles = split.inner()
    if not len(middles):
        raise InputError("At least one document must have three or more sentences. Received: none")

    def triples(places):
        batch = {}
        for prefix, shift in (("", 0), ("previous_", -1), ("next_", 1)):
            sentences = split.sentences(middles[places] + shift)
            ids, lengths = _padded(vocabulary, [tokenize(s)[:max_words] for s in sentences], max_words)
            batch |= {prefix.rstrip("_") or "ids": ids, f"{prefix}lengths": lengths}
        return batch

    signature = dict.fromkeys(("ids", "previous", "next"), IDS)
    signature |= dict.fromkeys(("lengths", "previous_lengths", "next_lengths"), NUMBERS)
    lengths = np.minimum(split.words[middles], max_words)
    return _stream(BucketedOrder(lengths, batch_size, seed), triples, signature)


def _stream(order, make, signature):
    def dataset_of(batches):
        dataset = tf.data.Dataset.from_generator(
            lambda: read_ahead(make, (indices for _, indices in batches())), output_signature=signature
        )
        return dataset.prefetch(tf.data.AUTOTUNE)

    return BatchStream(order, dataset_of)


def _padded(vocabulary, tokens, max_words):
    """Return ids `(sentences, words)` and lengths `(sentences,)`, int32."""
    lengths = np.array([len(words) for words in tokens], "int32")
    longest = max(1, lengths.max(initial=0))
    ids = np.zeros((len(tokens), min(max_words, -(-longest // PADDED_TO) * PADDED_TO)), "int32")
    for row, words in zip(ids, tokens, strict=True):
        row[: len(words)] = vocabulary.ids(words)
    return ids, lengths


def _check(max_words):
    if max_words < 1:
        raise InputError(f"max_words must be at least 1. Received: max_words={max_words}")
