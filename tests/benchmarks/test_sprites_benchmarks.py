"""The benchmarks on sprites: the right tables and splits, trainings that go on, right records."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae.evaluation import Sprites

SPRITES = Sprites(32)


@pytest.fixture
def training(benchmark_module):
    return benchmark_module("parts.sprite_training")


@pytest.fixture
def scoring(benchmark_module):
    return benchmark_module("disentanglement")


@pytest.fixture
def unseen(benchmark_module):
    return benchmark_module("unseen_combinations")


def test_a_table_gives_the_embedding_of_the_sprite_that_is_asked_for(scoring):
    table = scoring.Table(scoring.anchor_table("oracle"))
    factors = table.sample_factors(20, np.random.default_rng(0))
    np.testing.assert_array_equal(table.images(factors), factors)


def test_the_rotated_factors_keep_their_distances(scoring):
    turned = scoring.anchor_table("rotated")
    a, b = np.array([[2, 5, 39, 31, 31], [0, 0, 0, 0, 0]]) / Sprites.sizes
    assert np.linalg.norm(turned[-1] - turned[0]) == pytest.approx(np.linalg.norm(a - b), rel=1e-5)
    assert np.abs(turned[-1] - turned[0]).min() > 1e-3


def test_moments_of_a_bar_by_hand(scoring):
    image = np.zeros((1, 64, 64, 1), "float32")
    image[0, 20, 10:31] = 1.0  # 21 pixels in a row, centre (20, 20)
    mass, x, y, spread, elongation, direction = scoring.moments(image)[0]
    assert (mass, x * 63, y * 63) == pytest.approx((21, 20, 20), rel=1e-4)
    variance = np.var(np.arange(21)) / 63**2
    assert spread == pytest.approx(variance / 21 * 1e4, rel=1e-4)
    assert elongation == pytest.approx(1.0, abs=1e-4) and direction == pytest.approx(0.0, abs=1e-5)


def test_records_of_a_row_hold_its_distance_from_the_reference(scoring):
    values = dict(zip(scoring.METRICS, scoring.REFERENCE["pca10"], strict=True))
    results = [{**values, "dci": values["dci"] + change, "minutes": 2.0} for change in (0.01, 0.05)]
    records = scoring.anchor_records("pca10", results)
    assert records["anchor.pca10.difference"]["mean"] == pytest.approx(0.03)
    assert records["anchor.pca10.mig"]["n"] == 2 and records["anchor.pca10.mig"]["minutes"] == 4.0


def test_a_fifth_of_the_combinations_is_unseen_and_no_value_is(unseen):
    train, seen, held_out = unseen.split()
    parts = [unseen.coarse(SPRITES.factors_of(part)) for part in (train, seen, held_out)]
    numbers = [set(np.ravel_multi_index(tuple(part.T), unseen.GRID)) for part in parts]
    assert numbers[1] <= numbers[0] and not numbers[0] & numbers[2]
    assert len(numbers[2]) == 461 and len(numbers[0] | numbers[2]) == 2304
    assert sorted(map(len, (train, seen))) == [5000, len(SPRITES) - len(held_out) - 5000]
    assert not set(train[:50_000]) & set(seen)
    for column, size in zip(parts[0].T, unseen.GRID, strict=True):
        assert len(np.unique(column)) == size


def test_a_probe_reads_what_is_there(unseen):
    rng = np.random.default_rng(0)
    factors = rng.integers(unseen.GRID, size=(600, 5))
    z = np.concatenate([factors == value for value in range(8)], axis=1).astype("float32")
    assert unseen.probe_accuracy((z[:400], factors[:400]), (z[400:], factors[400:])) > 0.99
    noise = rng.normal(size=(600, 4))
    assert unseen.probe_accuracy((noise[:400], factors[:400]), (noise[400:], factors[400:])) < 0.35


@pytest.mark.parametrize("kind", ["binary", "onehot", "vq"])
def test_all_kinds_spend_the_same_bits(unseen, kind, monkeypatch):
    monkeypatch.setattr(unseen, "BITS", 5)
    model = unseen.make_model(kind, seed=0)
    codes = np.prod([model.bottleneck.num_values] * max(1, int(np.prod(model.code_shape))), dtype=float)
    assert np.log2(codes) == 5.0
    assert unseen.bits_of(kind) == 5 and unseen.bits_of("binary24") == 24
    assert model.reconstruct(SPRITES.images(np.zeros((2, 5), int))).shape == (2, 32, 32, 1)


def test_records_name_the_kind_and_the_part(unseen):
    part = {"mse": 0.1, "probe": 0.5}
    records = unseen.records_of("binary", [{"unseen": part, "seen": part, "codes": 7, "minutes": 1.0}])
    assert set(records) == {f"binary.{p}.{c}" for p in ("unseen", "seen") for c in ("mse", "probe")}


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(training, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "STEPS_A_CHUNK", 2)
    indices = np.arange(500)

    def make():
        from keras_ae.models import AutoEncoder

        return AutoEncoder(training.encoder(3, units=4), training.decoder(3, units=4))

    settings = {"steps": 4, "batch": 8, "seed": 0}
    whole, _ = training.train_model(make, indices, path=tmp_path / "whole.keras", **settings)
    fit, calls = keras.Model.fit, []

    def stop_at_the_second_chunk(model, *args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(model, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", stop_at_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        training.train_model(make, indices, path=tmp_path / "stopped.keras", **settings)
    monkeypatch.setattr(keras.Model, "fit", fit)
    resumed, _ = training.train_model(make, indices, path=tmp_path / "stopped.keras", **settings)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_what_is_finished_is_not_computed_again(scoring, tmp_path):
    arguments = SimpleNamespace(runs=str(tmp_path))
    first = scoring.cell("a-0", lambda: {"mig": 0.5}, arguments)
    assert first == scoring.cell("a-0", None, arguments) == json.loads((tmp_path / "a-0.json").read_text())
