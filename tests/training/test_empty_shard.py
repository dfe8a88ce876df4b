"""`keras-ae encode --shard i/n` with more shards than examples: the same arrays without rows."""

import numpy as np
import pytest

from keras_ae import audio
from keras_ae.models import Preprocessing
from keras_ae.training.cli import main
from keras_ae.training.commands.encode import OpenEncoder


@pytest.fixture
def encoded(tmp_path, capsys):
    """The arrays of a shard, by the command line, and the line that it prints."""

    def encode(run, source, shard):
        output = tmp_path / "out.npz"
        assert main(["encode", str(run), str(source), str(output), "--shard", shard]) == 0
        with np.load(output) as file:
            return dict(file), capsys.readouterr().out

    return encode


def assert_empty_like(empty, full):
    assert empty.keys() == full.keys()
    for name in set(full) - {"offsets", "names"}:
        assert empty[name].shape == (0, *full[name].shape[1:]) and empty[name].dtype == full[name].dtype
    assert len(empty.get("names", ())) == 0 and empty.get("offsets", np.zeros(1)).tolist() == [0]


def test_an_empty_shard_of_images_has_the_arrays_of_the_others(encoded, trained_run, small_npz):
    full, line = encoded(trained_run, small_npz, "39/41")
    assert len(full["codes"]) == 1 and "1 images" in line
    empty, line = encoded(trained_run, small_npz, "40/41")
    assert_empty_like(empty, full)
    assert "0 images" in line


@pytest.fixture
def model_of(monkeypatch, tmp_path):
    """Has the command line encode by a function."""

    def use(modality, run=None, encode_text=None, shapes=()):
        known = Preprocessing(modality=modality, sample_rate=8000 if modality == "speech" else None)
        encoder = OpenEncoder(tmp_path / "run", run, dict(shapes), None, encode_text, known)
        monkeypatch.setattr("keras_ae.training.command_line.encoding.open_encoder", lambda path: encoder)
        return tmp_path / "run"

    return use


def frames_of(given):
    x = np.asarray(given["x"])[:, ::4, None]
    codes = (x[..., 0] > 0).astype("int32")
    return {"embedding": np.repeat(x, 3, axis=2), "codes": codes, "code_lengths": np.array([x.shape[1]])}


def test_an_empty_shard_of_speech_has_the_arrays_of_the_others(encoded, model_of, tmp_path):
    run = model_of("speech", frames_of, shapes={"x": (None, None), "lengths": (None,)})
    for name in ("a", "b"):
        audio.write_wav(tmp_path / "in" / f"{name}.wav", np.sin(np.arange(400)).astype("float32"), 8000)
    full, line = encoded(run, tmp_path / "in", "1/3")
    assert full["names"].tolist() == ["b.wav"] and "1 utterances" in line
    empty, line = encoded(run, tmp_path / "in", "2/3")
    assert_empty_like(empty, full)
    assert "0 utterances" in line


def test_an_empty_shard_of_text_has_the_arrays_of_the_others(encoded, model_of, tmp_path):
    run = model_of("text", encode_text=lambda lines: {"embedding": np.ones((len(lines), 5), "float32")})
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    full, line = encoded(run, tmp_path / "lines.txt", "1/3")
    assert full["lines"].tolist() == [1] and "1 sentences" in line
    empty, line = encoded(run, tmp_path / "lines.txt", "2/3")
    assert_empty_like(empty, full)
    assert "0 sentences" in line
