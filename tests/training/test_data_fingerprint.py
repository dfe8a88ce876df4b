"""Which changes of data and splits are noticed, for every kind of data."""

import os
import shutil

import numpy as np
import pytest

from keras_ae import InputError, audio
from keras_ae.training.datasets import SentenceData, load_images, load_speech, load_text
from keras_ae.training.run_directory import fingerprint as data_fingerprint
from keras_ae.training.run_directory.fingerprint import FILE, DataFingerprint


def fingerprint(data, source="none"):
    return DataFingerprint.of(data, source)


def test_rows_of_an_array_are_compared_exactly(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (1500, 4, 4), dtype="uint8")
    labels = np.arange(1500) % 3
    found = {}
    for name in ("before", "same", "pixel", "label", "shorter"):
        one, of = images.copy(), labels.copy()
        one[1400, 3, 3] ^= name == "pixel"
        of[7] = (of[7] + (name == "label")) % 3
        rows = slice(0, 1400 if name == "shorter" else None)
        np.savez(tmp_path / f"{name}.npz", images=one[rows], labels=of[rows])
        found[name] = fingerprint(load_images(tmp_path / f"{name}.npz"), tmp_path / f"{name}.npz")
    before = found["before"]
    assert before.differences(found["same"]) == "" and before.digest == found["same"].digest
    assert before.differences(found["pixel"]) == "1 changed (rows 1024 to 1499)"
    assert before.differences(found["label"]).startswith("other examples or labels in t")
    assert before.differences(found["shorter"]) == (
        "1 added (rows 1024 to 1399), 1 removed (rows 1024 to 1499)"
    )


def test_another_split_of_the_same_images_is_noticed():
    before, now = (fingerprint(load_images("digits", split_seed=seed)) for seed in (0, 1))
    assert before.differences(now) == "other examples or labels in train, validation, test"


@pytest.fixture
def recordings(tmp_path):
    for name in ("a_x_0", "a_y_0", "b_x_0", "b_y_0", "b_y_1"):
        audio.write_wav(tmp_path / "in" / f"{name}.wav", np.full(900, 0.1 + len(name) / 50), 8000)
    return tmp_path / "in"


@pytest.mark.filterwarnings("ignore:.*(are suspicious|left out):UserWarning")
def test_a_folder_of_recordings_may_be_moved_but_not_changed(recordings, tmp_path):
    before = fingerprint(load_speech(recordings, sample_rate=8000), recordings)
    moved = shutil.copytree(recordings, tmp_path / "moved")
    assert before.differences(fingerprint(load_speech(moved, sample_rate=8000), moved)) == ""
    audio.write_wav(moved / "b_y_1.wav", np.full(900, 0.3), 8000)  # of the same size
    os.rename(moved / "a_x_0.wav", moved / "c_x_0.wav")
    now = fingerprint(load_speech(moved, sample_rate=8000), moved)
    assert before.differences(now) == "1 added (c_x_0.wav), 1 removed (a_x_0.wav), 1 changed (b_y_1.wav)"


@pytest.mark.parametrize("place", [0, 10_000, 100_000, 199_999])
def test_large_files_are_sampled_at_beginning_middle_and_end(tmp_path, place):
    content = bytearray(200_000)
    (tmp_path / "a").write_bytes(content)
    content[place] = 1
    (tmp_path / "b").write_bytes(content)
    digests = [data_fingerprint._file_digest(tmp_path / name) for name in "ab"]
    assert digests[0] != digests[1]


def test_documents_and_the_vocabulary_are_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text").mkdir()

    def read():
        text = load_text(tmp_path / "text", sentence_per_line=True)
        return fingerprint(SentenceData.of(text), tmp_path / "text")

    for number in range(6):
        (tmp_path / "text" / f"{number}.txt").write_text(f"one two {number}\nthree four\nfive\n")
    before = read()
    os.utime(tmp_path / "text" / "0.txt", ns=(1, 1))  # read again, the same
    assert before.differences(read()) == ""
    (tmp_path / "text" / "3.txt").write_text("one two three\nthree four\nsix\n")
    assert before.differences(read()) == "1 changed (3.txt)"


def test_a_fingerprint_is_kept_in_a_run(tmp_path):
    before = fingerprint(load_images("digits"))
    before.save(tmp_path)
    assert DataFingerprint.load(tmp_path).differences(before) == ""
    assert DataFingerprint.load(tmp_path / "missing") is None
    (tmp_path / FILE).write_bytes(b"cut short")
    with pytest.raises(InputError, match="is damaged"):
        DataFingerprint.load(tmp_path)


@pytest.mark.filterwarnings("ignore:.*(are suspicious|left out):UserWarning")
@pytest.mark.parametrize("audio_moves", [False, True])
def test_a_folder_whose_manifest_has_absolute_paths_may_be_moved(recordings, tmp_path, audio_moves):
    def listed(folder):
        rows = [f"{folder / path.name},{path.stem[0]}" for path in sorted(recordings.glob("*.wav"))]
        return "\n".join(["path,speaker", *rows])

    (recordings / "manifest.csv").write_text(listed(recordings))
    before = fingerprint(load_speech(recordings, sample_rate=8000), recordings)
    assert "a_x_0.wav" in before.items
    moved = shutil.copytree(recordings, tmp_path / "other" / "moved")
    if audio_moves:
        (moved / "manifest.csv").write_text(listed(moved))
    assert before.differences(fingerprint(load_speech(moved, sample_rate=8000), moved)) == ""
