"""The recipe of tables: run, results by column, encoding, report, exports, resume."""

import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae.errors import DataWarning
from keras_ae.training.cli import main
from keras_ae.training.commands._run_embedding import measure_run
from keras_ae.training.recipes import TabularRecipe
from keras_ae.training.recipes.tables._measures import column_errors, detection, mean_row, pca_errors
from keras_ae.training.report._tables import column_table
from keras_ae.training.run import Run, load_model, train
from keras_ae.training.run_directory.checkpoint import Checkpoint
from keras_ae.training.run_directory.initial_weights import start_from

pytestmark = pytest.mark.slow
SMALL = {"epochs": 2, "units": (4,), "latent_dim": 2}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """60 rows: a number with gaps, a colour, and a label; the rare rows have large numbers."""
    rng = np.random.default_rng(0)
    rare = np.arange(60) % 6 == 0
    size = np.where(np.arange(60) % 9 == 4, np.nan, rng.normal(size=60) + 30 * rare + 100)
    path = tmp_path_factory.mktemp("table") / "things.npz"
    colour = np.where(rng.random(60) < 0.5, "red", "blue")
    np.savez(path, size=size, colour=colour, kind=np.where(rare, "rare", "usual"))
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    keras.utils.clear_session()  # layers are numbered as in a process of their own
    recipe = TabularRecipe(data=str(table), label="kind", normal=("usual",), batch_size=8, **SMALL)
    return train(recipe, runs=tmp_path_factory.mktemp("runs"), verbose=False)


def test_the_results_are_those_of_the_test_rows(run):
    metrics, data = json.loads((run.directory / "metrics.json").read_text()), run.recipe().load_data()
    model, anomalies = run.load_model(), data.anomalies(data.test)
    scores, rows = np.asarray(model.score(data.test.values())), data.test.values()
    # the probability that a rare row has the larger score, by all pairs
    pairs = np.sign(scores[anomalies][:, None] - scores[~anomalies][None])
    assert metrics["test"]["auc"] == pytest.approx((pairs.mean() + 1) / 2)
    assert metrics["test"]["loss"] == pytest.approx(scores[~anomalies].mean(), rel=1e-5)
    found = np.asarray(model.reconstruct(rows[~anomalies]))
    own, observed = rows[~anomalies], ~np.isnan(rows[~anomalies])
    size = ((own - found)[:, 0] / data.columns[0].scale)[observed[:, 0]] ** 2
    assert metrics["columns"]["size"]["error"] == pytest.approx(size.mean(), rel=1e-4)
    wrong = (own != found)[:, 1]
    assert metrics["columns"]["colour"]["error"] == pytest.approx(wrong.mean())
    assert set(metrics["baselines"]) == {"PCA-2", "isolation forest", "mean row"}
    assert "failed" not in metrics and "left_out" not in metrics


def test_the_report_shows_errors_by_column_and_scores(run):
    page = (run.directory / "report.html").read_text()
    assert 'id="columns"' in page and "Error by column" in page and ">colour<" in page
    assert (run.directory / "figures" / "scores.png").is_file()
    assert "AUC of anomalies" in page


def test_the_worst_column_comes_first():
    found = column_table({"a": {"error": 0.5, "baseline": 1.0}, "b.c": {"error": 2.0, "baseline": 1.1}})
    assert [(row.name, row.cells[0].bar) for row in found.rows] == [("b.c", 1.0), ("a", 0.25)]
    assert column_table({}) is None


def test_encode_and_score_take_the_table_from_the_run_and_from_its_export(run, table, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    assert main(["export", str(run.directory), "--to", "onnx"]) == 0
    for number, encoder in enumerate((run.directory, run.directory / "export" / "onnx")):
        assert main(["encode", str(encoder), str(table), str(tmp_path / f"{number}.npz")]) == 0
    assert "60 rows" in capsys.readouterr().out
    with np.load(tmp_path / "0.npz") as ours, np.load(tmp_path / "1.npz") as exported:
        assert ours["embedding"].shape == (60, 2) and ours["names"][:3].tolist() == ["0", "1", "2"]
        np.testing.assert_allclose(ours["embedding"], exported["embedding"], rtol=1e-4, atol=1e-5)
    for number, encoder in enumerate((run.directory, run.directory / "export" / "onnx")):
        assert main(["score", str(encoder), str(table), str(tmp_path / f"scores{number}.npz")]) == 0
    with np.load(tmp_path / "scores0.npz") as ours, np.load(tmp_path / "scores1.npz") as exported:
        np.testing.assert_allclose(ours["score"], exported["score"], rtol=1e-4, atol=1e-4)
        assert ours["label"][:2].tolist() == ["rare", "usual"]  # the column that the run names
        assert "label" not in exported
    shard = ["--shard", "1/4"]
    assert main(["encode", str(run.directory), str(table), str(tmp_path / "part.npz"), *shard]) == 0
    with np.load(tmp_path / "0.npz") as whole, np.load(tmp_path / "part.npz") as part:
        np.testing.assert_allclose(part["embedding"], whole["embedding"][1::4], rtol=1e-5, atol=1e-6)
    assert main(["encode", str(run.directory), str(table), str(tmp_path / "x.npz"), "--resize"]) == 2
    assert "which encodes tables" in capsys.readouterr().err


def test_a_table_without_a_column_is_refused_in_one_line(run, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", size=np.ones(3))
    assert main(["encode", str(run.directory), str(tmp_path / "other.npz"), str(tmp_path / "o.npz")]) == 2
    assert "must have the columns size, colour. Received: size, without colour." in capsys.readouterr().err


def test_no_output_replaces_the_training_data_of_a_run(run, table, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(table.parent)
    before = table.read_bytes()
    np.savez(tmp_path / "new.npz", size=np.ones(2), colour=["red", "blue"])
    assert main(["encode", str(run.directory), str(tmp_path / "new.npz"), str(tmp_path / "codes.npz")]) == 0
    for command, source in (("score", "new.npz"), ("encode", "new.npz")):
        for output in (str(table), table.name):
            assert main([command, str(run.directory), str(tmp_path / source), output]) == 2
            assert "must not be an input" in capsys.readouterr().err
    assert table.read_bytes() == before
    moved, folder = tmp_path / "run", tmp_path / "tables"  # of a run on a folder with the table
    shutil.copytree(run.directory, moved)
    folder.mkdir()
    shutil.copy(table, folder / "all.npz")
    config = json.loads((moved / "config.json").read_text())
    config["settings"]["data"] = config["data_path"] = str(folder)
    (moved / "config.json").write_text(json.dumps(config))
    for command, *inputs in (["sample"], ["decode", str(tmp_path / "codes.npz")]):
        assert main([command, str(moved), *inputs, str(folder / "new.csv")]) == 2
        assert f"must not lie in {folder}" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["all.npz"]


class Stop(keras.callbacks.Callback):
    """An interruption after the first epoch, as by Ctrl-C."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_a_resumed_training_ends_with_the_same_weights(run, tmp_path):
    recipe = run.recipe()
    keras.utils.clear_session()
    with pytest.raises(KeyboardInterrupt):
        train(recipe, runs=tmp_path / "stopped", verbose=False, callbacks=[Stop()])
    (stopped,) = (tmp_path / "stopped" / "tabular").iterdir()
    checkpoint = Checkpoint(stopped / "checkpoint.npz")
    assert checkpoint.state["epoch"] == 1 and not Run.open(stopped).finished
    keras.utils.clear_session()
    resumed = train(TabularRecipe(), resume=stopped, verbose=False)
    assert Run.open(resumed.directory).finished
    first, second = (Checkpoint(one.directory / "checkpoint.npz") for one in (run, resumed))
    assert first.state["epoch"] == second.state["epoch"] == 2
    assert first.state["history"] == second.state["history"]
    assert set(first.arrays) == set(second.arrays)
    for name, value in first.arrays.items():  # also of the optimiser
        np.testing.assert_array_equal(second.arrays[name], value, err_msg=name)
    changed = [not np.array_equal(checkpoint.arrays[name], value) for name, value in first.arrays.items()]
    assert any(changed)  # the second epoch trains


def test_changed_rows_are_noticed(run, table, tmp_path, capsys):
    with np.load(table) as file:
        arrays = {**file, "size": file["size"] + 1}
    np.savez(tmp_path / "things.npz", **arrays)
    arguments = ["--resume", str(run.directory), "--epochs", "3", "--data", str(tmp_path / "things.npz")]
    assert main(["train", "tabular", *arguments]) == 2
    assert "have changed since its training began" in capsys.readouterr().err


@pytest.fixture(scope="module")
def other_table(table, tmp_path_factory):
    """The same rows, with the columns in another order and a further category, which comes first."""
    with np.load(table) as file:
        colour = np.where(np.arange(60) == 5, "azure", file["colour"])
        path = tmp_path_factory.mktemp("other") / "other.npz"
        np.savez(path, colour=colour, size=file["size"], kind=file["kind"])
    return path


def test_other_rows_are_measured_with_the_columns_of_the_model(run, other_table, monkeypatch):
    measured = {}
    monkeypatch.setattr(
        "keras_ae.training.commands._run_embedding.measure_data",
        lambda encoder, data, *_: measured.update(data=data) or SimpleNamespace(save=lambda directory: None),
    )
    with pytest.warns(DataWarning, match="azure"):
        measure_run(run, data=str(other_table))
    with np.load(other_table) as file:
        size, colour = file["size"], file["colour"]
    index = np.select([colour == "blue", colour == "red"], [0, 1], np.nan)  # in the order of the run
    expected = np.stack([size, index], axis=1).astype("float32")
    found = measured["data"]
    np.testing.assert_array_equal(found.test.values(), expected[found.test.rows])
    assert found.columns == run.recipe().load_data().columns  # also means and scales


def test_initial_weights_belong_to_the_same_columns(run, table, other_table, tmp_path, capsys):
    def refusal(path):
        options = [
            "--data",
            str(path),
            "--label",
            "kind",
            "--normal",
            "usual",
            "--latent-dim",
            "2",
            "--units",
            "4",
        ]
        start = ["--init-from", str(run.directory), "--runs", str(tmp_path / "runs")]
        assert main(["train", "tabular", *options, *start]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "same columns in the same order" in refusal(other_table)
    with np.load(table) as file:
        arrays = dict(file)
    recoloured = np.where(arrays["colour"] == "red", "green", arrays["colour"])
    np.savez(tmp_path / "recoloured.npz", **{**arrays, "colour": recoloured})
    line = refusal(tmp_path / "recoloured.npz")
    assert "categories of the column colour" in line and "with blue, red; this table has blue, green" in line
    np.savez(tmp_path / "larger.npz", **{**arrays, "size": 2 * arrays["size"]})
    recipe = TabularRecipe(data=str(tmp_path / "larger.npz"), label="kind", normal=("usual",), **SMALL)
    start_from(recipe.build(recipe.load_data(), 1), run.directory, load_model)  # means and scales may differ


def test_baselines_by_hand(run):
    data = run.recipe().load_data()
    known = data.train.values()
    assert mean_row(data) == [pytest.approx(np.nanmean(known[:, 0]), rel=1e-5), np.nanmedian(known[:, 1])]
    constant = np.array([mean_row(data)], "float32")
    found = column_errors(run.load_model().table, known, lambda x: np.repeat(constant, len(x), axis=0))
    assert found["size"] == pytest.approx(1.0, rel=1e-4)  # in standard deviations of these very rows
    assert detection(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))["auc"] == 0.75
    assert detection(np.ones(3), np.zeros(3, bool)) == {}
    line = np.outer(np.arange(5.0), [1.0, 2.0])
    off = np.array([[2.0, -1.0]])  # orthogonal to the line, at a squared distance of 5 from its origin
    np.testing.assert_allclose(pca_errors(line, line, 1), 0.0, atol=1e-12)
    np.testing.assert_allclose(pca_errors(line, off, 1), 5.0 / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--units", "8", "0"], "--units must be at least 1 each. Received: 8 0"),
        (["--observation-scale", "0"], "--observation-scale must be a positive number"),
        (["--label", "age"], "--label must be a column of breast cancer"),
        (["--normal", "good"], "--normal must contain labels, among benign, malignant. Received: good"),
        (["--ignore", "age"], "--ignore must contain columns of breast cancer"),
        (["--categorical", "age"], "--categorical must contain names of columns"),
        (["--data", "none.csv"], "none.csv does not exist: the source must be"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(options, message, capsys, tmp_path):
    assert main(["train", "tabular", "--runs", str(tmp_path), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"keras-ae: {message}")
    assert not list(tmp_path.iterdir())
