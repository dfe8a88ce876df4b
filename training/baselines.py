"""What simple methods reach on the same images, by scikit-learn."""

import numpy as np

from keras_ae.errors import require

COMPONENTS = (1, 2, 4, 8, 16, 32)
MOST_TRAINING_IMAGES = 10_000  # enough for both methods; more would take minutes
KMEANS_CODES = 1024  # beyond, k-means has too few images a centre to mean anything


def image_baselines(data, bits_per_image: float | None, grid: tuple[int, int]) -> dict:
    """`{name: {"mse", "bits_per_image"}}` on the test images.

    The mean image; principal components, whose coefficients are real numbers and so
    have no length in bits; and, where the model has a code of known length, k-means of
    the image patches of each grid position at the same number of bits.
    """
    chosen = np.random.default_rng(0).permutation(len(data.train))[:MOST_TRAINING_IMAGES]
    train, test = data.train.images(np.sort(chosen)), data.test.images()
    mean = train.mean(axis=0)
    rows = {"mean image": {"mse": _mse(test, mean[None]), "bits_per_image": 0.0}}
    if bits_per_image:
        rows.update(kmeans_baseline(train, test, bits_per_image, grid))
    rows.update(pca_baselines(train, test))
    return rows


def pca_baselines(train, test) -> dict:
    """Principal components, 1 to 32 of them."""
    decomposition = require("sklearn.decomposition", extra="training")
    flat_train, flat_test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    limit = min(flat_train.shape)
    rows = {}
    for count in [count for count in COMPONENTS if count <= limit]:
        pca = decomposition.PCA(count, random_state=0).fit(flat_train)
        rows[f"PCA-{count}"] = {"mse": _mse(flat_test, pca.inverse_transform(pca.transform(flat_test)))}
    return rows


def pca_codes(train, test, count) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` principal components of the training rows, of the rows of both."""
    decomposition = require("sklearn.decomposition", extra="training")
    pca = decomposition.PCA(count, random_state=0).fit(train)
    return pca.transform(train), pca.transform(test)


def kmeans_baseline(train, test, bits_per_image: float, grid: tuple[int, int]) -> dict:
    """K-means of the patches of each grid position, with as many bits an image as the model."""
    height, width = train.shape[1:3]
    positions = grid[0] * grid[1]
    codes = round(2 ** (bits_per_image / positions))
    if height % grid[0] or width % grid[1] or not 2 <= codes <= min(KMEANS_CODES, len(train)):
        return {}
    cluster = require("sklearn.cluster", extra="training")
    row, column = height // grid[0], width // grid[1]
    errors = []
    for i in range(grid[0]):
        for j in range(grid[1]):
            patch = np.s_[:, i * row : (i + 1) * row, j * column : (j + 1) * column]
            x, y = train[patch].reshape(len(train), -1), test[patch].reshape(len(test), -1)
            kmeans = cluster.KMeans(codes, n_init=1 if len(train) > 2000 else 4, random_state=0).fit(x)
            errors.append(_mse(y, kmeans.cluster_centers_[kmeans.predict(y)]))
    name = f"k-means of {row}x{column} patches, {codes} codes a position"
    return {name: {"mse": float(np.mean(errors)), "bits_per_image": positions * float(np.log2(codes))}}


def _mse(x, y):
    return float(np.square(x - y).mean(dtype="float64"))
