"""Projection of embeddings to two dimensions."""

import warnings

import numpy as np

from keras_ae.errors import require

MOST_POINTS = 1500
FEWEST_POINTS = 30  # with fewer points, neighbourhoods are too small for t-SNE
MOST_FEATURES = 50  # largest number of features for t-SNE and UMAP; more are reduced by PCA


def plane(z, *, method: str = "auto", seed: int = 0) -> dict:
    """Project `z` to points `(examples, 2)` that preserve neighbourhoods as far as possible.

    Args:
        z: embeddings `(examples, features)`.
        method: `"umap"` (requires the package umap-learn), `"tsne"`, `"pca"`; `"auto"`: UMAP if it is
            installed, else t-SNE. With every method, embeddings with at most two features are not
            projected, and PCA is used for fewer than 30 examples.
        seed: seed of UMAP and t-SNE.

    Returns:
        `{"method", "points", "trustworthiness"}`: points in [0, 1]; trustworthiness in [0, 1],
        which measures whether neighbours on the plane are neighbours in the embedding (`None` for
        too few examples).

    Reference:
        van der Maaten and Hinton, 2008, https://jmlr.org/papers/v9/vandermaaten08a.html;
        McInnes et al., 2018, https://arxiv.org/abs/1802.03426; trustworthiness: Venna and
        Kaski, 2001.
    """
    z = np.asarray(z, "float64")
    method = _method(z, method)
    points = METHODS[method](z, seed)
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (points - (low + high) / 2) / max((high - low).max(), 1e-12) + 0.5
    trust, neighbours = None, min(10, (len(z) - 1) // 2)
    if neighbours > 1:
        manifold = require("sklearn.manifold", extra="evaluation")
        trust = float(manifold.trustworthiness(z, points, n_neighbors=neighbours))
    return {"method": method, "points": np.round(scaled, 4).tolist(), "trustworthiness": trust}


def _method(z, method):
    if method not in (*METHODS, "auto"):
        raise ValueError(f"method must be auto, umap, tsne or pca. Received: {method=}")
    if z.shape[1] <= 2:
        return "the embedding itself"
    if len(z) < FEWEST_POINTS:
        return "pca"
    if method != "auto":
        return method
    try:
        require("umap", extra="evaluation")
    except ImportError:
        return "tsne"
    return "umap"


def _pca(z, seed, dimensions=2):
    decomposition = require("sklearn.decomposition", extra="evaluation")
    dimensions = min(dimensions, *z.shape)
    points = decomposition.PCA(dimensions, random_state=seed).fit_transform(z)
    return np.pad(points, [(0, 0), (0, max(0, 2 - dimensions))])


def _tsne(z, seed):
    manifold = require("sklearn.manifold", extra="evaluation")
    z = z if z.shape[1] <= MOST_FEATURES else _pca(z, seed, MOST_FEATURES)
    perplexity = min(30.0, (len(z) - 1) / 3)
    tsne = manifold.TSNE(2, init="pca", perplexity=perplexity, learning_rate="auto", random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*divide by zero|.*invalid value", category=RuntimeWarning)
        return tsne.fit_transform(z.astype("float32")).astype("float64")


def _umap(z, seed):
    umap = require("umap", extra="evaluation")
    z = z if z.shape[1] <= MOST_FEATURES else _pca(z, seed, MOST_FEATURES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a seed makes it slower
        return np.asarray(umap.UMAP(random_state=seed).fit_transform(z), "float64")


def _itself(z, seed):
    return np.pad(z, [(0, 0), (0, 2 - z.shape[1])])


METHODS = {"umap": _umap, "tsne": _tsne, "pca": _pca, "the embedding itself": _itself}
