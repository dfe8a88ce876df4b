import json
import re
import shutil

import pytest

from keras_ae.errors import InputError
from keras_ae.training.report.page import write_report

NASTY = "<script>alert('x')</script>\"&"


def page_of(run):
    return write_report(run).read_text(encoding="utf-8")


def text_of(page):
    """What a reader sees, tags and style removed."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_the_page_tells_the_run(run_directory):
    text = text_of(page_of(run_directory))
    for piece in (
        "vqvae 20260101-120000 digits 2 epochs seed 3",
        "MSE 0.0131 best baseline: mean image, 0.0731",
        "mean image 0.07310",
        "Reconstructions Held-out images above",
        "Use of the codes",
        "encode codes equal 0 0 0 1",
        "opset 18",
        "train 1293",
        "learning_rate 0.002",
        "keras 3.15.1",
        "keras-ae train vqvae --seed 3",
        "keras-ae report runs/vqvae/20260101-120000",
    ):
        assert piece in text, piece
    assert "not complete" not in text


def test_the_page_tells_what_the_training_took(run_directory):
    assert "parameters" not in text_of(page_of(run_directory))  # a run of an older version
    facts = {
        "parameters": {"total": 12345, "trainable": 12000, "encoder": 5000},
        "seconds": 3725,
        "machine": {"system": "Linux x86_64", "cores": 2, "gpus": []},
    }
    (run_directory / "training.json").write_text(json.dumps(facts))
    text = text_of(page_of(run_directory))
    for piece in (
        "seed 3 12,345 parameters trained in 1 h 2 min",
        "of encoder 5,000",
        "cores 2",
        "gpus none",
    ):
        assert piece in text, piece
    (run_directory / "training.json").write_text(json.dumps({"parameters": "many", "seconds": None}))
    assert "trained in" not in text_of(page_of(run_directory))


def test_the_page_says_when_the_run_is_behind_a_baseline(run_directory):
    assert "Behind a baseline" not in text_of(page_of(run_directory))
    change(run_directory / "metrics.json", baselines={"k-means": {"mse": 0.01}, "mean image": {"mse": 0.07}})
    assert "Behind a baseline. MSE is 0.0131; the baseline k-means has 0.0100." in text_of(
        page_of(run_directory)
    )


def test_what_the_embedding_shows_is_shown_once(run_directory, embedding_record):
    assert text_of(page_of(run_directory)).count("Use of the codes") == 1
    embedding_record.save(run_directory)
    page = page_of(run_directory)
    for heading in ("Use of the codes", "Reconstructions"):
        assert len(re.findall(rf"<h[23]>{heading}</h[23]>", page)) == 1
    assert 'id="decoded"' in page and 'id="pictures"' not in page


def test_the_page_is_one_file_that_loads_nothing(run_directory):
    page = page_of(run_directory)
    sources = re.findall(r'(?:src|srcset|href|action)="([^"]*)"', page)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert (
        len([source for source in sources if source.startswith("data:")]) == 2 * 2 + 2
    )  # curves twice, figures
    assert not re.search(r"<(script|link|iframe)|url\(|@import|https?://", page)


def test_every_link_of_the_page_has_its_target(run_directory):
    page = page_of(run_directory)
    targets = re.findall(r'href="#([^"]*)"', page)
    assert targets and all(f'id="{target}"' in page for target in targets)


def test_a_report_can_be_rebuilt_to_the_same_bytes(run_directory):
    first = page_of(run_directory)
    assert page_of(run_directory) == first
    assert not [path for path in run_directory.iterdir() if path.name.startswith(".")]


def test_everything_the_run_says_is_escaped(run_directory):
    config = run_directory / "config.json"
    change(
        config,
        recipe=NASTY,
        settings={NASTY: NASTY},
        data={"name": NASTY, "classes": [NASTY, "b"], NASTY: 1},
        versions={NASTY: NASTY},
        command=["keras-ae", NASTY],
        other={NASTY: [{NASTY: NASTY}]},
    )
    change(
        run_directory / "metrics.json",
        **{NASTY: {NASTY: 1.0}, "baselines": {NASTY: {NASTY: 1.0, "mse": 2.0}}},
    )
    change(
        run_directory / "export" / "onnx" / "manifest.json",
        model=NASTY,
        created=NASTY,
        opset=NASTY,
        verification=[{"endpoint": NASTY, "output": NASTY}],
    )
    history = run_directory / "history.csv"
    history.write_text(history.read_text().replace("usage", "<script>$_^"))
    shutil.copy(
        run_directory / "figures" / "codebook_usage.png", run_directory / "figures" / "<script>'\"&.png"
    )
    page = page_of(run_directory)
    assert "<script" not in page
    assert "alert('x')" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)" in page


@pytest.mark.parametrize("piece", ["config.json", "metrics.json", "history.csv", "figures", "export"])
def test_a_run_that_lacks_a_piece_has_a_report(run_directory, piece):
    path = run_directory / piece
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    text = text_of(page_of(run_directory))
    assert ("not complete" in text) == (piece != "export")  # most runs are never exported
    assert "Reproduce" in text


def test_a_run_that_has_just_begun_has_a_report(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    text = text_of(page_of(tmp_path))
    assert "metrics.json is missing" in text and "history.csv is missing" in text


def test_plain_text_for_data_and_settings_is_shown(run_directory):
    change(run_directory / "config.json", data="digits of scikit-learn", settings=None, command=None)
    text = text_of(page_of(run_directory))
    assert "source digits of scikit-learn" in text
    assert "The command that made this run" not in text


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a run directory"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_is_one_clear_error(run_directory):
    (run_directory / "report.html").mkdir()
    before = sorted(run_directory.iterdir())
    with pytest.raises(InputError, match="The report cannot be written"):
        write_report(run_directory)
    assert sorted(run_directory.iterdir()) == before
