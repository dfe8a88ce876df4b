"""Files of labelled sentences, and vectors that are kept."""

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.errors import DataWarning
from keras_ae.evaluation import LabelledSentences, SentenceTask, load_sentence_tasks
from keras_ae.evaluation.text._sentence_vectors import SentenceVectors


def write(folder, **files):
    for name, rows in files.items():
        text = "".join("\t".join(row) + "\n" for row in rows)
        (folder / f"{name.replace('__', '.')}.tsv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    pairs = [("4.5", "NEUTRAL", "a b", "c"), ("1", "ENTAILMENT", "d", "")]
    return write(
        tmp_path,
        mood__all=[("good", "so good"), ("bad", "")],
        trec__train=[("1", "who ?", "HUM:ind"), ("0", "what ?", "ENTY:x")],
        trec__test=[("1", "whom ?", "HUM:ind")],
        sick__train=pairs,
        sick__dev=pairs[:1],
        sick__test=pairs[1:],
        stsb__train=[("3.2", "x", "y", "genre", "source")],
        mrpc=[("1", "x", "y"), ("0", "y", "z")],
    )


def test_tasks_are_those_of_the_files(folder):
    tasks = {task.name: task for task in load_sentence_tasks(folder)}
    assert list(tasks) == ["mood", "mrpc", "sick-e", "sick-r", "stsb", "trec"]
    assert tasks["mood"].train.sentences == ["so good", ""] and tasks["mood"].test is None
    assert tasks["mood"].train.target.tolist() == ["good", "bad"]
    assert tasks["trec"].test.sentences == ["whom ?"] and not tasks["trec"].pairs
    similar, entailed = tasks["sick-r"], tasks["sick-e"]
    assert similar.kind == "scores" and similar.train.target.tolist() == [4.5, 1.0]
    assert similar.train.sentences == entailed.train.sentences == ["a b", "d"]
    assert similar.validation.seconds == ["c"] and similar.test.seconds == [""]
    assert entailed.kind == "classes" and entailed.test.target.tolist() == ["ENTAILMENT"]
    assert tasks["stsb"].kind == "scores" and tasks["stsb"].train.seconds == ["y"]
    assert tasks["mrpc"].pairs and tasks["mrpc"].texts() == ["x", "y", "z"]
    assert [task.name for task in load_sentence_tasks(folder, ["trec", "sick-r"])] == ["sick-r", "trec"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_and_line_end_gives_the_same_labels(tmp_path, encoding, end):
    """A byte order mark in front of the first label would make three classes of two: no f1."""
    text = end.join(["1\tgut f\u00fcr", "0 \tb\tc", "1\td", ""])
    (tmp_path / "mood.all.tsv").write_bytes(text.encode(encoding))
    (task,) = load_sentence_tasks(tmp_path)
    assert task.train.target.tolist() == ["1", "0", "1"]
    assert task.train.sentences == ["gut f\u00fcr", "b", "d"]


def test_files_that_macos_writes_are_left_out_and_named(tmp_path):
    write(tmp_path, mood__train=[("1", "x")], mood__VAL=[("0", "y")], mood__testing=[("1", "z")])
    (tmp_path / "._mood.train.tsv").write_bytes(b"\0\5\x16\7")
    with pytest.warns(DataWarning, match=r"1 hidden \(._mood.train.tsv\)"):
        (task,) = load_sentence_tasks(tmp_path)
    assert task.validation.sentences == ["y"] and task.test.sentences == ["z"]


def test_capital_endings_are_read_and_other_files_named(tmp_path):
    (tmp_path / "MORE.TSV").write_text("1\tx\n0\ty\n")
    (tmp_path / "more.csv").write_text("1,x\n")
    with pytest.warns(DataWarning, match=r"1 .csv, no .tsv \(more.csv\)"):
        (task,) = load_sentence_tasks(tmp_path)
    assert task.name == "MORE" and task.train.sentences == ["x", "y"]


@pytest.mark.parametrize(
    ("files", "names", "words"),
    [
        ({}, None, "no .tsv file"),
        ({"a": [("1", "x")]}, ["b"], "names of tasks must be among a. Received: b"),
        ({"a": [("1", "x"), ("no tab",)]}, None, "a.tsv, line 2 must have 2 columns"),
        ({"stsb": [("high", "x", "y")]}, None, "line 1 must have a number as score. Received: 'high'"),
        ({"a__test": [("1", "x")]}, None, "must contain a.train.tsv"),
        ({"a__train": [("1", "x")], "a__dev": [("1", "x")]}, None, "must contain a.test.tsv"),
        ({"a__train": [("1", "x")], "a__all": [("1", "x")]}, None, "are both the train part of a"),
        ({"a": [("1", "x"), (" ", "y")]}, None, "a.tsv, line 2 must have a label in column 1"),
        ({"a": []}, None, "Received: {'sentences': 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, files, names, words):
    with pytest.raises(InputError, match="(?s).*") as caught:
        load_sentence_tasks(write(tmp_path, **files), names)
    assert words in str(caught.value)


def test_a_task_is_of_one_kind():
    classes, scores = LabelledSentences(["a"], [1]), LabelledSentences(["a"], [1.5])
    with pytest.raises(
        InputError, match="parts of t must have the same kind of target.* Received: classes with"
    ):
        SentenceTask("t", classes, test=scores)
    with pytest.raises(
        InputError, match="parts of t must have the same kind of target.* Received: classes with"
    ):
        SentenceTask("t", classes, test=LabelledSentences(["a"], [1], ["b"]))
    with pytest.raises(InputError, match="sentences, target, seconds must have the same length"):
        LabelledSentences(["a"], [1], ["b", "c"])
    with pytest.raises(InputError, match="must be finite"):
        LabelledSentences(["a"], [np.nan])


class Lengths:
    """An encoder that counts what it is given."""

    def __init__(self, scale=1.0):
        self.scale, self.seen = scale, []

    def encode(self, sentences):
        self.seen += sentences
        return np.array([[len(sentence), sentence.count("a")] for sentence in sentences]) * self.scale


def test_sentences_are_encoded_once_and_kept(tmp_path):
    path, encoder = tmp_path / "kept" / "vectors.npz", Lengths()
    vectors = SentenceVectors(encoder, ["a", "bcd", "a", "ü\n", ""], path)
    assert encoder.seen == ["a", "bcd", "ü\n", ""]
    assert vectors(["bcd", "", "a", "a"]).tolist() == [[3, 0], [0, 0], [1, 1], [1, 1]]
    encoder.seen.clear()
    more = SentenceVectors(encoder, ["ü\n", "aaaa", "bcd"], path)
    assert encoder.seen == ["ü\n", "bcd", "aaaa"]  # two to compare with, one that is new
    assert more(["aaaa", "ü\n"]).tolist() == [[4, 4], [2, 0]]
    assert SentenceVectors(encoder, ["", "aaaa"], path)(["aaaa", ""]).tolist() == [[4, 4], [0, 0]]


def test_vectors_of_another_encoder_are_noticed(tmp_path):
    path = tmp_path / "vectors.npz"
    SentenceVectors(Lengths(), ["a", "bcd"], path)
    with pytest.warns(UserWarning, match="another encoder"):
        vectors = SentenceVectors(Lengths(2.0), ["bcd", "a"], path)
    assert vectors(["bcd"]).tolist() == [[6, 0]]
    path.write_text("no file of vectors")
    with pytest.raises(InputError, match="contains no sentence vectors"):
        SentenceVectors(Lengths(), ["a"], path)


@pytest.mark.parametrize(
    "wrong", [np.zeros(3), np.zeros((2, 4)), np.full((3, 1), np.nan), np.array([["x"]] * 3)]
)
def test_an_encoder_gives_a_vector_for_each_sentence(wrong):
    with pytest.raises(InputError):
        SentenceVectors(lambda sentences: wrong, ["a", "b", "c"])
