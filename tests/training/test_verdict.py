"""Verdicts name the baseline that is better, and compare only what is comparable."""

import pytest

from keras_ae.training.report._verdict import verdicts

ROWS = {
    "mean image": {"mse": 0.07, "bits_per_image": 0.0},
    "k-means": {"mse": 0.013, "bits_per_image": 24.0},
    "longer": {"mse": 0.001, "bits_per_image": 48.0},
    "PCA-2": {"mse": 0.05},
    "PCA-16": {"mse": 0.011},
}


def of(mse, settings=None, bits=24.0, rows=ROWS):
    codes = {"codes": {"bits_per_image": bits}} if bits else {}
    return verdicts({"test": {"mse": mse}, **codes, "baselines": rows}, settings or {})


def test_codes_are_compared_with_codes_that_are_not_longer():
    assert of(0.02) == ["MSE is 0.0200; the baseline k-means has 0.0130 with at most 24 bits."]
    assert of(0.08) == [
        "MSE is 0.0800; the baseline k-means has 0.0130 with at most 24 bits, and 1 more is better."
    ]
    assert of(0.012) == []
    assert of(0.013) == []  # equal is not behind


def test_vectors_are_compared_with_as_many_principal_components():
    rows = {name: row for name, row in ROWS.items() if name.startswith("PCA")}
    assert of(0.02, {"latent_dim": 2}, bits=None, rows=rows) == []
    assert of(0.02, {"latent_dim": 16}, bits=None, rows=rows) == [
        "MSE is 0.0200; the baseline PCA-16 has 0.0110."
    ]
    assert of(0.06, {"latent_dim": 2}, bits=None, rows=rows) == [
        "MSE is 0.0600; the baseline PCA-2 has 0.0500."
    ]


def test_codes_are_not_compared_with_real_numbers():
    assert of(0.06, rows={"PCA-2": {"mse": 0.05}}) == []


def test_of_accuracies_the_higher_is_better_and_of_speakers_neither():
    test = {"phone_accuracy": 0.5, "speaker_accuracy": 0.3}
    rows = {"untrained": {"phone_accuracy": 0.6, "speaker_accuracy": 0.9}}
    (text,) = verdicts({"test": test, "baselines": rows}, {})
    assert text.endswith("is 0.500; the baseline untrained has 0.600.")
    assert verdicts({"test": {**test, "phone_accuracy": 0.7}, "baselines": rows}, {}) == []


def test_detectors_of_anomalies_are_compared():
    rows = {
        "PCA-1": {"auc": 0.95, "average_precision": 0.90},
        "isolation forest": {"auc": 0.94, "average_precision": 0.70},
        "chance": {"auc": 0.93},
        "mean row": {"error": 1.0},
    }
    test = {"auc": 0.92, "average_precision": 0.80, "error": 0.5}
    first, second = verdicts({"test": test, "baselines": rows}, {"latent_dim": 8})
    assert first.endswith("is 0.920; the baseline PCA-1 has 0.950, and 2 more are better.")
    assert second.endswith("is 0.800; the baseline PCA-1 has 0.900.")
    better = {"auc": 0.96, "average_precision": 0.95, "error": 0.5}
    assert verdicts({"test": better, "baselines": rows}, {"latent_dim": 8}) == []


@pytest.mark.parametrize(
    "metrics",
    [{}, {"test": {"mse": 0.1}}, {"test": {"mse": float("nan")}, "baselines": ROWS}, {"baselines": ROWS}]
    + [
        {"test": {"mse": 0.1}, "baselines": "none"},
        {"test": {"mse": 0.1}, "baselines": {"a": {"mse": None}}},
    ],
)
def test_without_two_numbers_there_is_no_verdict(metrics):
    assert verdicts(metrics, {}) == []
