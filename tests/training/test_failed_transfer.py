"""What `keras-ae report --transfer` keeps of rows that could not be measured."""

import json

import pytest

from keras_ae.evaluation.attempts import attempt, recorded
from keras_ae.training.commands._run_embedding import measure_transfer
from keras_ae.training.recipes import QuickThoughtRecipe
from keras_ae.training.run import Run


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of sentences with a probe that failed before; its model and its data are not needed."""
    monkeypatch.setattr(Run, "recipe", lambda run: QuickThoughtRecipe())
    monkeypatch.setattr(Run, "load_model", lambda run: None)
    monkeypatch.setattr(QuickThoughtRecipe, "tasks", lambda *_: [])
    monkeypatch.setattr("keras_ae.training.commands._run_embedding.load_data_of", lambda *_: (None, None))
    failed = {"failed": {"transfer of quick-thought": "old", "loss": "kept"}, "test": {"loss": 1.0}}
    (tmp_path / "metrics.json").write_text(json.dumps(failed))
    return Run(tmp_path)


def test_a_row_that_fails_is_in_the_metrics_and_the_others_too(run, monkeypatch):
    def rows(*_):
        def broken():
            raise RuntimeError("no memory")

        attempt("transfer of the control rows", broken)
        return {"quick-thought": {"trec": {"accuracy": 0.9}}}

    monkeypatch.setattr(QuickThoughtRecipe, "transfer_rows", rows)
    with recorded(run.directory / "log.txt"):
        measure_transfer(run, "tasks")
    metrics = json.loads((run.directory / "metrics.json").read_text())
    assert metrics["failed"] == {"loss": "kept", "transfer of the control rows": "RuntimeError: no memory"}
    assert metrics["transfer"]["quick-thought"]["trec"] == {"accuracy": 0.9} and metrics["test"]


def test_a_row_that_is_measured_again_has_no_reason_any_more(run, monkeypatch):
    monkeypatch.setattr(QuickThoughtRecipe, "transfer_rows", lambda *_: {})
    measure_transfer(run, "tasks")
    assert json.loads((run.directory / "metrics.json").read_text())["failed"] == {"loss": "kept"}
