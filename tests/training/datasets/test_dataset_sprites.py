import numpy as np
import pytest

from keras_ae.evaluation import Sprites
from keras_ae.training.datasets import load_images, stream_images, training_batches


@pytest.fixture(scope="module")
def data():
    return load_images("sprites", image_size=(32, 32))


def test_each_sprite_is_in_one_split(data):
    assert (data.name, data.image_shape, data.class_names) == ("sprites", (32, 32, 1), Sprites.shape_names)
    splits = (data.train, data.validation, data.test)
    indices = np.concatenate([split.store.array.indices[split.rows] for split in splits])
    np.testing.assert_array_equal(np.sort(indices), np.arange(737_280))
    assert len(data.test) == 10_000


def test_the_split_is_the_same_always_and_every_value_of_a_factor_is_in_the_test_part(data):
    again = load_images("sprites", image_size=(32, 32))
    np.testing.assert_array_equal(again.test.store.array.indices, data.test.store.array.indices)
    np.testing.assert_array_equal(again.train.rows, data.train.rows)
    factors = data.test.factors()
    assert [len(np.unique(values)) for values in factors.values()] == list(Sprites.sizes)


def test_images_labels_and_factors_belong_together(data):
    chosen = [0, 5, 77]
    factors = {name: values[chosen] for name, values in data.validation.factors().items()}
    assert tuple(factors) == Sprites.factor_names
    expected = Sprites(32).images(np.stack(list(factors.values()), axis=1))
    np.testing.assert_array_equal(data.validation.images(chosen), expected)
    np.testing.assert_array_equal(data.validation.labels[chosen], factors["shape"])


def test_batches_of_an_epoch_can_begin_anywhere(data):
    stream = training_batches(data.train, 8, seed=3, labels=True)
    stream.epoch, stream.start_step = 2, 5
    batch = next(iter(stream.dataset.as_numpy_iterator()))
    order = np.random.default_rng((3, 2)).permutation(len(data.train))[40:48]
    np.testing.assert_array_equal(batch["x"], data.train.images(order))
    np.testing.assert_array_equal(batch["labels"], data.train.labels[order])


def test_sources_without_known_factors_say_so():
    assert load_images("digits").test.factors() is None


@pytest.mark.parametrize("size", [None, (16, 16), (24, 20)])
def test_other_sizes_are_drawn_or_resized(size):
    images = load_images("sprites", image_size=size).test.images([0, 1])
    assert images.shape == (2, *(size or (64, 64)), 1)
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1


def test_all_sprites_are_encoded_in_the_order_of_their_factors():
    stream = stream_images("sprites", (32, 32, 1), batch_size=4, shard=(3, 100_000))
    assert stream.names == [str(number) for number in range(3, 737_280, 100_000)]
    expected = Sprites(32).images(Sprites().factors_of(range(3, 737_280, 100_000)))
    np.testing.assert_array_equal(np.concatenate(list(stream)), expected)
