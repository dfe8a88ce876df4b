"""Tokeniser for TensorFlow graphs, with the rule of `tokenize`."""

from functools import cache

import numpy as np
import tensorflow as tf

from keras_ae.text.tokenizer import (
    CODE_POINTS,
    NOTHING,
    SPACE,
    WORD,
    character_kinds,
    lower_case,
)


def tokens(strings: tf.Tensor) -> tf.RaggedTensor:
    """Return the tokens of each string, equal to those of `tokenize`, eagerly or in a graph.

    Args:
        strings: string tensor `(batch,)`, UTF-8.

    Returns:
        `tf.RaggedTensor` of strings `(batch, tokens)`.

    Example:

    >>> tokens(tf.constant(["How much?", "", "ÉTÉ"])).to_list()
    [[b'how', b'much', b'?'], [], [b'\\xc3\\xa9t\\xc3\\xa9']]
    """
    codes, kinds, rows, count = _characters(strings)
    # A word continues if the previous character in the same string is part of a word.
    before = tf.concat([[SPACE], kinds[:-1]], 0)
    same_string = tf.concat([[False], rows[1:] == rows[:-1]], 0)
    goes_on = (kinds == WORD) & (before == WORD) & same_string
    begins = (kinds != SPACE) & ~goes_on
    number = tf.cumsum(tf.cast(begins, tf.int64)) - 1
    seen = kinds != SPACE
    of_tokens = tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(codes, seen),
        tf.boolean_mask(number, seen),
        nrows=tf.math.count_nonzero(begins),
        validate=False,
    )
    words = tf.strings.unicode_encode(of_tokens, "UTF-8")
    return tf.RaggedTensor.from_value_rowids(
        words, tf.boolean_mask(rows, begins), nrows=count, validate=False
    )


def _characters(strings):
    """Return lower-case code points, kinds and string indices of relevant characters; number of strings."""
    decoded = tf.strings.unicode_decode(strings, "UTF-8", errors="replace")
    starts, kinds, shifts = _intervals()
    place = tf.searchsorted(starts, decoded.flat_values, side="right") - 1
    kind = tf.gather(kinds, place)
    counts = kind != NOTHING
    codes = decoded.flat_values + tf.gather(shifts, place)
    parts = (codes, kind, decoded.value_rowids())
    return *(tf.boolean_mask(part, counts) for part in parts), decoded.nrows()


@cache
def _intervals():
    """Return the first code points of intervals of equal kind and offset to lower case, and both values."""
    kinds = np.frombuffer(character_kinds(), "uint8").astype("int32")
    shifts = np.zeros(CODE_POINTS, "int32")
    for code, small in lower_case(character_kinds()).items():
        shifts[code] = small - code
    changes = (np.diff(kinds) != 0) | (np.diff(shifts) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1]).astype("int32")
    return starts, kinds[starts], shifts[starts]
