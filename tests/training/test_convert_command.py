"""`keras-ae convert` with small untrained converters."""

import json
import wave

import numpy as np
import pytest

from keras_ae import audio
from keras_ae.errors import InputError
from keras_ae.layers import FrameNormalization, LogMelSpectrogram
from keras_ae.models import AdaINVoiceConverter
from keras_ae.networks import adain_decoder, content_encoder, front_end, speaker_encoder
from keras_ae.training.cli import main
from keras_ae.training.commands.convert import convert

RATE = 8000


@pytest.fixture(scope="module")
def converter(tmp_path_factory):
    """The .keras file of a converter of any voice."""
    mel = LogMelSpectrogram(8, sample_rate=RATE, hop=80, window_length=200, fft_length=256)
    small = {"filters": 4, "strides": (1, 2)}
    model = AdaINVoiceConverter(
        content_encoder(8, 4, bank=2, **small),
        speaker_encoder(8, 3, bank=2, **small),
        adain_decoder(8, 2, 3, filters=4, strides=(2, 1)),
        front_end([mel, FrameNormalization()]),
    )
    path = tmp_path_factory.mktemp("converter") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder of tones of different pitch and length."""
    folder = tmp_path_factory.mktemp("recordings")
    for name, pitch, seconds in (("low", 200, 0.3), ("high", 900, 0.2)):
        tone = np.sin(2 * np.pi * pitch * np.arange(int(RATE * seconds)) / RATE).astype("float32")
        audio.write_wav(folder / f"{name}.wav", 0.1 * tone, RATE)
    return folder


def read(path):
    with wave.open(str(path)) as file:
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_a_recording_is_said_in_the_voice_of_another(converter, recordings, tmp_path, capsys):
    low, high, output = recordings / "low.wav", recordings / "high.wav", tmp_path / "new" / "out.wav"
    assert main(["convert", str(converter), str(low), str(high), str(output), "--iterations", "2"]) == 0
    rate, samples = read(output)
    # whole hops of 10 ms, the first and the last half a window
    assert rate == RATE and abs(len(samples) - 0.3 * RATE) <= 80 and np.any(samples)
    assert "out.wav: low.wav, 0.30 s" in capsys.readouterr().out
    own = tmp_path / "own.wav"
    convert(converter, low, str(low), own, iterations=2)
    assert not np.array_equal(read(own)[1], samples)  # another voice, another sound


def test_a_folder_becomes_a_folder(converter, recordings, tmp_path):
    written = convert(converter, recordings, str(recordings / "low.wav"), tmp_path / "all", iterations=1)
    assert sorted(path.name for path in written) == ["high.wav", "low.wav"]
    assert not list((tmp_path / "all").glob("*.part"))


def test_silence_is_no_voice_and_is_named_as_a_source(converter, recordings, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, amplitude in (("a", 0.0), ("b", 0.0005), ("c", 0.1)):
        audio.write_wav(folder / f"{name}.wav", amplitude * np.sin(np.arange(2400) / 5), RATE)
    main(["convert", str(converter), str(folder / "c.wav"), str(folder / "b.wav"), str(tmp_path / "o.wav")])
    assert "The target must be a recording of a voice" in (err := capsys.readouterr().err)
    assert "b.wav, which is nearly silent" in err and not (tmp_path / "o.wav").exists()
    options = [str(recordings / "low.wav"), str(tmp_path / "out"), "--iterations", "1"]
    assert main(["convert", str(converter), str(folder), *options]) == 0
    assert (
        f"keras-ae: {folder}: 2 are suspicious: 1 silent (a.wav); 1 nearly silent (b.wav).\n"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("source", "target", "output", "words"),
    [
        ("low.wav", "high.wav", "out.mp3", "the name of a .wav file. Received"),
        ("missing.wav", "high.wav", "out.wav", "missing.wav does not exist"),
        (".", "high.wav", "out.wav", "is a folder, so the output must be one"),
        ("low.wav", ".", "out.wav", "must be one recording. Received: 2"),
    ],
)
def test_bad_input_writes_nothing(converter, recordings, tmp_path, source, target, output, words):
    with pytest.raises(InputError, match=words):
        convert(converter, recordings / source, str(recordings / target), tmp_path / output)
    assert not list(tmp_path.iterdir())


def test_a_model_that_converts_nothing(recordings, tmp_path, capsys):
    import keras

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "dense.keras")
    arguments = [str(tmp_path / "dense.keras"), str(recordings / "low.wav"), "x", str(tmp_path / "o.wav")]
    assert main(["convert", *arguments]) == 2
    assert "a Sequential, which does not convert voices" in capsys.readouterr().err


class Table:
    """A converter that knows two speakers by number and says frames of that number."""

    num_speakers = 2
    speaker_encoder = None
    front_end = front_end([LogMelSpectrogram(8, sample_rate=RATE, hop=80, window_length=200, fft_length=256)])

    def convert(self, source, target):
        return np.full((1, 5, 8), float(target[0]))

    def to_waveform(self, frames, iterations):
        return np.full((1, 320), 0.25 * frames[0, 0, 0], "float32")


def test_speakers_of_a_table_have_names(recordings, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"data": {"speaker_names": ["ann", "bob"]}}))
    monkeypatch.setattr("keras_ae.training.run.Run.load_model", lambda run: Table())
    low, output = recordings / "low.wav", tmp_path / "out.wav"
    for name, level in (("ann", 0.0), ("bob", 0.25), ("1", 0.25)):
        convert(tmp_path, low, name, output)
        assert read(output)[1].max() == pytest.approx(level * 32767, abs=1)  # 16 bits
    with pytest.raises(InputError, match="must be the name or number of .* 2 .*: ann, bob. Received: eve"):
        convert(tmp_path, low, "eve", output)


# nothing is written over a recording


@pytest.fixture
def folder(recordings, tmp_path, monkeypatch):
    """Two recordings that a model of two speakers converts, and the model."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps({"data": {"speaker_names": ["ann", "bob"]}}))
    (tmp_path / "in").mkdir()
    for path in recordings.iterdir():
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("keras_ae.training.run.Run.load_model", lambda run: Table())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        ("in/low.wav", "in/low.wav", "The output in/low.wav must not be an input"),
        ("in", "in", "must not be an input"),
        ("in", "in/converted", "must not lie in in, whose files are inputs"),
        ("in", ".", "must not lie in in"),
    ],
)
def test_an_output_that_is_a_recording_is_refused(folder, capsys, source, output, words):
    if output == ".":
        (folder / "in" / "in").mkdir()
        (folder / "in" / "low.wav").rename(folder / "in" / "in" / "low.wav")
    before = contents(folder)
    assert main(["convert", "run", source, "ann", output]) == 2
    assert words in capsys.readouterr().err and contents(folder) == before


def test_the_recording_of_the_target_voice_is_not_overwritten(converter, recordings, tmp_path):
    (tmp_path / "high.wav").write_bytes((recordings / "low.wav").read_bytes())
    before = contents(tmp_path)
    with pytest.raises(InputError, match="high.wav must not be an input"):
        convert(converter, recordings, str(tmp_path / "high.wav"), tmp_path, iterations=1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("listed", ["../outside.wav", "{folder}/outside.wav"])
def test_a_manifest_does_not_lead_out_of_the_output_folder(folder, capsys, listed):
    (folder / "in" / "low.wav").rename(folder / "outside.wav")
    listed = listed.format(folder=folder)
    (folder / "in" / "manifest.csv").write_text(f"path\nhigh.wav\n{listed}\n")
    before = contents(folder)
    assert main(["convert", "run", "in", "ann", "out/deep"]) == 2
    assert "must lie in the output folder out/deep. Received:" in capsys.readouterr().err
    assert contents(folder) == before


def test_recordings_that_become_one_file_are_refused(folder, capsys):
    (folder / "in" / "low.WAV").write_bytes((folder / "in" / "low.wav").read_bytes())
    assert main(["convert", "run", "in", "ann", "out"]) == 2
    line = capsys.readouterr().err
    assert "low.WAV and low.wav, which would both be written to out/low.wav" in line
    assert not (folder / "out").exists()


def test_a_broken_recording_of_the_source_can_be_left_out(converter, recordings, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"RIFF cut short")
    (folder / "b.wav").write_bytes((recordings / "low.wav").read_bytes())
    arguments = ["convert", str(converter), str(folder), str(recordings / "high.wav"), str(tmp_path / "out")]
    assert main([*arguments, "--iterations", "1"]) == 2
    assert "leave it out: --skip-broken" in capsys.readouterr().err
    assert main([*arguments, "--iterations", "1", "--skip-broken"]) == 0
    assert "1 file is left out: 1 unreadable (a.wav)" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.wav"]
    arguments[2:4] = [str(recordings / "low.wav"), str(folder / "a.wav")]
    arguments[4] = str(tmp_path / "out.wav")
    assert main([*arguments, "--skip-broken"]) == 2  # there is no voice without it
    err = capsys.readouterr().err
    assert "a.wav" in err and "--skip-broken" not in err and len(err.splitlines()) == 1
