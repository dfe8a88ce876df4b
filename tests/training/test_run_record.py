import json
import math

import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.training.report._record import read_run
from keras_ae.training.report.plots import image_grid

PICTURE = image_grid([np.zeros((1, 2, 2))])


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_everything_that_is_there_is_read(tmp_path):
    write(tmp_path / "config.json", '{"recipe": "vae"}')
    write(tmp_path / "metrics.json", '{"test": {"mse": 0.5}}')
    write(tmp_path / "history.csv", "epoch,loss,val_loss\n1,3.5,4\n2,2.5,\n")
    write(tmp_path / "figures" / "samples.png", PICTURE)
    for version in ("9", "10"):
        write(tmp_path / "export" / "saved_model" / version / "manifest.json", json.dumps({"v": version}))
    write(tmp_path / "export" / "onnx" / "manifest.json", "{}")
    run = read_run(tmp_path)
    assert (run.config, run.metrics) == ({"recipe": "vae"}, {"test": {"mse": 0.5}})
    assert run.history["loss"] == [3.5, 2.5]
    assert run.history["val_loss"][0] == 4 and math.isnan(run.history["val_loss"][1])
    assert run.figures == {"samples": PICTURE}
    places = ["export/saved_model/10", "export/saved_model/9", "export/onnx"]
    assert [export.path for export in run.exports] == places
    assert run.problems == []


def test_what_is_missing_is_said(tmp_path):
    write(tmp_path / "history.csv", "epoch,loss\n1,2.0\n")
    problems = " ".join(read_run(tmp_path).problems)
    assert "config.json is missing" in problems
    assert "metrics.json is missing" in problems
    assert "no pictures" in problems


def test_what_is_broken_is_said(tmp_path):
    write(tmp_path / "config.json", '{"recipe": ')
    write(tmp_path / "metrics.json", "[1]")
    write(tmp_path / "history.csv", b"\xff\xfe\x00")
    write(tmp_path / "figures" / "half.png", PICTURE[:-20])
    write(tmp_path / "export" / "onnx" / "manifest.json", "?")
    run = read_run(tmp_path)
    problems = " ".join(run.problems)
    assert "config.json cannot be read: Expecting value" in problems
    assert "metrics.json cannot be read: it must be a JSON object" in problems
    assert "history.csv cannot be read" in problems
    assert "figures/half.png is not a whole PNG file" in problems
    assert "manifest.json cannot be read" in problems
    assert (run.config, run.metrics, run.history, run.figures) == ({}, {}, {}, {})


def test_a_history_that_is_cut_short_keeps_its_whole_rows(tmp_path):
    write(tmp_path / "history.csv", "epoch,loss,usage\n1,3.0,0.5\n2,2.")
    run = read_run(tmp_path)
    assert run.history["loss"] == [3.0, 2.0]
    assert math.isnan(run.history["usage"][1])


def test_a_history_without_rows_is_said(tmp_path):
    write(tmp_path / "history.csv", "epoch,loss\n")
    assert any("no epoch has ended yet" in problem for problem in read_run(tmp_path).problems)


@pytest.mark.parametrize(
    ("make", "what"),
    [(None, "It does not exist."), ("dir", "It contains none of them."), ("file", "It is a file.")],
)
def test_what_is_no_run_directory_is_refused(tmp_path, make, what):
    path = tmp_path / "run"
    if make == "dir":
        path.mkdir()
    if make == "file":
        path.write_text("")
    with pytest.raises(InputError, match=f"is not a run directory: it must contain config.json.*{what}"):
        read_run(path)
