import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_ae.training.datasets import load_images


def test_digits_are_the_default():
    data = load_images()
    assert data.name == "digits" and data.image_shape == (8, 8, 1)
    assert (data.num_classes, data.class_names) == (10, tuple("0123456789"))


@pytest.mark.parametrize("source", [None, "digits"])
def test_digits_hold_each_scan_once_with_its_label(source):
    data = load_images(source)
    splits = [data.train, data.validation, data.test]
    assert sum(map(len, splits)) == 1797
    images = np.concatenate([split.images() for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    rows = np.concatenate([split.rows for split in splits])
    known = load_digits()
    np.testing.assert_array_equal(images[..., 0], known.images[rows].astype("float32") / 16)
    np.testing.assert_array_equal(labels, known.target[rows])


def test_digits_can_be_resized():
    data = load_images("digits", image_size=(16, 12))
    images = data.test.images([0, 1])
    assert data.image_shape == (16, 12, 1) and images.shape == (2, 16, 12, 1)
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1
    batch = next(data.test.batches(2).as_numpy_iterator())
    np.testing.assert_array_equal(batch, images)


def test_no_images_can_be_asked_for_and_resized():
    assert load_images("digits", image_size=(16, 12)).test.images([]).shape == (0, 16, 12, 1)
