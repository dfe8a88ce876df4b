"""Vocabulary expansion against the normal equations, and what becomes of words."""

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.text import Vocabulary, WordVectors, expand_vocabulary

RNG = np.random.default_rng(0)
WORDS = [f"w{number}" for number in range(40)]
TABLE = WordVectors([*WORDS[10:], "new", "York", "new_york", "new york", "W5"], RNG.normal(size=(35, 4)))
VOCABULARY = Vocabulary(WORDS)
MAP = RNG.normal(size=(4, 3))
EMBEDDING = RNG.normal(size=(42, 3)).astype("float32")
EMBEDDING[12:] = TABLE.vectors[:30] @ MAP + 0.1 * RNG.normal(size=(30, 3))


@pytest.mark.parametrize("ridge", [0.0, 7.0])
def test_the_map_solves_the_normal_equations_of_the_shared_words(ridge):
    expanded = expand_vocabulary(EMBEDDING, VOCABULARY, TABLE, ridge=ridge)
    # W5 becomes w5, which has a row of its own: shared as well
    x = TABLE.vectors[[34, *range(30)]].astype("float64")
    y = EMBEDDING[[7, *range(12, 42)]].astype("float64")
    linear = np.linalg.solve(x.T @ x + ridge * np.eye(4), x.T @ y)
    np.testing.assert_allclose(expanded.embedding[42:], TABLE.vectors[30:32] @ linear, rtol=1e-4, atol=1e-5)
    residual = np.square(y - x @ linear).sum() / np.square(y - y.mean(axis=0)).sum()
    assert expanded.r2 == pytest.approx(1 - residual)
    assert expanded.r2_held_out < expanded.r2
    assert (expanded.shared, expanded.added) == (31, 2)
    assert expanded.results()["r2"] == expanded.r2
    with pytest.warns(DeprecationWarning, match="is now ExpandedVocabulary.results"):
        assert expanded.figures() == expanded.results()


def test_words_keep_their_numbers_and_rows():
    expanded = expand_vocabulary(EMBEDDING, VOCABULARY, TABLE)
    np.testing.assert_array_equal(expanded.embedding[:42], EMBEDDING)
    assert expanded.vocabulary.words == (*WORDS, "new", "york")  # no sentence has a token "new_york"
    assert expanded.vocabulary.ids(["w3", "york", "other"]) == [5, 43, 1]


def test_a_word_that_is_a_token_comes_before_one_that_becomes_it():
    rows = RNG.normal(size=(23, 4))
    table = WordVectors(["Paris", *WORDS[:20], "paris", "PARIS"], rows)
    identity = np.concatenate([np.zeros((2, 4)), rows[1:21]])
    expanded = expand_vocabulary(identity, Vocabulary(WORDS[:20]), table)
    np.testing.assert_allclose(expanded.embedding[-1], rows[21], rtol=1e-5)
    assert expanded.added == 1 and expanded.r2_held_out == pytest.approx(1)


def test_noise_is_not_explained_on_held_out_words():
    noise = RNG.normal(size=(42, 3))
    expanded = expand_vocabulary(noise, VOCABULARY, TABLE)
    assert expanded.r2 > 0 > expanded.r2_held_out


@pytest.mark.parametrize(
    ("embedding", "table", "ridge", "words"),
    [
        (EMBEDDING[:-1], TABLE, 0.0, r"\(42, dim\)"),
        (EMBEDDING, TABLE, -1.0, "ridge must be at least 0"),
        (EMBEDDING, WordVectors(["mot", *WORDS[:9]], np.ones((10, 2))), 0.0, "Received: 9 of 40"),
    ],
)
def test_what_cannot_be_expanded(embedding, table, ridge, words):
    with pytest.raises(InputError, match=words):
        expand_vocabulary(embedding, VOCABULARY, table, ridge=ridge)
