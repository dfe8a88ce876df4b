import json

import numpy as np
import pytest

from keras_ae.training.datasets import load_images


@pytest.fixture
def numbered(tmp_path):
    """200 images, each of one grey value that is its number."""
    np.savez(
        tmp_path / "numbered.npz",
        x=np.broadcast_to(np.arange(200, dtype="uint8")[:, None, None], (200, 2, 2)),
    )
    return tmp_path / "numbered.npz"


def shown(images):
    """The numbers of such images."""
    return np.rint(images[:, 0, 0, 0] * 255).astype(int)


def test_splits_are_disjoint_and_complete(numbered):
    data = load_images(numbered, validation_fraction=0.25, test_fraction=0.2)
    assert (len(data.train), len(data.validation), len(data.test)) == (120, 40, 40)
    everything = np.concatenate([shown(split.images()) for split in (data.train, data.validation, data.test)])
    np.testing.assert_array_equal(np.sort(everything), np.arange(200))


def test_split_is_a_function_of_its_seed(numbered):
    first, again, other = (load_images(numbered, split_seed=seed) for seed in (3, 3, 4))
    for split in ("train", "validation", "test"):
        assert np.array_equal(getattr(first, split).rows, getattr(again, split).rows)
        assert not np.array_equal(getattr(first, split).rows, getattr(other, split).rows)


def test_test_images_stay_when_the_validation_fraction_changes(numbered):
    small, large = (load_images(numbered, validation_fraction=fraction) for fraction in (0.1, 0.3))
    np.testing.assert_array_equal(small.test.rows, large.test.rows)


def test_fractions_of_zero_hold_nothing_out(numbered):
    data = load_images(numbered, validation_fraction=0, test_fraction=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (200, 0, 0)
    assert data.test.images().shape == (0, 2, 2, 1)
    assert list(data.test.batches(4)) == []


@pytest.mark.parametrize("fractions", [{"validation_fraction": 1.0}, {"test_fraction": -0.1}])
def test_impossible_fractions_are_refused(numbered, complaint, fractions):
    assert "at least 0 and below 1" in complaint(load_images, numbered, **fractions)


def test_negative_seed_is_refused(numbered, complaint):
    assert "split_seed must be at least 0. Received: split_seed=-1" in complaint(
        load_images, numbered, split_seed=-1
    )


def test_too_few_images_to_split_are_refused(tmp_path, complaint):
    np.savez(tmp_path / "two.npz", x=np.zeros((2, 4, 4)))
    assert "There must be enough images" in complaint(load_images, tmp_path / "two.npz")


def test_description_is_json_and_tells_source_counts_and_split(numbered):
    description = json.loads(json.dumps(load_images(numbered).description))
    assert description["source"] == f"npz file {numbered}" and description["image_shape"] == [2, 2, 1]
    assert [description[f"{split}_images"] for split in ("train", "validation", "test")] == [144, 16, 40]
    assert description["test_split"] == "0.2 of all, drawn" and description["split_seed"] == 0


def test_images_by_number_are_those_of_the_split(numbered):
    split = load_images(numbered).train
    np.testing.assert_array_equal(shown(split.images([5, 0, 5])), split.rows[[5, 0, 5]])
    np.testing.assert_array_equal(shown(split.images(range(3))), split.rows[:3])


def test_batches_cover_the_split_in_order(numbered):
    split = load_images(numbered).train
    dataset = split.batches(50)
    batches = list(dataset.as_numpy_iterator())
    assert dataset.cardinality() == 3 and [len(batch) for batch in batches] == [50, 50, 44]
    np.testing.assert_array_equal(shown(np.concatenate(batches)), split.rows)


def test_shuffled_batches_follow_seed_and_epoch(numbered):
    split, epoch = load_images(numbered).train, 0
    dataset = split.batches(50, shuffle_seed=9, epoch_counter=lambda: epoch, start=1)
    assert dataset.cardinality() == 2
    for epoch in (0, 4):
        expected = split.rows[np.random.default_rng((9, epoch)).permutation(144)][50:]
        np.testing.assert_array_equal(shown(np.concatenate(list(dataset.as_numpy_iterator()))), expected)


def test_start_after_the_last_batch_leaves_nothing(numbered):
    assert list(load_images(numbered).train.batches(50, start=3)) == []


def test_batch_size_below_one_is_refused(numbered, complaint):
    message = complaint(load_images(numbered).train.batches, 0)
    assert "batch_size must be at least 1. Received: batch_size=0" in message
