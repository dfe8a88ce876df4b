"""The speed of transfer: both readings on a few sentences, and the records."""

import numpy as np
import pytest


@pytest.fixture
def speed(benchmark_module, monkeypatch):
    module = benchmark_module("transfer_speed")
    monkeypatch.setattr(module, "FOLDS", 2)
    monkeypatch.setattr(module, "DIM", 2)
    return module


def test_both_readings_say_the_same_of_the_same_vectors(speed, benchmark_module, tmp_path):
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "film", "plot", "actor", "the"])
    lines = [" ".join(rng.choice(words, 5)) for _ in range(60)]
    (tmp_path / "mood.all.tsv").write_text("".join(f"{'good' in line}\t{line}\n" for line in lines))
    settings = speed.arguments(["--tasks", str(tmp_path), "--names", "mood", "--repeats", "1"])
    settings.results = tmp_path / "results.json"
    speed.main(settings)
    found = benchmark_module("parts.records").read_records(settings.results)
    assert found["transfer.accuracy_difference"]["mean"] == 0.0
    assert found["transfer.speedup"]["goal"] == ">= 5"


def test_rows_of_an_earlier_run_take_the_time_to_find_them(speed):
    cell = {"cold_seconds": 6.0, "seconds": 2.0, "kept_seconds": 1.0}
    found = {("mr", "vectors"): cell, ("mr", "bag of words"): cell}
    assert speed._ratio(found) == 3.0
    assert speed._ratio(found, kept=("bag of words",)) == 4.0
    assert speed._ratio(found, rows=("vectors",)) == 3.0
