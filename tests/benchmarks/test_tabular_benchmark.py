"""The benchmark of tables: splits without overlap, and goals from the better peer."""

import numpy as np
import pytest


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("tabular")


def test_the_test_rows_are_the_same_for_all_seeds_and_in_no_other_split(benchmark):
    one, other = benchmark.rows_of(0), benchmark.rows_of(1)
    np.testing.assert_array_equal(one["test"], other["test"])
    assert sorted(np.concatenate(list(one.values()))) == list(range(569))
    assert set(one["validation"]) != set(other["validation"])


def test_training_rows_are_benign_and_standardised_by_themselves(benchmark):
    columns, x, held_out = benchmark.load(0)
    np.testing.assert_allclose([column.mean for column in columns], x.mean(axis=0), rtol=1e-4)
    assert {split: int(malignant.sum()) for split, (_, malignant) in held_out.items()}["test"] == 38
    assert len(x) == 357 - sum((~malignant).sum() for _, malignant in held_out.values())


def test_the_goal_is_the_better_peer(benchmark):
    areas = {"vae": [0.98, 0.96], "autoencoder": [0.9], "pca": [0.95, 0.97], "isolation_forest": [0.9]}
    found = benchmark.records_of(areas, dict.fromkeys(areas, 1.0), "python benchmarks/tabular.py")
    assert found["tabular.breast_cancer.auc"]["goal"] == "> 0.9600"
    assert found["tabular_autoencoder.breast_cancer.auc"]["goal"] == "> 0.9600"
    assert found["pca.breast_cancer.auc"]["goal"] == found["isolation_forest.breast_cancer.auc"]["goal"] == ""


def test_peers_score_the_validation_rows(benchmark):
    assert 0.9 < benchmark.area("pca", 0, {"components": 1}, "validation") < 1.0
