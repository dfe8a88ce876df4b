"""The embedding of a run: measured once, kept, shown on the page, compared."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders.loading import LoadedEncoder
from keras_ae.evaluation.report import measuring
from keras_ae.evaluation.report.page._map import scatter
from keras_ae.evaluation.report.sections.pairs import INDEPENDENT
from keras_ae.models import Preprocessing
from keras_ae.training.cli import main
from keras_ae.training.commands._run_embedding import measure_data
from keras_ae.training.datasets import load_images, load_speech
from keras_ae.training.report.page import write_report


@pytest.fixture(autouse=True)
def no_pairs(monkeypatch):
    monkeypatch.setattr(measuring, "measured_pairs", lambda *_: {"rows": [], "independent": INDEPENDENT})


@pytest.fixture
def run(trained_run, tmp_path):
    """A run that may be changed."""
    return shutil.copytree(trained_run, tmp_path / "vqvae" / trained_run.name)


def test_report_measures_a_run_once_and_rebuilds_its_page(run, capsys, monkeypatch):
    assert "has not been measured yet" in (run / "report.html").read_text()
    assert main(["report", str(run), "--budget", "quick"]) == 0
    said = capsys.readouterr().out
    assert "measuring: probes" in said and "A linear probe of “label” reaches" in said
    page = (run / "report.html").read_text()
    assert (
        "Probes: predicting the factors" in page and "Use of the codes" in page and "Reconstructions" in page
    )
    results = json.loads((run / "embedding.json").read_text())
    assert results["about"]["recipe"] == "vqvae"
    assert results["reconstruction"]["mse"] == pytest.approx(
        json.loads((run / "metrics.json").read_text())["test"]["mse"], rel=1e-4
    )
    monkeypatch.setattr("keras_ae.training.commands._run_embedding.measure_run", None)  # is not called again
    assert main(["report", str(run)]) == 0
    assert main(["report", str(run), "--budget", "full", "--measure", "never"]) == 0
    assert (run / "report.html").read_text() == page


def test_a_damaged_record_is_left_out_and_told(run_directory, embedding_record):
    embedding_record.save(run_directory)
    assert "Probes: predicting the factors" in write_report(run_directory).read_text()
    (run_directory / "embedding.json").write_text("{")
    page = write_report(run_directory).read_text()
    assert "Probes: predicting the factors" not in page and "The embedding is left out" in page


def test_a_file_is_reported_on_images(run, small_npz, tmp_path, capsys):
    output = tmp_path / "reports" / "small.html"
    options = ["--data", str(small_npz), "--output", str(output), "--budget", "quick"]
    assert main(["report", str(run / "model.keras"), *options]) == 0
    assert "model.keras" in output.read_text() and output.with_suffix(".json").is_file()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["RUN/model.keras"],
            "not a run and therefore contains no data: pass images, speech or text with --data",
        ),
        (["RUN/none", "--data", "digits"], "is not a run directory"),
        (["RUN", "--seeds", "0"], "--seeds must be at least 1. Received: 0"),
        (["RUN/model.keras", "--data", "digits", "--image-size", "4", "4"], "does not accept the images"),
        (["RUN/model.keras", "--data", "digits", "--output", "a.pdf"], "must be an .html file"),
        (
            ["RUN", "--output", "a.html"],
            "--output must not be given for the report of a run, which is written",
        ),
    ],
)
def test_bad_input_is_one_line(trained_run, capsys, arguments, message):
    arguments = [argument.replace("RUN", str(trained_run)) for argument in arguments]
    assert main(["report", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and message in said[0]


def test_compare_takes_runs_and_reports(run_directory, embedding_record, tmp_path, capsys):
    report, output = tmp_path / "other.json", tmp_path / "compare.html"
    embedding_record.save(run_directory)
    shutil.copy(run_directory / "embedding.json", report)
    assert main(["compare", str(run_directory), str(report), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "small 20260101-120000" in said and "small other" in said and str(output) in said
    assert output.is_file() and output.with_suffix(".json").is_file()
    (run_directory / "embedding.json").unlink()
    assert main(["compare", str(run_directory), str(report)]) == 2
    assert f"keras-ae report {run_directory}" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")  # few utterances
def test_speakers_and_words_are_named(tmp_path):
    """Twelve speakers: more than a map has colours, so that numbers would be drawn as ranges."""
    names = [f"voice{i:02d}" for i in range(12)]
    folder = tmp_path / "speech"
    folder.mkdir()
    for i in range(480):
        tone = 0.5 * np.sin(np.arange(400) * (0.1 + 0.02 * (i // 40)))
        soundfile.write(folder / f"{'yes' if i % 2 else 'no'}_{names[i // 40]}_{i}.wav", tone, 8000)
    data = load_speech(folder, sample_rate=8000)
    encoder = LoadedEncoder("Keras model", "Small", embed=lambda batch: np.asarray(batch["x"])[:, :4])
    record = measure_data(encoder, data, "small", "quick", None, {})
    colours = record.results["map"]["colours"]
    assert set(colours["speaker"]) == set(names)
    assert set(colours["label"]) == {"no", "yes"}
    drawn = {one.name: [name for name, _ in one.entries] for one in scatter(record.results)["colourings"]}
    assert drawn["speaker"][-1] == "3 others" and set(drawn["speaker"][:-1]) < set(names)


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        (("a.json", "b.json"), "a.html", "a.json must not be an input"),
        (("a.json", "b.json"), "other.html", "other.json, which must not exist without the page"),
        (("run", "b.json"), "run/report.html", "run/report.html must not be an input"),
    ],
    ids=["results", "stranger", "run"],
)
def test_compare_does_not_replace_what_it_compares(
    tmp_path, run_directory, embedding_record, monkeypatch, capsys, inputs, output, words
):
    monkeypatch.chdir(tmp_path)
    run_directory.rename("run")
    (tmp_path / "run" / "report.html").write_text("page")
    embedding_record.save("run")
    for name in ("a.json", "b.json", "other.json"):
        (tmp_path / name).write_bytes((tmp_path / "run" / "embedding.json").read_bytes())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert main(["compare", *inputs, "--output", output]) == 2
    assert words in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_report_is_not_written_among_its_images(trained_run, small_npz, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "data.npz").write_bytes(small_npz.read_bytes())
    page = tmp_path / "images" / "page.html"
    arguments = [str(trained_run / "model.keras"), "--data", str(tmp_path / "images"), "--output", str(page)]
    assert main(["report", *arguments]) == 2
    assert "whose files are inputs" in capsys.readouterr().err and not page.exists()


def test_images_reach_an_encoder_in_the_range_of_its_values(small_npz, monkeypatch):
    seen = []

    def embed(x):
        seen.append(np.asarray(x))
        raise InputError("enough")

    known = Preprocessing(modality="images", value_range=(-1, 1))
    encoder, data = LoadedEncoder("function", "e", embed, preprocessing=known), load_images(small_npz)
    with pytest.raises(InputError, match="enough"):
        measure_data(encoder, data, "e", "quick", 1, {})
    np.testing.assert_allclose(seen[0], 2 * data.test.images()[:2] - 1, atol=1e-6)


def test_the_scale_of_images_is_no_option_of_speech(run, monkeypatch, capsys):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "recipe": "cpc", "settings": {}}))
    assert main(["report", str(run), "--scale", "16"]) == 2
    assert (
        "--scale must be used only in the report of a run on images. Received: a run of the recipe cpc"
        in capsys.readouterr().err
    )


def test_options_of_images_reach_the_data_of_a_run(run, tmp_path, monkeypatch, capsys):
    """Grey and RGB images of other sizes, one of them broken."""
    seen = []

    def measured(encoder, data, *_):
        seen.append(data)
        raise InputError("measured")

    monkeypatch.setattr("keras_ae.training.commands._run_embedding.measure_data", measured)
    for number in range(12):
        image = np.full((9, 7, 1 + 2 * (number % 2)), 20 * number, "uint8")
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())
    (tmp_path / "other" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    options = ["--data", str(tmp_path / "other"), "--channels", "1", "--image-size", "8", "8"]
    assert main(["report", str(run), *options]) == 2
    assert "broken.png" in (err := capsys.readouterr().err) and "--skip-broken" in err and not seen
    assert main(["report", str(run), *options, "--skip-broken"]) == 2
    assert capsys.readouterr().err.endswith("keras-ae: measured\n")
    (data,) = seen
    assert data.image_shape == (8, 8, 1) and data.description["left_out"]


@pytest.mark.parametrize(
    "options", [["--channels", "1"], ["--image-size", "8", "8"], ["--skip-broken"], ["--scale", "16"]]
)
def test_options_of_images_are_refused_for_a_run_on_text(run_directory, capsys, options):
    config = json.loads((run_directory / "config.json").read_text())
    config |= {"recipe": "quick-thought", "settings": {}}
    (run_directory / "config.json").write_text(json.dumps(config))
    assert main(["report", str(run_directory), *options]) == 2
    err = capsys.readouterr().err
    assert f"{options[0]} must be used only in the report of a run on images" in err
