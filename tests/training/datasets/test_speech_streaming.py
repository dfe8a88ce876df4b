"""Speech read once, for encoding."""

import numpy as np
import pytest
import soundfile

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import load_speech, stream_speech
from keras_ae.training.datasets.speech.waveforms import levelled

RATE = 16_000


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        path = tmp_path / f"part{number % 2}" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(number).uniform(-0.3, 0.3, 1000 + number)
        soundfile.write(path, noise, RATE)
    return tmp_path


def test_folder_in_order(folder):
    stream = stream_speech(folder, RATE)
    names = ["part0/0.wav", "part0/2.wav", "part0/4.wav", "part1/1.wav", "part1/3.wav"]
    assert stream.names == names
    assert len(stream) == 5
    for _ in range(2):  # it can be iterated anew
        assert [name for name, _ in stream] == names
    for name, waveform in stream:
        stored, _ = soundfile.read(folder / name, dtype="float32")
        np.testing.assert_allclose(waveform, levelled(stored, "rms"), atol=1e-6)


def test_one_file_at_another_rate(folder):
    (name, waveform), *others = stream_speech(folder / "part1" / "3.wav", 8000, level=None)
    assert (name, len(waveform), others) == ("3.wav", 502, [])


def test_manifest_is_the_order_and_what_it_does_not_list_is_named(folder):
    (folder / "manifest.csv").write_text("path\npart1/3.wav\npart0/0.wav\n")
    stream = stream_speech(folder, RATE)
    assert stream.names == ["part1/3.wav", "part0/0.wav"]
    with pytest.warns(DataWarning, match="3 files are left out: 3 not in manifest.csv"):
        list(stream)


def test_of_a_manifest_the_paths_alone_matter(folder):
    (folder / "manifest.csv").write_text("path,speaker,split,notes\npart1/3.wav,,exam,\npart0/0.wav,ann,,\n")
    assert stream_speech(folder, RATE).names == ["part1/3.wav", "part0/0.wav"]


def test_every_recording_is_taken_however_it_is_named(tmp_path):
    names = ["7_george_1.wav", "7_george_2.wav", "7_george_3.wav", "hello.wav", "take"]
    for name in names:
        soundfile.write(tmp_path / name, np.sin(np.arange(1000)), RATE, format="WAV")
    assert stream_speech(tmp_path, RATE).names == names


def test_folders_of_splits_are_all_read(tmp_path):
    for name in ("test/a.wav", "valid/b.wav", "other/c.wav"):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, np.sin(np.arange(1000)), RATE)
    assert stream_speech(tmp_path, RATE).names == ["other/c.wav", "test/a.wav", "valid/b.wav"]


def test_files_that_a_manifest_lists_and_that_are_missing_are_named_together(folder, complaint):
    (folder / "manifest.csv").write_text("path\npart1/3.wav\nx.wav\ny.wav\n")
    assert "2 missing (x.wav, y.wav)" in complaint(stream_speech, folder, RATE)


def test_all_broken_recordings_are_named_at_once_or_left_out(folder, complaint):
    for name in ("part0/2.wav", "part1/3.wav"):
        (folder / name).write_bytes(b"hello")
    message = complaint(list, stream_speech(folder, RATE))
    assert "2.wav is not readable wav audio" in message
    assert "1 more cannot be read: part1/3.wav. Or leave them out: --skip-broken" in message
    stream = stream_speech(folder, RATE, skip_broken=True)
    with pytest.warns(DataWarning, match=r"2 unreadable \(part0/2.wav, part1/3.wav\)"):
        names = [name for name, _ in stream]
    assert names == stream.names == ["part0/0.wav", "part0/4.wav", "part1/1.wav"]


def test_silent_recordings_are_named(folder):
    soundfile.write(folder / "part0" / "2.wav", np.full(1000, 0.2), RATE)
    soundfile.write(folder / "part1" / "3.wav", 0.0005 * np.sin(np.arange(1000)), RATE)
    stream = stream_speech(folder, RATE)
    with pytest.warns(
        DataWarning, match=r"2 are suspicious: 1 silent \(part0/2.wav\); 1 nearly silent \(part1"
    ):
        list(stream)
    assert stream.silent == {"part0/2.wav": "silent", "part1/3.wav": "nearly silent"}


def test_shards_share_the_work(folder):
    whole = dict(stream_speech(folder, RATE))
    shards = [stream_speech(folder, RATE, (index, 3)) for index in range(3)]
    assert [len(shard) for shard in shards] == [2, 2, 1]
    together = {name: waveform for shard in shards for name, waveform in shard}
    assert set(together) == set(whole)
    assert all(np.array_equal(together[name], whole[name]) for name in whole)


def test_npz_gives_what_training_sees(tmp_path):
    audio = np.random.default_rng(0).integers(-9000, 9000, 900).astype("int16")
    path = tmp_path / "a.npz"
    np.savez(path, audio=audio, offsets=[0, 400, 900], sample_rate=8000)
    data = load_speech(path, test_fraction=0, validation_fraction=0)
    streamed = list(stream_speech(path, RATE))
    assert [name for name, _ in streamed] == ["0", "1"]
    for index, (_, waveform) in enumerate(streamed):
        np.testing.assert_array_equal(waveform, data.train.waveform(index))


def test_broken_file_is_named_on_the_way(folder, complaint):
    (folder / "part0" / "2.wav").write_bytes(b"hello")
    stream = iter(stream_speech(folder, RATE))
    next(stream)
    assert "2.wav is not readable wav audio" in complaint(next, stream)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "nowhere"}, "nowhere does not exist"),
        ({"source": "nowhere.wav"}, "nowhere.wav does not exist"),
        ({"shard": (2, 2)}, "shard must be (i, n)"),
        ({"sample_rate": 0}, "sample_rate must be at least 1 Hz"),
        ({"level": "loud"}, "level must be"),
    ],
)
def test_impossible_arguments(folder, complaint, arguments, message):
    assert message in complaint(stream_speech, **{"source": folder, "sample_rate": RATE, **arguments})
