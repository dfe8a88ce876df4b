"""`keras-ae report` of encoders of other tools, from options to the page."""

import json
import re

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_ae.evaluation.report import measuring
from keras_ae.evaluation.report.sections.pairs import INDEPENDENT
from keras_ae.training.cli import main
from keras_ae.training.commands._foreign_encoder import data_for_encoder, open_foreign_encoder
from onnx_graphs import save_onnx


@pytest.fixture(autouse=True)
def no_pairs(monkeypatch, tmp_path):
    monkeypatch.setattr(measuring, "measured_pairs", lambda *_: {"rows": [], "independent": INDEPENDENT})
    monkeypatch.chdir(tmp_path)


def means_of_channels(path, size=(4, 6)):
    """The mean of each of three channels, which come first."""
    nodes = [
        ("Identity", ["x"], ["maps"], {}),
        ("GlobalAveragePool", ["maps"], ["means"], {}),
        ("Flatten", ["means"], ["z"], {}),
    ]
    inputs, outputs = {"x": ("float32", (None, 3, *size))}, {"z": ("float32", (None, 3))}
    return save_onnx(path, nodes, inputs, outputs, {})


def vectors_of_ids(path):
    nodes = [
        ("Gather", ["table", "input_ids"], ["vectors"], {}),
        ("Cast", ["attention_mask"], ["real"], {"to": 1}),
        ("Unsqueeze", ["real", "two"], ["column"], {}),
        ("Mul", ["vectors", "column"], ["hidden"], {}),
    ]
    inputs = dict.fromkeys(("input_ids", "attention_mask"), ("int64", (None, None)))
    outputs = {"hidden": ("float32", (None, None, 4))}
    return save_onnx(
        path, nodes, inputs, outputs, {"table": np.eye(4, dtype="float32"), "two": np.array([2])}
    )


def frames_of_waveforms(path):
    filters = np.random.default_rng(0).normal(size=(3, 1, 16)).astype("float32")
    nodes = [("Conv", ["wave", "filters"], ["frames"], {"strides": [8]})]
    inputs, outputs = {"wave": ("float32", (None, 1, None))}, {"frames": ("float32", (None, 3, None))}
    return save_onnx(path, nodes, inputs, outputs, {"filters": filters})


def results_of(capsys, *arguments):
    assert main(["report", *map(str, arguments)]) == 0, capsys.readouterr().err
    with open("embedding_report.json") as file:
        return json.load(file)


def test_images_of_several_sizes_reach_an_encoder_of_one_size(tmp_path, capsys):
    for number in range(60):
        red = 200 if number % 2 else 50
        image = np.full((8 + number % 3, 12, 3), (red, 100, 0), "uint8")
        folder = tmp_path / "images" / ("red" if number % 2 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())
    path = means_of_channels(tmp_path / "model.onnx")
    options = ["--mean", "0.5", "0.4", "0.3", "--std", "0.25", "--output-name", "maps"]
    results = results_of(capsys, path, "--data", "images", *options)
    assert results["data"]["shape"] == [4, 6, 3] and results["probes"]["label"]["linear"] == 1
    assert results["encoder"]["embedding_shape"] == [4, 6, 3] and results["encoder"]["pooled"]
    assert results["encoder"]["inputs"]["mean"] == [0.5, 0.4, 0.3]
    page = (tmp_path / "embedding_report.html").read_text()
    assert "reduced by the mean (0.5, 0.4, 0.3), divided by the standard deviation 0.25; float32" in page
    assert "Embeddings of 4 × 6 × 3 are pooled over positions." in page
    encoder = open_foreign_encoder(path, {"mean": (0.5, 0.4, 0.3), "std": (0.25,), "output_name": None})
    red = np.array([[[[200, 100, 0]]]], "float32") / 255
    np.testing.assert_allclose(encoder.embed(red)[0], (red[0, 0, 0] - (0.5, 0.4, 0.3)) / 0.25, rtol=1e-4)


def test_a_keras_file_gets_images_in_the_range_and_with_the_channels_that_it_takes(tmp_path):
    model = keras.Sequential(
        [keras.Input((10, 10, 3)), keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    )
    model.save(tmp_path / "model.keras")
    encoder = open_foreign_encoder(tmp_path / "model.keras", {})
    options = {"image_size": None, "channels": None, "scale": None, "skip_broken": False}
    data = data_for_encoder(encoder, "digits", options)
    images = data.test.images([0, 1])
    assert images.shape == (2, 10, 10, 3)  # grey images of 8 x 8
    np.testing.assert_allclose(encoder.embed(images), images.mean(axis=(1, 2)), rtol=1e-4)
    small = data_for_encoder(encoder, "digits", {**options, "image_size": (8, 8), "channels": 1})
    assert small.test.images([0]).shape == (1, 8, 8, 1)
    assert encoder.embed(small.test.images([0])).shape == (1, 3)  # resized and repeated by the encoder


def test_labelled_texts_reach_an_encoder_through_a_function(tmp_path, capsys):
    words = "def encode(texts):\n    return [[len(word) % 4 for word in text.split()] for text in texts]\n"
    (tmp_path / "words_of_a_test.py").write_text(words)
    lines = [f"{'short' if n % 2 else 'long'}\t{'a b' if n % 2 else 'abc abc abc'}" for n in range(60)]
    (tmp_path / "labelled.tsv").write_text("\n".join(lines) + "\n")
    path = vectors_of_ids(tmp_path / "model.onnx")
    options = ["--data", "labelled.tsv", "--tokenizer", "words_of_a_test:encode"]
    results = results_of(capsys, path, *options)
    assert results["encoder"]["inputs"]["tokenizer"] == "encode"
    assert results["encoder"]["numbers"] == 4 and results["probes"]["label"]["linear"] == 1
    assert results_of(capsys, path, *options, "--pool", "mean_and_deviation")["encoder"]["numbers"] == 8


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")  # few utterances
def test_recordings_are_resampled_for_an_encoder_of_waveforms(tmp_path, capsys):
    (tmp_path / "speech").mkdir()
    for number in range(60):
        tone = 0.5 * np.sin(np.arange(800) * (0.3 if number % 2 else 0.9))
        soundfile.write(tmp_path / "speech" / f"{number % 2}_voice{number % 3}_{number}.wav", tone, 16_000)
    path = frames_of_waveforms(tmp_path / "model.onnx")
    results = results_of(capsys, path, "--data", "speech", "--sample-rate", "8000")
    assert results["data"]["shape"] == [400] and results["encoder"]["numbers"] == 6
    assert results["encoder"]["inputs"]["sample_rate"] == 8000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["images.onnx", "--mean", "123.7"],
            "--mean must lie in .* For a mean of stored pixels, pass --input-ra",
        ),
        (["images.onnx", "--std", "0"], "--std must be positive numbers: one or 3, one for each channel."),
        (
            ["images.onnx", "--input-range", "1", "0"],
            "--input-range must be .* Received: --input-range 1.0 0.0",
        ),
        (["images.onnx", "--layout", "nhwc"], "--layout must be nchw, that of the encoder's input x"),
        (["images.onnx", "--layout", "chw"], "--layout must be one of 'nchw', 'nhwc'. Received: 'chw'"),
        (["images.onnx", "--mean", "a"], "--mean must be numbers. Received: 'a'"),
        (
            ["images.onnx", "--output-name", "map"],
            "--output-name must be an output or an inner tensor .* maps",
        ),
        (
            ["images.onnx", "--tokenizer", "no_module:f"],
            "--tokenizer must be a tokenizer.json or MODULE:FUNC",
        ),
        (
            ["images.onnx", "--tokenizer", "no.json"],
            "--tokenizer must be an existing file. Received: no.json",
        ),
        (
            ["vectors.onnx"],
            r"vectors.onnx must take images, texts, waveforms or a table. .* x \(None, 4\)",
        ),
        (["folder"], "folder must have an endpoint `encode`, or .* Choose one by --endpoint.$"),
        (
            ["ids.onnx"],
            "--tokenizer must be given for ids.onnx, .*: input_ids, attention_mask. Received: none",
        ),
        (["waveforms.onnx"], "--sample-rate must be given for waveforms.onnx, which encodes waveforms"),
        (
            ["waveforms.onnx", "--sample-rate", "8000", "--channels", "1"],
            "--channels must be used only with an",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(tmp_path, capsys, arguments, message):
    means_of_channels(tmp_path / "images.onnx")
    vectors_of_ids(tmp_path / "ids.onnx")
    frames_of_waveforms(tmp_path / "waveforms.onnx")
    vectors = ("float32", (None, 4))
    save_onnx(tmp_path / "vectors.onnx", [("Identity", ["x"], ["z"], {})], {"x": vectors}, {"z": vectors}, {})
    (tmp_path / "folder").mkdir()
    for name in ("a", "b"):
        means_of_channels(tmp_path / "folder" / f"{name}.onnx")
    assert main(["report", *arguments, "--data", "digits"]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(message, said), said


def test_options_of_other_encoders_are_refused_for_a_run(trained_run, capsys):
    assert main(["report", str(trained_run), "--mean", "0.5", "--pool", "mean"]) == 2
    said = capsys.readouterr().err
    assert "--pool, --mean must be used only with an encoder that is not a run. Received: " in said
