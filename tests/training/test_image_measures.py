"""Baselines and probe features of image recipes against results derived by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_ae.layers import FiniteScalarQuantizer, VectorQuantizer
from keras_ae.training.recipes.images._measures import image_baselines, kmeans_baseline, probe_features


def image_of(positions, patch):
    """Images `(n, height, width, 1)` whose patch at each position has the one value `(n, rows, columns)`."""
    return np.kron(positions, np.ones((1, *patch)))[..., None].astype("float32")


class Split:
    """The images of a data set, as `ImageSplit` gives them."""

    def __init__(self, images):
        self.stored = images

    def __len__(self):
        return len(self.stored)

    def images(self, indices=None):
        return self.stored if indices is None else self.stored[indices]

    def inputs(self, indices, *, labels=False):
        assert not labels
        return self.images(indices)


def every_combination(values, positions):
    """All images of `positions` positions in two rows, each with one of the values."""
    grid = np.stack(np.meshgrid(*[values] * positions, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2, positions // 2)


def test_patches_of_two_values_are_known_from_one_bit_a_position():
    images = image_of(every_combination([0.0, 1.0], 4), (2, 3))
    rows = kmeans_baseline(images, images[::-1], bits_per_image=4.0, grid=(2, 2))
    (row,) = rows.values()
    assert list(rows) == ["k-means of 2x3 patches, 2 codes a position"]
    assert row["mse"] < 1e-12 and row["bits_per_image"] == 4.0


def test_each_position_has_patches_of_its_own():
    columns = [[0.0, 0.0, 1.0, 1.0], [0.4, 0.6, 0.4, 0.6], [0.2, 0.3, 0.3, 0.2], [0.1, 0.3, 0.7, 0.9]]
    images = image_of(np.array(columns).T.reshape(4, 2, 2), (2, 3))
    (row,) = kmeans_baseline(images, images, bits_per_image=4.0, grid=(2, 2)).values()
    # two codes are two values at three positions; the error is that of the last one, at the bottom right
    assert row["mse"] == pytest.approx(0.1**2 / 4, rel=1e-5) and row["bits_per_image"] == 4.0


def test_the_error_of_four_equally_frequent_values_is_that_of_their_two_means():
    images = image_of(every_combination([0.1, 0.3, 0.7, 0.9], 2), (3, 2))
    (row,) = kmeans_baseline(images, images, bits_per_image=2.0, grid=(2, 1)).values()
    assert row["mse"] == pytest.approx(0.1**2, rel=1e-5)  # means of 0.2 and 0.8
    (row,) = kmeans_baseline(images, images, bits_per_image=4.0, grid=(2, 1)).values()
    assert row["mse"] < 1e-12 and row["bits_per_image"] == 4.0
    # test images are encoded with the means of the training images
    test = image_of(np.full((5, 2, 1), 0.75), (3, 2))
    (row,) = kmeans_baseline(images, test, bits_per_image=2.0, grid=(2, 1)).values()
    assert row["mse"] == pytest.approx(0.05**2, rel=1e-4)


@pytest.mark.parametrize(
    ("count", "bits", "grid"),
    [(16, 8.0, (3, 2)), (16, 8.0, (2, 4)), (16, 1.0, (2, 2)), (16, 20.0, (2, 2)), (3000, 44.0, (2, 2))],
    ids=["rows of patches", "columns of patches", "less than a bit", "few images", "many codes"],
)
def test_no_patches_are_compared_where_they_cannot_have_the_bits_of_the_model(count, bits, grid):
    images = np.zeros((count, 4, 6, 1), "float32")
    assert kmeans_baseline(images, images, bits, grid) == {}


def test_a_code_of_known_length_is_compared_with_patches_and_components():
    images = image_of(every_combination([0.0, 1.0], 4), (2, 2))
    data = SimpleNamespace(train=Split(images), test=Split(images[::-1]))
    rows = image_baselines(data, bits_per_image=4.0, grid=(2, 2))
    patches = "k-means of 2x2 patches, 2 codes a position"
    assert list(rows) == ["mean image", patches, "PCA-1", "PCA-2", "PCA-4", "PCA-8", "PCA-16"]
    assert rows["mean image"] == {"mse": 0.25, "bits_per_image": 0.0}  # every pixel is 0.5 in the mean
    assert rows[patches]["mse"] < 1e-12 and rows[patches]["bits_per_image"] == 4.0
    # four independent positions are four components of equal variance; they have no length in bits
    errors = [rows[f"PCA-{count}"]["mse"] for count in (1, 2, 4)]
    assert errors == pytest.approx([0.25 * 3 / 4, 0.25 * 2 / 4, 0], rel=1e-4, abs=1e-10)
    assert set(rows["PCA-4"]) == {"mse"}
    assert patches not in image_baselines(data, bits_per_image=None, grid=(1, 1))


class Codes:
    """A model whose codes of the images are given."""

    discrete = True

    def __init__(self, bottleneck, codes):
        self.bottleneck, self.codes = bottleneck, np.array(codes)
        self.code_shape = self.codes.shape[1:]

    def encode(self, images):
        return self.codes[images[:, 0, 0, 0].astype(int)]


NUMBERED = Split(np.arange(3, dtype="float32")[:, None, None, None])


def test_the_probe_reads_a_code_on_a_grid_as_its_coordinates():
    quantizer = FiniteScalarQuantizer([3, 5])
    quantizer.build((None, 2))
    # code = digit_0 + 3 digit_1, with the coordinates -1, 0, 1 and -1, -1/2, 0, 1/2, 1
    features = probe_features(Codes(quantizer, [[0, 7], [5, 14], [2, 9]]), NUMBERED)
    expected = [[-1, -1, 0, 0], [1, -0.5, 1, 1], [1, -1, -1, 0.5]]
    np.testing.assert_allclose(features, expected, atol=1e-6)


def test_the_probe_reads_a_class_as_one_hot_and_one_of_many_classes_as_its_embedding():
    features = probe_features(Codes(VectorQuantizer(4), [[0, 3], [1, 1], [2, 0]]), NUMBERED, np.array([0, 2]))
    assert features.tolist() == [[1, 0, 0, 0, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0, 0, 0]]
    many, codebook = VectorQuantizer(600), np.arange(1200, dtype="float32").reshape(600, 2)
    many.set_codebook(codebook)
    features = probe_features(Codes(many, [[599], [0], [7]]), NUMBERED)
    np.testing.assert_array_equal(features, codebook[[599, 0, 7]])
