"""Text of any size to vectors: order, portions, files that are none."""

import gzip

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.text import Vocabulary
from keras_ae.training.commands import _encode_text as encode_text
from keras_ae.training.commands._encode_text import encode_sentences, of_ids, read_sentences

LINES = ["three words here", "", "one", "two\twords", "ünïcode 这", "x " * 50]


def lengths(sentences):
    return {"length": np.array([[len(sentence)] for sentence in sentences], "float32")}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_lines_are_sentences(tmp_path, ending, kind):
    content = ending.join(LINES).encode()
    path = tmp_path / ("lines.txt.gz" if kind == "gzip" else "lines.txt")
    path.write_bytes(gzip.compress(content) if kind == "gzip" else content)
    assert list(read_sentences(path)) == list(enumerate(LINES))
    assert list(read_sentences(path, (1, 4))) == [(1, ""), (5, LINES[5])]


def test_vectors_are_in_order_whatever_is_encoded_together(tmp_path, monkeypatch):
    monkeypatch.setattr(encode_text, "AT_ONCE", 4)
    batches, done = [], []

    def encode(sentences):
        batches.append(sentences)
        return lengths(sentences)

    path = encode_sentences(encode, enumerate(LINES), tmp_path / "z.npz", batch_size=2, progress=done.append)
    with np.load(path) as file:
        assert file["length"][:, 0].tolist() == [len(line) for line in LINES]
        assert file["lines"].tolist() == list(range(6)) and file["length"].dtype == "float32"
    assert [len(batch) for batch in batches] == [2, 2, 2] and done == [4, 6]
    assert batches[0] == ["three words here", "two\twords"]


def test_what_fails_leaves_no_file(tmp_path):
    def broken(sentences):
        raise KeyError("embedding")

    with pytest.raises(KeyError):
        encode_sentences(broken, enumerate(LINES), tmp_path / "z.npz")
    for path in (tmp_path, tmp_path / "no.txt"):
        with pytest.raises(InputError, match="cannot be read"):
            list(read_sentences(path))
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match="must contain sentences"):
        list(read_sentences(tmp_path / "empty.txt"))
    assert not (tmp_path / "z.npz").exists()


def test_an_empty_shard_has_the_arrays_of_the_others(tmp_path):
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    shard = read_sentences(tmp_path / "lines.txt", (2, 3))
    with np.load(encode_sentences(lengths, shard, tmp_path / "z.npz")) as file:
        assert file["length"].shape == (0, 1) and file["length"].dtype == np.float32
        assert file["lines"].shape == (0,) and file["lines"].dtype == np.int64


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_lines_of_other_encodings_keep_their_number(tmp_path, encoding):
    (tmp_path / "lines.txt").write_bytes("\r\n".join(LINES).encode(encoding))
    assert list(read_sentences(tmp_path / "lines.txt")) == list(enumerate(LINES))


def test_numbers_of_words_for_an_encoder_of_numbers():
    encode = of_ids(lambda given: given, Vocabulary(["one", "two"]))
    found = encode(["One two.", "", "two"])
    assert found["ids"].tolist() == [[2, 3, 1], [0, 0, 0], [3, 0, 0]]
    assert found["lengths"].tolist() == [3, 0, 1]
    assert found["ids"].dtype == found["lengths"].dtype == np.int32


def test_artifacts_take_text_by_strings_or_by_the_vocabulary_beside_them(tmp_path):
    from keras_ae.training.commands.encode import encode_examples, encoder_of_artifact

    class Artifact:
        preprocessing = None

        def __init__(self, *endpoints):
            shape = {"inputs": {"ids": {"shape": [None, None]}, "lengths": {"shape": [None]}}}
            self.path, self.manifest = tmp_path, {"endpoints": dict.fromkeys(endpoints, shape)}

        def run(self, endpoint, **inputs):
            return {"embedding": (endpoint, inputs)}

    strings = encoder_of_artifact(tmp_path, Artifact("encode", "encode_text"))
    endpoint, inputs = strings.encode_text(["ü", ""])["embedding"]
    assert endpoint == "encode_text" and inputs["text"].tolist() == ["ü".encode(), b""]
    without = encoder_of_artifact(tmp_path, Artifact("encode"))
    assert without.encode_text is None
    with pytest.raises(InputError, match="vocabulary.txt"):
        encode_examples(without, tmp_path / "x.txt", tmp_path / "z.npz")
    Vocabulary(["one"]).save(tmp_path / "vocabulary.txt")
    endpoint, inputs = encoder_of_artifact(tmp_path, Artifact("encode")).encode_text(["one"])["embedding"]
    assert endpoint == "encode" and inputs["ids"].tolist() == [[2]]


def test_sentences_keep_their_file_from_being_replaced(tmp_path):
    source = tmp_path / "lines.npz"  # text, whatever it is called
    source.write_text("one\ntwo\n")
    with pytest.raises(InputError, match="must not be an input"):
        encode_sentences(lambda texts: {"z": np.zeros((len(texts), 1))}, read_sentences(source), source)
    assert source.read_text() == "one\ntwo\n"
