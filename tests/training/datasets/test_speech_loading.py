"""Speech from a folder and from an .npz file, whole and broken."""

import numpy as np
import pytest
import soundfile

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import load_speech
from keras_ae.training.datasets._splits import draw_splits

RATE = 16_000


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype("float32")


@pytest.fixture
def arrays():
    """The arrays of an .npz file: 10 utterances at 8 kHz."""
    lengths = 400 + 10 * np.arange(10)
    audio = np.random.default_rng(0).integers(-9000, 9000, lengths.sum()).astype("int16")
    return {
        "audio": audio,
        "offsets": np.cumsum([0, *lengths]),
        "sample_rate": np.array(8000),
        "speaker": np.arange(10) % 2,
        "speaker_names": np.array(["ann", "bob"]),
        "word": np.arange(10) // 5,
        "take": np.arange(10) + 3,
        "is_test": np.arange(10) >= 8,
    }


def save(path, arrays):
    np.savez(path, **arrays)
    return path


def test_names_of_files_tell_label_and_speaker(recordings):
    data = load_speech(recordings, level=None)
    assert (data.labels, data.speakers, data.sample_rate) == (("no", "yes"), ("ann", "bob", "cid"), RATE)
    assert sum(map(len, (data.train, data.validation, data.test))) == 12
    for split in (data.train, data.validation, data.test):
        assert set(split.factors()) == {"label", "speaker", "take"}
        for index, row in enumerate(split.rows):
            name = split.store.paths[row].name
            assert name.startswith(
                f"{data.labels[split.label[index]]}_{data.speakers[split.speaker[index]]}_"
            )
            waveform = split.waveform(index)
            assert len(waveform) == split.lengths[index]
            # 16 bits, see test_audio_reading
            np.testing.assert_allclose(waveform, soundfile.read(split.store.paths[row])[0], atol=1e-7)
    assert data.description["problems"] == []


@pytest.mark.parametrize("names", [("train", "dev", "test"), ("Set/Training", "Set/val", "Set/testing")])
def test_folders_named_after_splits_are_splits_of_speech(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir(parents=True)
        soundfile.write(tmp_path / name / "a.wav", noise(1000), RATE)
    data = load_speech(tmp_path)
    for name, split in zip(names, (data.train, data.validation, data.test), strict=True):
        assert [split.store.paths[row].parent for row in split.rows] == [tmp_path / name]


def test_splits_of_an_npz_file_have_the_same_names(tmp_path, arrays):
    arrays["split"] = np.array(["Training"] * 6 + ["dev"] * 2 + ["testing"] * 2)
    data = load_speech(save(tmp_path / "a.npz", arrays))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [6, 2, 2]


def test_a_constant_offset_is_no_loudness(tmp_path):
    tone = 0.005 * np.sin(np.arange(8000) / 5)
    for name, offset in (("a.wav", 0.0), ("b.wav", 0.1)):
        soundfile.write(tmp_path / name, tone + offset, RATE, subtype="FLOAT")
    split = load_speech(tmp_path, test_fraction=0, validation_fraction=0).train
    for index in range(2):
        waveform = split.waveform(index)
        assert abs(waveform.mean()) < 1e-6
        assert np.sqrt(np.mean(np.square(waveform))) == pytest.approx(0.05, rel=1e-4)
        # a window has the level of the whole
        np.testing.assert_array_equal(split.waveform(index, 100, 300), waveform[100:300])
    np.testing.assert_allclose(split.waveform(0), split.waveform(1), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*left out:UserWarning")
def test_other_formats_rates_and_sub_folders(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for place, rate in (
        ("a.flac", 44_100),
        ("deep/b.ogg", 16_000),
        ("deep/er/c.mp3", 22_050),
        ("d.wav", 8000),
    ):
        soundfile.write(tmp_path / place, noise(rate, 1), rate)
    soundfile.write(tmp_path / ".hidden" / "e.wav", noise(RATE), RATE)
    soundfile.write(tmp_path / "._f.wav", noise(RATE), RATE)
    data = load_speech(tmp_path, test_fraction=0, validation_fraction=0)
    assert [path.name for path in data.train.store.paths] == ["a.flac", "d.wav", "b.ogg", "c.mp3"]
    assert data.train.lengths.tolist() == [RATE] * 4  # a second each
    assert [len(data.train.waveform(index)) for index in range(4)] == [RATE] * 4
    assert (data.train.speaker, data.train.label, data.train.texts) == (None, None, None)
    assert data.train.factors() is None
    assert data.train.phones_of(0) is data.train.phone_frames(0, 3) is None


def test_rates_must_be_alike_where_none_is_given(recordings, complaint):
    assert load_speech(recordings, sample_rate=None).sample_rate == RATE
    soundfile.write(recordings / "no_ann_9.wav", noise(8000), 8000)
    assert "must have the same sample rate. Received: 8000, 16000 Hz; pass the rate" in complaint(
        load_speech, recordings, sample_rate=None
    )


def test_bad_files_among_many_are_named_and_left_out(recordings):
    (recordings / "no_ann_5.wav").write_bytes(b"hello" * 100)
    (recordings / "no_ann_6.flac").write_bytes(b"")
    soundfile.write(recordings / "no_ann_7.wav", noise(1), RATE)
    soundfile.write(recordings / "no_ann_8.wav", noise(0), RATE)
    (recordings / "notes.wav").write_bytes(b"not named like the others")
    with pytest.warns(UserWarning, match=r"5 files are left out") as caught:
        data = load_speech(recordings)
    assert len([warning for warning in caught if "files are" in str(warning.message)]) == 1
    assert sum(map(len, (data.train, data.validation, data.test))) == 12
    problems = "\n".join(data.description["problems"])
    assert data.description["left_out"]["examples"] == {
        "not named <label>_<speaker>_<take>": ["notes.wav"],
        "unreadable": ["no_ann_5.wav", "no_ann_6.flac", "no_ann_8.wav"],
        "shorter than 0.01 s": ["no_ann_7.wav"],
    }
    assert f"left out: {recordings / 'no_ann_5.wav'} is not readable wav audio" in problems
    assert "no_ann_6.flac is an empty file" in problems
    assert "no_ann_7.wav contains 1 sample at 16000 Hz, less than 0.01 seconds." in problems
    assert "no_ann_8.wav contains no samples" in problems
    batches = list(data.train.batches(4).as_numpy_iterator())
    assert sum(len(batch["x"]) for batch in batches) == len(data.train)


def test_silent_and_clipped_files_are_kept_and_named(recordings):
    soundfile.write(recordings / "no_ann_5.wav", np.full(3000, 0.2), RATE)  # a constant is no sound
    soundfile.write(recordings / "no_ann_6.wav", np.clip(20 * noise(3000), -1, 1), RATE)
    with pytest.warns(UserWarning, match="2 are suspicious: 1 silent"):
        data = load_speech(recordings)
    silent, clipped = data.description["problems"]
    assert silent == f"kept: {recordings / 'no_ann_5.wav'} is silent."
    assert clipped.startswith(
        f"kept: {recordings / 'no_ann_6.wav'} is clipped, 8"
    )  # 5 of 6 samples, see noise
    assert sum(map(len, (data.train, data.validation, data.test))) == 14


def test_folders_without_anything_usable(tmp_path, complaint):
    assert "must contain audio files (.wav, .flac, .ogg, .mp3" in complaint(load_speech, tmp_path)
    (tmp_path / "a.wav").write_bytes(b"hello")
    assert "contains no usable audio file; 1 problems: left out: " in complaint(load_speech, tmp_path)


def test_file_that_vanishes_later_is_named(recordings):
    data = load_speech(recordings, test_fraction=0, validation_fraction=0)
    (recordings / "yes_cid_1.wav").unlink()
    with pytest.raises(Exception, match=r"yes_cid_1\.wav does not exist"):
        list(data.train.batches(4))


def test_npz(tmp_path, arrays):
    data = load_speech(save(tmp_path / "words.npz", arrays), sample_rate=None, level=None)
    assert (data.name, data.sample_rate) == ("words", 8000)
    assert (data.speakers, data.labels) == (("ann", "bob"), ("0", "1"))
    assert data.test.rows.tolist() == [8, 9]
    assert len(data.validation) == 1
    assert data.description["label"] == "word"
    assert data.test.factors()["take"].tolist() == [8, 9]  # the classes are 3, ..., 12
    start, end = arrays["offsets"][8:10]
    np.testing.assert_array_equal(data.test.waveform(0), arrays["audio"][start:end] / np.float32(32768))


def test_npz_of_mu_law_with_phones_texts_and_splits(tmp_path, arrays):
    arrays["audio_mulaw"] = (arrays.pop("audio") // 128 + 128).astype("uint8")
    arrays |= {
        "split": np.array(["train"] * 6 + ["validation"] * 2 + ["test"] * 2),
        "text": np.array([f"word {row}" for row in range(10)]),
        "phone_start": np.tile([0, 100], 10),
        "phone": np.tile([1, 0], 10),
        "phone_offsets": 2 * np.arange(11),
        "phone_names": np.array(["a", "_"]),
    }
    del arrays["is_test"]
    data = load_speech(save(tmp_path / "a.npz", arrays))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [6, 2, 2]
    assert data.validation.texts == ["word 6", "word 7"]
    assert data.phones == ("a", "_")
    assert data.train.phones_of(0) == [(0, "_"), (200, "a")]  # at 16 kHz
    assert data.train.lengths[0] == 800


def test_numbers_without_names_and_ids_as_names(tmp_path, arrays):
    del arrays["speaker_names"]
    arrays["speaker_id"] = np.array([103, 7])
    assert load_speech(save(tmp_path / "a.npz", arrays)).speakers == ("103", "7")
    del arrays["speaker_id"]
    assert load_speech(save(tmp_path / "b.npz", arrays)).speakers == ("0", "1")


def test_names_of_an_npz_file_are_columns(tmp_path, arrays):
    del arrays["speaker_names"]
    arrays["speaker"] = np.array(["ann", "bob "] * 5)
    arrays["label"] = np.array([b"no", b"yes"] * 5)
    arrays |= {"notes": np.array(["loud", ""] * 5), "snr": np.ones(10), "text": np.array(["Yes"] * 10)}
    with pytest.warns(DataWarning, match=r"1 array is left out: 1 not used \(snr\)"):
        data = load_speech(save(tmp_path / "a.npz", arrays))
    assert (data.speakers, data.labels) == (("ann", "bob"), ("no", "yes"))
    assert data.description["incomplete_columns"] == ["notes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speaker": np.array(["ann"] * 9 + [" "])}, "Received: 1 empty, the first in row 9 of speaker"),
        ({"sample_rate": None}, "must have the keys audio or audio_mulaw, offsets and sample_rate"),
        (
            {"audio": np.zeros(9, "complex64")},
            "must be a one-dimensional array of int16 or int32 or float32 or float64",
        ),
        ({"audio": np.full(4450, 3.0)}, "must be floats in [-1, 1]"),
        ({"audio": np.full(4450, np.nan)}, "must be floats in [-1, 1]"),
        ({"offsets": np.array([0, 9_999_999])}, "must be ascending offsets into the 4450 samples"),
        ({"offsets": np.zeros(11, "int64")}, "none empty"),
        ({"sample_rate": np.array([8000, 1])}, "must be one number, in Hz"),
        ({"speaker": np.arange(10)}, "must be indices of the 2 class names"),
        ({"split": np.array(["train"] * 9 + ["exam"])}, "Received: exam"),
        ({"text": np.array(["a"])}, "must have one entry of text per utterance. Received: 1 for 10"),
    ],
)
def test_broken_npz_files(tmp_path, complaint, arrays, change, message):
    arrays = {key: value for key, value in {**arrays, **change}.items() if value is not None}
    assert message in complaint(load_speech, save(tmp_path / "a.npz", arrays))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "nowhere"}, 'nowhere does not exist: the source must be "espeak", a folder'),
        ({"source": __file__}, "Received: a file ending in .py"),
        ({"level": "loud"}, 'level must be "rms"'),
        ({"test_fraction": 1.0}, "test_fraction must be at least 0 and below 1"),
        ({"sample_rate": 0}, "sample_rate must be at least 1 Hz"),
        ({"split_by": "word"}, 'split_by must be "utterance" or "speaker"'),
        ({"seed": -1}, "seed must be at least 0"),
        ({"source": __file__, "voices": 3}, "voices must be used only with the source espeak"),
    ],
)
def test_impossible_arguments(complaint, arguments, message):
    assert message in complaint(load_speech, **arguments)


def test_unknown_label(recordings, complaint):
    assert "must have a column word. Received: label, speaker, take" in complaint(
        load_speech, recordings, label="word"
    )


def test_split_by_speaker_keeps_speakers_apart(recordings):
    data = load_speech(recordings, split_by="speaker")
    present = [set(split.speaker.tolist()) for split in (data.train, data.validation, data.test)]
    assert [len(speakers) for speakers in present] == [1, 1, 1]
    assert len(set.union(*present)) == 3


def test_drawn_splits_are_shares_and_depend_on_the_seed(complaint):
    rows = draw_splits(None, np.arange(100), {"test": 0.2, "validation": 0.1}, seed=0)
    assert {name: len(chosen) for name, chosen in rows.items()} == {"train": 72, "test": 20, "validation": 8}
    assert sorted(np.concatenate(list(rows.values()))) == list(range(100))
    again = draw_splits(None, np.arange(100), {"test": 0.2, "validation": 0.1}, seed=0)
    assert all(np.array_equal(rows[name], again[name]) for name in rows)
    other = draw_splits(None, np.arange(100), {"test": 0.2, "validation": 0.1}, seed=1)
    assert not np.array_equal(rows["test"], other["test"])
    assert "utterance must have a speaker for a split by" in complaint(draw_splits, None, None, {}, 0)
    assert "Received: only 1 left" in complaint(draw_splits, None, np.arange(1), {"test": 0.5}, 0)
    official = np.array(["test", "validation"])
    for fractions in ({"test": 0.5, "validation": 0.5}, {"test": 0.5}):
        assert "must contain examples for training. Received: 1 for test, 1 for validation" in complaint(
            draw_splits, official, np.arange(2), fractions, 0
        )
    assert "must contain examples for training. Received: 2 for test" in complaint(
        draw_splits, np.array(["test"] * 2), np.arange(2), {"test": 0.5, "validation": 0.5}, 0
    )
