"""Every command names in one line what it leaves out."""

import json
import warnings

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import DataWarning, InputError
from keras_ae.training.cli import data_warnings_as_lines, main
from keras_ae.training.commands._encode_images import encode_images
from keras_ae.training.datasets import stream_images

QUICK = ("--epochs", "1", "--filters", "2", "--downsampling", "1", "--no-baselines", "--no-probe")


@pytest.fixture
def pictures(tmp_path):
    """Twelve grey images of 8x8, two of them cut short, and two other files."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        image = np.random.default_rng(number).integers(0, 256, (8, 8, 1), "uint8")
        contents = tf.io.encode_png(image).numpy()
        (folder / f"{number:02}.png").write_bytes(contents[:30] if number in (3, 7) else contents)
    (folder / "notes.txt").write_text("none of these")
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


LINE = "2 unreadable (03.png, 07.png)"


def test_codes_and_names_are_those_of_the_readable_images(pictures, tmp_path):
    stream = stream_images(pictures, (8, 8, 1), 4, skip_broken=True)
    encode = lambda images: {"codes": images[:, 0, 0, 0], "vector": images[:, 0]}  # noqa: E731
    with pytest.warns(DataWarning):
        path = encode_images(encode, stream, tmp_path / "codes.npz")
    with np.load(path) as file:
        names = [f"{number:02}.png" for number in range(12) if number not in (3, 7)]
        assert file["names"].tolist() == names
        assert file["codes"].shape == (10,) and file["vector"].shape == (10, 8, 1)
        first = tf.io.decode_png((pictures / "11.png").read_bytes()).numpy()
        np.testing.assert_allclose(file["vector"][-1], first[0] / 255, rtol=2e-7)


def test_train_encode_and_report_name_what_they_leave_out(pictures, tmp_path, monkeypatch, capsys):
    arguments = ["--data", str(pictures), "--runs", str(tmp_path / "runs"), *QUICK]
    assert main(["train", "autoencoder", *arguments]) == 2
    err = capsys.readouterr().err
    assert "03.png is not a readable image" in err and "1 more cannot be read" in err and "07.png" in err
    assert not (tmp_path / "runs").exists()

    assert main(["train", "autoencoder", *arguments, "--skip-broken"]) == 0
    err = capsys.readouterr().err
    expected = (
        f"keras-ae: folder {pictures}: 4 files are left out: 1 hidden (.DS_Store); "
        f"1 .txt, no image (notes.txt); {LINE}.\n"
    )
    assert err.count(expected) == 1
    (config,) = (tmp_path / "runs").rglob("config.json")
    left_out = json.loads(config.read_text())["data"]["left_out"]
    assert left_out["count"] == 4 and left_out["by_reason"]["unreadable"] == 2

    codes = str(tmp_path / "codes.npz")
    assert main(["encode", str(config.parent), str(pictures), codes]) == 2
    assert "1 more cannot be read" in capsys.readouterr().err
    assert main(["encode", str(config.parent), str(pictures), codes, "--skip-broken"]) == 0
    out, err = capsys.readouterr()
    assert err.count(expected) == 1 and "codes.npz: 10 images" in out

    def measured(*_):
        raise InputError("the data are read")

    monkeypatch.setattr("keras_ae.training.commands._run_embedding.measure_data", measured)
    of_file = [
        str(config.parent / "model.keras"),
        "--data",
        str(pictures),
        "--output",
        str(tmp_path / "a.html"),
    ]
    for arguments in ([str(config.parent)], [*of_file, "--skip-broken"]):
        assert main(["report", *arguments]) == 2
        err = capsys.readouterr().err
        assert err.count(expected) == 1 and err.endswith("keras-ae: the data are read\n")


def test_a_warning_about_data_is_one_line_and_comes_once(capsys):
    with pytest.warns(UserWarning, match="another"), data_warnings_as_lines():
        for _ in range(2):
            warnings.warn(DataWarning("folder a: 1 file is left out."), stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert capsys.readouterr().err == "keras-ae: folder a: 1 file is left out.\n"
