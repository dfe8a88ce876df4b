"""Tables of word vectors."""

import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.text import Vocabulary, WordVectors

TABLE = WordVectors(["the", "猫", "dog"], [[1, 2], [3, 4], [5, 9]])


def test_rows_of_a_vocabulary():
    rows = TABLE.rows(Vocabulary(["dog", "cow", "the"]))
    assert rows.dtype == np.float32
    # padding, unknown, dog, cow, the
    np.testing.assert_array_equal(rows, [[0, 0], [3, 5], [5, 9], [3, 5], [1, 2]])
    assert TABLE.coverage(Vocabulary(["dog", "cow", "the"])) == pytest.approx(2 / 3)


def test_saved_and_loaded(tmp_path):
    loaded = WordVectors.load(TABLE.save(tmp_path / "table.npz"))
    assert loaded.words == TABLE.words
    np.testing.assert_array_equal(loaded.vectors, TABLE.vectors)


@pytest.mark.parametrize("header", ["3 2\n", ""])
def test_text_of_word2vec_glove_and_fasttext(tmp_path, header):
    path = tmp_path / "table.vec"
    path.write_text(header + "the 1 2\n猫 3 4 \nthe 7 7\ndog 5 9e0\n", encoding="utf-8")
    loaded = WordVectors.load(path)
    assert loaded.words == TABLE.words
    np.testing.assert_array_equal(loaded.vectors, TABLE.vectors)
    assert WordVectors.load(path, limit=2).words == ("the", "猫")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\nb 1\n", "line 2 must be a word and 2 numbers"),
        ("a 1 2\nb 1 x\n", "line 2"),
        ("", "a vector for each of 0 words"),
        ("a nan 1\n", "finite"),
    ],
)
def test_broken_text(tmp_path, text, message):
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        WordVectors.load(path)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        WordVectors.load(tmp_path / "none.txt")
    np.savez(tmp_path / "other.npz", x=1)
    with pytest.raises(InputError, match="cannot be read"):
        WordVectors.load(tmp_path / "other.npz")


def test_shapes_must_fit():
    with pytest.raises(InputError, match="shape"):
        WordVectors(["a"], [[1.0], [2.0]])
    with pytest.raises(InputError, match="more than once"):
        WordVectors(["a", "a"], [[1.0], [2.0]])
