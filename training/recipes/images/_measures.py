"""Measurement of image models and baselines on test data."""

import math

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation.attempts import attempt
from keras_ae.evaluation.probes.held_out import check_classes
from keras_ae.layers.bottlenecks.grid_quantizer import GridQuantizer

BATCH = 256
MOST_ONE_HOT = 512  # most values of a code for one-hot inputs of the probe; beyond, embeddings save memory


def measure(model, recipe, data) -> dict:
    """Compute metrics of `model` on the test images, with baselines and the linear probe of its codes.

    Returns:
        `{"test": {...}, "codes": {...}, "baselines": {...}}`: `mse` is the mean squared
        error of pixels in [0, 1]; `psnr` is in dB; `bits_per_image` is the length of the
        code; `usage` is the share of the codes that are used in one pass over the training images,
        `perplexity` their effective number. A model without a decoder has its `loss`, and linear
        probes as baselines. Results that cannot be measured are left out, see `attempt`.
    """
    decodes = hasattr(model, "reconstruct")
    if decodes:
        test = attempt("reconstructions", reconstruction_metrics, model, data.test, default={})
    else:
        loss = attempt("loss", mean_loss, model, data.test, recipe.batch_size)
        test = {} if loss is None else {"loss": loss}
    codes = {}
    if getattr(model, "discrete", False):
        codes = attempt("codes", code_metrics, model, data.train, default={})
    report = {"test": test, "codes": codes}
    if recipe.probe and data.num_classes:
        accuracy = attempt("linear probe", linear_probe, model, data)
        report["test"] |= {} if accuracy is None else {"probe_accuracy": accuracy}
    if recipe.baselines and decodes:
        settings = data, codes.get("bits_per_image"), _positions(model)
        report["baselines"] = attempt("baselines", image_baselines, *settings, default={})
    elif recipe.baselines and data.num_classes:
        report["baselines"] = attempt("baselines", probe_baselines, data, model.embedding_dim, default={})
    return report


def mean_loss(model, split, batch_size) -> float:
    """Compute the loss of a split, in batches as in training: pairs are formed within a batch."""
    return float(model.evaluate(split.batches(batch_size), verbose=0, return_dict=True)["loss"])


def reconstruction_metrics(model, split) -> dict:
    """Compute `{"mse", "psnr"}` of the reconstructions of a split."""
    total, count = 0.0, 0
    for rows in _rows(np.arange(len(split))):
        images, inputs = split.images(rows), inputs_of(model, split, rows)
        error = np.square(np.asarray(model.reconstruct(inputs), "float64") - images)
        total, count = total + error.sum(), count + error.size
    mse = total / count
    return {"mse": mse, "psnr": 10.0 * math.log10(1.0 / max(mse, 1e-12))}


def code_metrics(model, split) -> dict:
    """Compute the length of the code, and the usage of the codes in one pass over a split."""
    levels = bottleneck_levels(model)
    metrics = [metric for _, layer, _ in levels for metric in (layer.usage, layer.perplexity)]
    for metric in metrics:
        metric.reset_state()
    for images in _batches(split):
        codes = model.encode(images)
        for level, layer, _ in levels:
            counted = layer.counted_codes(codes[level] if level else codes)
            layer.usage.update_state(counted)
            layer.perplexity.update_state(counted)
    bits = sum(math.prod(shape) * math.log2(layer.num_values) for _, layer, shape in levels)
    return {"bits_per_image": bits, **{metric.name: float(metric.result()) for metric in metrics}}


def bottleneck_levels(model):
    """Return `(level, bottleneck, shape of its codes)` of a discrete model; a single level is named ""."""
    if hasattr(model, "bottlenecks"):
        return [(level, layer, model.code_shapes[level]) for level, layer in model.bottlenecks.items()]
    return [("", model.bottleneck, model.code_shape)]


def linear_probe(model, data, most=10_000) -> float:
    """Compute the test accuracy of a logistic regression on the codes of training images.

    A categorical code is encoded as one-hot, a code on a grid as its embedding, bits and
    vectors are unchanged. At most `most` training images are used.
    """
    chosen = _some(data.train, most)
    x_train, x_test = probe_features(model, data.train, chosen), probe_features(model, data.test)
    return _linear_score(x_train, data.train.labels[chosen], x_test, data.test.labels)


def probe_baselines(data, dim, most=10_000) -> dict:
    """Compute `{name: {"probe_accuracy"}}` of the pixels and of `dim` principal components."""
    chosen = _some(data.train, most)
    flat = [split.reshape(len(split), -1) for split in (data.train.images(chosen), data.test.images())]
    dim = min(dim, *flat[0].shape)
    rows = {"pixels": flat, f"PCA-{dim}": pca_codes(flat[0], flat[1], dim)}
    labels = data.train.labels[chosen], data.test.labels
    return {
        name: {"probe_accuracy": _linear_score(x_train, labels[0], x_test, labels[1])}
        for name, (x_train, x_test) in rows.items()
    }


def _some(split, most):
    """Return the indices of at most `most` images of a split."""
    return np.sort(np.random.default_rng(0).permutation(len(split))[:most])


def _linear_score(x_train, y_train, x_test, y_test):
    check_classes(y_train, "the labels of the training images")
    linear = require("sklearn.linear_model", extra="training")
    pipeline = require("sklearn.pipeline", extra="training")
    preprocessing = require("sklearn.preprocessing", extra="training")
    classifier = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear.LogisticRegression(C=0.01, max_iter=1000)
    )
    return float(classifier.fit(x_train, y_train).score(x_test, y_test))


def probe_features(model, split, chosen=None) -> np.ndarray:
    """Return features `(images, features)` for a linear classifier."""
    chosen = np.arange(len(split)) if chosen is None else chosen
    parts = []
    for rows in _rows(chosen):
        codes = model.encode(inputs_of(model, split, rows))
        if not getattr(model, "discrete", False):
            parts.append(np.asarray(codes).reshape(len(codes), -1))
            continue
        levels = [(layer, codes[level] if level else codes) for level, layer, _ in bottleneck_levels(model)]
        parts.append(np.concatenate([_code_features(layer, values) for layer, values in levels], axis=1))
    return np.concatenate(parts)


def _code_features(bottleneck, codes):
    codes = np.asarray(codes)
    if isinstance(bottleneck, GridQuantizer) or bottleneck.num_values > MOST_ONE_HOT:
        codes = np.asarray(bottleneck.decode(codes), "float32")
    elif bottleneck.num_values > 2:
        codes = np.eye(bottleneck.num_values, dtype="float32")[codes]
    return codes.reshape(len(codes), -1)


def _positions(model):
    """Return the rows and columns of the grid of codes; one position if there is no grid."""
    shape = getattr(model, "code_shape", ())
    return tuple(shape[:2]) if len(shape) >= 2 else (1, 1)


def inputs_of(model, split, rows):
    """Return the images of `rows` as inputs of `model`, with their labels if it is conditioned on them."""
    return split.inputs(rows, labels=bool(getattr(model, "num_labels", None)))


def _batches(split):
    for rows in _rows(np.arange(len(split))):
        yield split.images(rows)


def _rows(chosen):
    for start in range(0, len(chosen), BATCH):
        yield chosen[start : start + BATCH]


COMPONENTS = (1, 2, 4, 8, 16, 32)
MOST_TRAINING_IMAGES = 10_000  # sufficient for both methods; more would take minutes
KMEANS_CODES = 1024  # with more codes, k-means has too few images per centre


def image_baselines(data, bits_per_image: float | None, grid: tuple[int, int]) -> dict:
    """Compute `{name: {"mse", "bits_per_image"}}` of baselines on the test images.

    The baselines are the mean image; principal components, whose coefficients are real numbers and
    have no length in bits; and, if the model has a code of known length, k-means of
    the image patches of each grid position with the same number of bits.
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
    """Compute the errors of 1 to 32 principal components."""
    decomposition = require("sklearn.decomposition", extra="training")
    flat_train, flat_test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    limit = min(flat_train.shape)
    rows = {}
    for count in [count for count in COMPONENTS if count <= limit]:
        pca = decomposition.PCA(count, random_state=0).fit(flat_train)
        rows[f"PCA-{count}"] = {"mse": _mse(flat_test, pca.inverse_transform(pca.transform(flat_test)))}
    return rows


def pca_codes(train, test, count) -> tuple[np.ndarray, np.ndarray]:
    """Project the rows of both onto the first `count` principal components of the training rows."""
    decomposition = require("sklearn.decomposition", extra="training")
    pca = decomposition.PCA(count, random_state=0).fit(train)
    return pca.transform(train), pca.transform(test)


def kmeans_baseline(train, test, bits_per_image: float, grid: tuple[int, int]) -> dict:
    """Compute the error of k-means of the patches of each grid position, with the model's bits per image."""
    height, width = train.shape[1:3]
    positions = grid[0] * grid[1]
    num_codes = round(2 ** (bits_per_image / positions))
    if height % grid[0] or width % grid[1] or not 2 <= num_codes <= min(KMEANS_CODES, len(train)):
        return {}
    cluster = require("sklearn.cluster", extra="training")
    row, column = height // grid[0], width // grid[1]
    errors = []
    for i in range(grid[0]):
        for j in range(grid[1]):
            patch = np.s_[:, i * row : (i + 1) * row, j * column : (j + 1) * column]
            x, y = train[patch].reshape(len(train), -1), test[patch].reshape(len(test), -1)
            kmeans = cluster.KMeans(num_codes, n_init=1 if len(train) > 2000 else 4, random_state=0).fit(x)
            errors.append(_mse(y, kmeans.cluster_centers_[kmeans.predict(y)]))
    name = f"k-means of {row}x{column} patches, {num_codes} codes a position"
    return {name: {"mse": float(np.mean(errors)), "bits_per_image": positions * float(np.log2(num_codes))}}


def _mse(x, y):
    return float(np.square(x - y).mean(dtype="float64"))
