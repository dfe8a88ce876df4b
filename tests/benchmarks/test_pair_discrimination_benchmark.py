"""The benchmark of pair discrimination: closed forms, controls, valid records."""

import numpy as np
import pytest


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("pair_discrimination")


class Optimal:
    """A discriminator that finds the closed form, and `s` more with noise."""

    seed, code_noise, value = 0, 0.0, 0.0

    def fit(self, x, z, validation):
        return self

    def evaluate(self, x, z, num_candidates):
        return {"ld": self.value + self.code_noise + self.seed * 1e-3}


def test_records_of_closed_forms_are_valid_and_say_both_sides(
    benchmark, benchmark_module, monkeypatch, tmp_path
):
    Optimal.value = benchmark.CLOSED_FORMS["label10"][1]
    monkeypatch.setattr(benchmark, "PairDiscriminator", Optimal)
    found = benchmark.measure_closed_form("label10", seeds=3)
    records = benchmark_module("parts.records").write_records(tmp_path / "parts.records.json", found)
    entry = records["ldstar.label10"]
    assert entry["goal"] == "<= 0.3651" and entry["n"] == 3 and "farthest seed 0.0020" in entry["note"]
    assert entry["sd"] == pytest.approx(1e-3)
    noisy = records["ldstar.label10.code_noise_0_3"]
    assert noisy["mean"] == pytest.approx(entry["mean"] + 0.3) and noisy["goal"] == ""


def test_goals_are_the_closed_forms_and_their_tolerance(benchmark):
    for _, value, tolerance, goal in benchmark.CLOSED_FORMS.values():
        assert float(goal.removeprefix("<= ")) == pytest.approx(value + tolerance, abs=5e-4)


def test_embeddings_of_the_digits_know_no_held_out_image(benchmark):
    images, label, codes, _ = benchmark.digit_codes()
    assert images.shape == (1797, 64) and set(codes) == set(benchmark.DIGIT_NOTES)
    mean = images[: benchmark.DIGITS].mean(axis=0)
    # the components are those of the first 1,300: centred on them alone
    np.testing.assert_allclose(codes["pca8"][: benchmark.DIGITS].mean(axis=0), 0, atol=1e-4)
    assert abs((images[benchmark.DIGITS :] - mean).mean(axis=0)).max() > 1e-3
    assert (codes["label"].argmax(axis=1) == label).all()
