"""The benchmarks are scripts, not an installed package: tests import them by their folder."""

import importlib
from pathlib import Path

import keras
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark_module(monkeypatch):
    """A function that imports a module of the folder `benchmarks` by name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture(autouse=True)
def one_session(monkeypatch):
    """Between trainings of hours a session is cleared; among tests it is a search through all of memory."""
    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)


@pytest.fixture
def record():
    """A function that makes a valid record, with some fields changed."""

    def make(**changes):
        plain = {"mean": 1.9, "sd": 0.03, "n": 5, "goal": "<= 2.2", "minutes": 41, "note": "worst cell"}
        return {
            **plain,
            "command": "python benchmarks/example.py --record docs/results/example.json",
            **changes,
        }

    return make
