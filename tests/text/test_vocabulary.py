"""Numbers of words, and the file that stands beside an ONNX model."""

import shutil
import subprocess
import sys

import pytest

from keras_ae.errors import InputError
from keras_ae.text import Vocabulary, tokenize, tokenizer

SENTENCES = [tokenize(text) for text in ("the cat saw the dog .", "The dog ran .", "é # 猫")]


def test_frequent_words_come_first():
    vocabulary = Vocabulary.of(SENTENCES)
    assert vocabulary.words == ("the", ".", "dog", "#", "cat", "ran", "saw", "é", "猫")
    assert len(vocabulary) == 11
    assert Vocabulary.of(SENTENCES, size=5).words == ("the", ".", "dog")
    assert Vocabulary.of(SENTENCES, min_count=3).words == ("the",)
    assert Vocabulary.of(reversed(SENTENCES)) == vocabulary  # the order of the text does not count


def test_numbers_and_words():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.ids(["b", "x", "a"]) == [3, 1, 2]
    assert vocabulary.tokens([3, 1, 2, 0, 0]) == ["b", "<unk>", "a"]
    assert vocabulary.ids([]) == vocabulary.tokens([]) == []
    assert "a" in vocabulary
    assert "" not in vocabulary


def test_saved_and_loaded(tmp_path):
    vocabulary = Vocabulary.of(SENTENCES)
    path = vocabulary.save(tmp_path / "words.txt")
    assert Vocabulary.load(path) == vocabulary
    header, *words = path.read_text(encoding="utf-8").splitlines()
    assert header.startswith("# keras_ae vocabulary 1 sha256=")
    assert words == list(vocabulary.words)


def test_file_needs_no_keras_ae(tmp_path):
    """What the documentation says of a device without TensorFlow."""

    vocabulary = Vocabulary.of(SENTENCES)
    vocabulary.save(tmp_path / "words.txt")
    shutil.copy(tokenizer.__file__, tmp_path)
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from tokenizer import tokenize
words = open(sys.argv[1] + "/words.txt", encoding="utf-8").read().split("\\n")[1:-1]
numbers = {word: number for number, word in enumerate(words, 2)}
print([numbers.get(token, 1) for token in tokenize("The 猫 barks .")])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path)], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.stdout.strip() == str(vocabulary.ids(tokenize("The 猫 barks ."))), done.stderr


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: Vocabulary(["a", "b", "a"]), "'a' more than once"),
        (lambda path: Vocabulary(["a b"]), "without white space"),
        (lambda path: Vocabulary([""]), "without white space"),
        (lambda path: Vocabulary([3]), "without white space"),
        (lambda path: Vocabulary(["a"]).tokens([3]), "from 0 to 2"),
        (lambda path: Vocabulary.of([["a"]], min_count=2), "at least 2 times"),
        (lambda path: Vocabulary.of([["a"]], size=2), "at least 3"),
        (lambda path: Vocabulary.load(path / "none.txt"), "cannot be read"),
        (lambda path: Vocabulary.load(__file__), "must be a vocabulary"),
    ],
)
def test_complaints(make, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_changed_file_is_refused(tmp_path):
    path = Vocabulary(["a", "b"]).save(tmp_path / "words.txt")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match="changed or cut short"):
        Vocabulary.load(path)
