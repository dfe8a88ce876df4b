"""Skip-gram on text at hand."""

import numpy as np
import pytest

from keras_ae.training.datasets import word_vectors

pytest.importorskip("gensim")


def sentences():
    """Animals share their neighbours, colours share others."""
    random = np.random.default_rng(0)
    groups = {
        "animal": (["cat", "dog"], ["runs", "eats", "sleeps"]),
        "colour": (["red", "blue"], ["paint", "wall", "ink"]),
    }
    for _ in range(600):
        words, around = groups[random.choice(list(groups))]
        yield [str(random.choice(around)), str(random.choice(words)), str(random.choice(around))]
    yield ["rare"]


def test_words_of_like_neighbours_are_alike():
    table = word_vectors(sentences, dim=8, window=2, epochs=100, seed=0)
    assert table.dim == 8
    assert len(table) == 10
    assert "rare" not in table

    def likeness(first, second):
        a, b = table[first], table[second]
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    for first, second in (("cat", "dog"), ("red", "blue")):
        assert likeness(first, second) > 0.9
        assert likeness(first, "red" if first == "cat" else "cat") < likeness(first, second) - 0.3


def test_same_seed_same_vectors():
    first, second, other = (word_vectors(sentences, 4, epochs=1, seed=seed).vectors for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_no_frequent_word(complaint):
    assert "3 or more times" in complaint(word_vectors, lambda: [["a", "b"]])
