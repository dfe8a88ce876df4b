"""The embedding report: what it says, that it stands alone, that it is whole or absent."""

import errno
import inspect
import json
import os
import re

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import PairDiscriminator, embedding_report, pair_discrimination
from keras_ae.evaluation.report import measuring
from keras_ae.evaluation.report.embedding_report import write_page
from keras_ae.evaluation.report.record import EmbeddingRecord, read_results
from keras_ae.evaluation.report.sections.pairs import INDEPENDENT, pair_rows
from keras_ae.evaluation.report.settings import DEFAULT_BUDGET
from keras_ae.training.commands._run_embedding import measure_run

NASTY = "<script>alert('x')</script>\"&"
GENERATOR = np.random.default_rng(0)
Y = np.arange(150) % 3
VECTORS = (np.eye(3)[Y] * 3 + GENERATOR.normal(size=(150, 3))).astype("float32")
SEQUENCES = {
    "x": (GENERATOR.normal(size=(60, 5, 3)) + np.eye(3)[Y[:60], None] * 3).astype("float32"),
    "lengths": 1 + np.arange(60) % 5,
}
TEXTS = [f"{('red', 'green', 'blue')[i % 3]} {('car', 'house')[i % 2]} number {i}" for i in range(60)]


def text_of(page):
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", "", body).split())


@pytest.fixture
def no_pairs(monkeypatch):
    """Leaves out the discriminator, which takes seconds."""
    monkeypatch.setattr(measuring, "measured_pairs", lambda *_: {"rows": [], "independent": INDEPENDENT})


def report(encoder, data, *factors, path=None, **options):
    return embedding_report(encoder, data, *factors, path=path, budget="quick", **options)


def test_results_of_vectors_and_the_files(no_pairs, tmp_path):
    path = tmp_path / "folder" / "report.html"
    options = {"nuisances": {"first": VECTORS[:, 0] > 1}, "decode": lambda z: np.pad(z, [(0, 0), (0, 1)])}
    results = report(lambda x: x[:, :2], VECTORS, Y, path=path, **options)
    assert json.loads(path.with_suffix(".json").read_text()) == results
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.json"]
    assert results["probes"]["label"]["linear"] > 0.8
    assert results["leaks"]["first"]["verdict"] == "leaks"
    test = VECTORS[np.sort(np.random.default_rng([0, 7]).permutation(150)[:50])]
    assert results["reconstruction"]["mse"] == pytest.approx(np.square(test[:, 2]).mean() / 3, rel=1e-5)


def test_the_discriminator_gets_the_held_out_examples(monkeypatch):
    seen = []

    def measured(x, z, **settings):
        inspect.signature(pair_discrimination).bind(x, z, **settings)
        PairDiscriminator(**{name: settings[name] for name in ("max_steps", "batch_size", "seed")})
        seen.append((len(z), len(settings["test"][1]), settings["seeds"]))
        return {}

    monkeypatch.setattr("keras_ae.evaluation.report.sections.pairs.pair_discrimination", measured)
    monkeypatch.setattr(measuring, "measured_pairs", lambda *given: {"rows": pair_rows(*given)[:0]})
    report(lambda x: x, VECTORS[:90], Y[:90], test=(VECTORS[90:], Y[90:]), seeds=2)
    assert seen == [(90, 60, 2)] * 4


def test_the_same_seed_gives_the_same_page(no_pairs, tmp_path):
    for name in ("a", "b"):
        report(lambda x: x, VECTORS, Y, path=tmp_path / name / "report.html")
    for file in ("report.html", "report.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_images_of_a_keras_model(no_pairs):
    images = np.clip(GENERATOR.uniform(size=(60, 6, 6, 1)), 0, 1).astype("float32")
    encoder = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3), keras.layers.ReLU()])
    results = report(encoder, images, {"half": np.arange(60) // 30, "depth": GENERATOR.normal(size=60)})
    assert results["encoder"]["embedding_shape"] == [4, 4, 2] and results["encoder"]["numbers"] == 32
    assert results["pictures"]["map"] == [20, 6, 6]
    assert results["probes"]["depth"]["kind"] == "regression"
    assert results["disentanglement"] is None  # one factor is a class


def test_sequences_are_pooled_over_their_real_positions(no_pairs):
    results = report(lambda batch: batch["x"] * 1.0, SEQUENCES, Y[:60])
    assert results["encoder"]["pooled"] and results["encoder"]["numbers"] == 6
    assert results["data"]["kind"] == "sequences" and results["pictures"]["map"] == [20, 3, 5]
    padded = {**SEQUENCES, "x": SEQUENCES["x"].copy()}
    padded["x"][np.arange(5) >= SEQUENCES["lengths"][:, None]] = 77.0
    again = report(lambda batch: batch["x"] * 1.0, padded, Y[:60])
    assert again["probes"] == results["probes"]


def test_texts_are_quoted(no_pairs, tmp_path):
    def encoder(texts):
        return np.array(
            [[b"red" in text, b"green" in text, len(text)] for text in np.asarray(texts)], "float32"
        )

    path = tmp_path / "texts.html"
    results = report(encoder, [NASTY, *TEXTS[1:]], Y[:60], path=path)
    assert results["probes"]["label"]["linear"] > 0.9
    page = path.read_text(encoding="utf-8")
    assert "green house" in text_of(page) and "<script" not in page


def test_the_page_says_what_was_measured_and_loads_nothing(embedding_record, tmp_path):
    page = write_page(embedding_record, tmp_path / "small.html").read_text(encoding="utf-8")
    text = text_of(page)
    for piece in (
        "embedding of 4 numbers",
        "fitted on 80, read on 40 held out",
        "Probes: predicting the factors",
        "Leakage: predicting the nuisances",
        "slanta quantity, R²",
        "not found",
        "LD*, nats",
        "0.800",
        "MIG",
        "values of a code",
        "Mean squared error",
        "Held-out examples, and the 8 training examples",
        "There are only 40 held-out examples",
    ):
        assert piece in text, piece
    sources = re.findall(r'(?:src|srcset|href|action)="([^"]*)"', page)
    assert sources and all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"<(script|link|iframe)|url\(|@import|https?://", page)
    targets = re.findall(r'href="#([^"]*)"', page)
    assert all(f'id="{target}"' in page for target in targets)


def test_everything_is_escaped(no_pairs, tmp_path):
    names = np.array([NASTY, "b", "c"])[Y]
    path = tmp_path / "report.html"
    report(lambda x: x, VECTORS, {NASTY: names, "b": Y}, path=path, nuisances=["b"], title=NASTY)
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page and "alert('x')" not in page


def test_a_record_is_kept_and_read_again(embedding_record, tmp_path):
    embedding_record.save(tmp_path)
    assert EmbeddingRecord.load(tmp_path) == embedding_record
    (tmp_path / "embedding" / "map.png").write_bytes(b"cut")
    with pytest.raises(InputError, match="not a complete PNG"):
        EmbeddingRecord.load(tmp_path)
    (tmp_path / "embedding.json").write_text("{}")
    with pytest.raises(InputError, match="contains no results of an embedding"):
        read_results(tmp_path / "embedding.json")


def test_bad_input_is_one_clear_error_and_leaves_nothing(no_pairs, tmp_path):
    path = tmp_path / "report.html"
    for message, options in (
        ("one value per example", {"factors": Y[:9]}),
        ("must be names of factors", {"factors": Y, "nuisances": ["speaker"]}),
        ("test must contain values of the factors", {"factors": Y, "test": VECTORS}),
    ):
        with pytest.raises(InputError, match=message):
            embedding_report(lambda x: x, VECTORS, path=path, **options)
    with pytest.raises(InputError, match="must be an .html file"):
        report(lambda x: x, VECTORS[:40], Y[:40], path=tmp_path / "report.pdf")
    with pytest.raises(ValueError, match="budget must be"):
        embedding_report(lambda x: x, VECTORS, budget="none")
    assert list(tmp_path.iterdir()) == []


def test_the_budget_of_python_is_that_of_the_command_line():
    default = inspect.signature(embedding_report).parameters["budget"].default
    assert default == inspect.signature(measure_run).parameters["budget"].default == DEFAULT_BUDGET == "quick"


def test_factors_that_cannot_be_measured_are_left_out_with_a_line(no_pairs, tmp_path):
    some = np.array(["a", "b", None], object)[Y]
    size = np.where(Y == 0, np.nan, VECTORS[:, 0])
    few = np.full(150, None, object)
    few[:2] = ["x", "y"]
    factors = {"some": some, "one": ["same"] * 150, "few": few, "size": size}
    path = tmp_path / "report.html"
    results = report(lambda x: x, VECTORS, factors, path=path, nuisances={"room": [1] * 150})
    assert set(results["probes"]) == {"some", "size"} and results["leaks"] == {}
    assert results["left_out"]["one"] == "it has one value only (same)."
    assert set(results["left_out"]) == {"one", "few", "room"}
    assert results["left_out"]["room"] == "it has one value only (1)." and results["failed"] == {}
    assert results["data"]["missing"]["some"] == 50 and results["probes"]["some"]["classes"] == 2
    page = text_of(path.read_text())
    assert "one was left out: it has one value only (same)." in page
    assert "some is missing in 50 examples" in page and "not known" in page


def test_a_section_that_fails_leaves_the_others(no_pairs, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(measuring.visual_sections, "neighbours", broken)
    monkeypatch.setattr(measuring.visual_sections, "the_map", broken)
    path = tmp_path / "report.html"
    results = report(lambda x: x, VECTORS, Y, path=path)
    reason = "RuntimeError: out of memory"
    assert results["failed"] == {"the map": reason, "nearest neighbours": reason}
    assert results["probes"]["label"]["linear"] > 0.8
    assert "the map could not be measured: RuntimeError" in text_of(path.read_text())
    assert "in broken" in (tmp_path / "report.failed.txt").read_text()


def test_a_page_for_which_the_disk_is_full_is_named(embedding_record, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError) as caught:
        write_page(embedding_record, tmp_path / "small.html")
    message = str(caught.value)
    assert message.startswith(f"The report cannot be written to {tmp_path / 'small.html'}: ")
    assert "No space left on device" in message and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["report.pdf", "taken.html", "notes.html"])
def test_a_page_that_cannot_be_written_is_refused_before_measuring(tmp_path, path):
    (tmp_path / "taken.html").mkdir()
    (tmp_path / "notes.failed.txt").write_text("of a user")

    def encode(x):
        raise AssertionError("is not called")

    with pytest.raises(
        InputError, match="must be an .html file|Received: a directory|which must not exist without the page"
    ):
        report(encode, VECTORS, Y, path=tmp_path / path)
    assert (tmp_path / "notes.failed.txt").read_text() == "of a user"


def test_files_of_a_user_next_to_the_page_are_kept(no_pairs, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(measuring.visual_sections, "the_map", broken)
    (tmp_path / "failed_measurement.txt").write_text("of a user")
    for _ in range(2):  # the second report replaces what the first left
        report(lambda x: x, VECTORS, Y, path=tmp_path / "report.html")
    assert (tmp_path / "failed_measurement.txt").read_text() == "of a user"
    assert (tmp_path / "report.failed.txt").read_text().count("in broken") == 1
