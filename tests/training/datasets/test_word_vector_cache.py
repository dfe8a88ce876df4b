"""Word vectors that are kept: of the same text and settings, and whole."""

import numpy as np
import pytest

from keras_ae.text import WordVectors
from keras_ae.training.datasets.text import word_vectors as word_vector_cache
from keras_ae.training.datasets.text.word_vectors import cached_word_vectors


class Split(list):
    def tokens(self):
        return (sentence.split() for document in self for sentence in document)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The settings of each training."""
    calls = []

    def word_vectors(sentences, dim, **settings):
        calls.append((dim, settings["seed"]))
        words = sorted({word for sentence in sentences() for word in sentence})
        return WordVectors(words, np.full((len(words), dim), len(calls)))

    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path))
    monkeypatch.setattr(word_vector_cache, "word_vectors", word_vectors)
    return calls


def test_the_same_text_is_trained_once(trained, tmp_path):
    text = Split([["a b", "c"], ["d"]])
    first = cached_word_vectors(text, 2)
    again = cached_word_vectors(Split([["a b"], ["c", "d"]]), 2)
    assert trained == [(2, 0)] and again.words == first.words == ("a", "b", "c", "d")
    np.testing.assert_array_equal(again.vectors, first.vectors)
    for other, dim, seed in ((Split([["a b c"], ["d"]]), 2, 0), (text, 3, 0), (text, 2, 1)):
        cached_word_vectors(other, dim, seed=seed)
    assert trained[1:] == [(2, 0), (3, 0), (2, 1)]


def test_a_damaged_file_is_made_anew(trained, tmp_path):
    text = Split([["a b"]])
    cached_word_vectors(text, 2)
    (file,) = (tmp_path / "word_vectors").iterdir()
    file.write_bytes(file.read_bytes()[:50])
    assert cached_word_vectors(text, 2).vectors[0, 0] == 2
    assert cached_word_vectors(text, 2).vectors[0, 0] == 2
