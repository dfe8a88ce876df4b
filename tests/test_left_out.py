"""Records of what readers leave out, and the names of splits."""

import json

import pytest

from keras_ae.data_files import LeftOut, split_of, splits_of_files, splits_of_folders, splits_of_paths
from keras_ae.errors import DataWarning, InputError


def test_one_line_has_all_counts_and_a_few_names():
    left_out = LeftOut()
    for number in range(60):
        left_out.add(".webm, no image", f"{number}.webm")
    left_out.add("hidden", ".DS_Store")
    left_out.keep("silent", "a.wav")
    assert left_out.line("folder data") == (
        "folder data: 61 files are left out: 60 .webm, no image (0.webm, 1.webm, 2.webm, ...); "
        "1 hidden (.DS_Store). 1 is suspicious: 1 silent (a.wav)."
    )
    stored = json.loads(json.dumps(left_out.description()))
    assert stored["count"] == 61 and len(stored["examples"][".webm, no image"]) == 20
    assert stored["suspicious"]["by_reason"] == {"silent": 1}
    with pytest.warns(DataWarning, match="61 files"):
        left_out.warn("folder data")


def test_nothing_left_out_is_no_line(recwarn):
    LeftOut().warn("folder data")
    assert not recwarn and LeftOut().line("folder data") == "" and not LeftOut()


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["train", "val", "test"], ["train", "validation", "test"]),
        (["Training", "DEV", "testing"], ["train", "validation", "test"]),
        (["train"], ["train"]),
        (["train", "test"], ["train", "test"]),
        (["cat", "dog"], None),
        ([], None),
        (["train", "bus"], None),  # classes: nothing is named after held-out data
    ],
)
def test_folders_named_after_splits(folders, expected):
    found = splits_of_folders(folders, "data")
    assert found == (expected and dict(zip(folders, expected, strict=True)))


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["test", "valid"], "must contain a folder train next to test, valid"),
        (["test", "images"], "rename the folder of training data to train"),
        (["train", "val", "dev"], "one folder for validation. Received: dev, val"),
        (["train", "Train", "test"], "one folder for train. Received: Train, train"),
        (["train", "test", "extra"], "Received: extra next to them; move it elsewhere"),
    ],
)
def test_splits_that_cannot_be_meant_are_refused(folders, words):
    with pytest.raises(InputError, match=words):
        splits_of_folders(folders, "data")


@pytest.mark.parametrize("outer", ["", "wrap/", "a/b/"])
@pytest.mark.parametrize("split", [splits_of_files, lambda *args: splits_of_paths(*args, LeftOut())])
def test_splits_within_one_outer_folder_are_splits(split, outer):
    end = ".txt" if split is splits_of_files else "/a.png"
    names = [f"{outer}{name}{end}" for name in ("train", "dev", "test")]
    assert list(split(names, "data").values()) == ["train", "validation", "test"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train.txt", "Valid.TXT"], ["train", "validation"]),
        (["ptb.train.txt", "ptb.test.txt.gz"], ["train", "test"]),
        (["wiki.train.text.gz", "test.txt.gz"], ["train", "test"]),
        (["emma.txt", "test.txt"], []),
        (["train.txt", "bus.txt"], []),
        (["train.txt", "more/test.txt"], []),
    ],
)
def test_files_named_after_splits(names, expected):
    assert list(splits_of_files(names, "data").values()) == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["test.txt"], "must contain a file train next to test.txt"),
        (["train.txt", "train.gz", "test.txt"], "one file for train. Received: train.txt, train.gz"),
        (["train.txt", "test.txt", "README.txt"], "Received: README.txt next to them"),
    ],
)
def test_files_of_splits_that_cannot_be_meant_are_refused(names, words):
    with pytest.raises(InputError, match=words):
        splits_of_files(names, "data")


def test_names_of_splits_are_one_list():
    assert [split_of(name) for name in ("VAL", " valid ", "validation", "dev")] == ["validation"] * 4
    assert split_of("tests") is None
