"""Measurement of models of tables and of baselines on test rows."""

from collections.abc import Callable

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation.attempts import attempt
from keras_ae.tables import table_features

BATCH = 1024


def measure_table(model, recipe, data) -> dict:
    """Compute the results of `model` on the test rows, with baselines.

    Returns:
        `{"test": {...}, "columns": {name: {"error", "baseline"}}, "baselines": {...}}`. Errors are those of
        `TableLikelihood.errors`: squared errors in standard deviations, and shares of wrong categories;
        they are of the normal test rows. `loss` is the mean score of these rows, in nats. `auc` and
        `average_precision` are those of the score as a detector of anomalies. Results that cannot be
        measured are left out, see `attempt`.
    """
    anomalies = data.anomalies(data.test)
    normal = data.test.part(~anomalies).values()
    own = attempt("errors by column", column_errors, model.table, normal, model.reconstruct, default={})
    always = {column.name: value for column, value in zip(data.columns, mean_row(data), strict=True)}
    row = np.array([list(always.values())], "float32")
    constant = attempt(
        "errors of the mean row",
        column_errors,
        model.table,
        normal,
        lambda x: np.repeat(row, len(x), axis=0),
        default={},
    )
    scores, test = attempt("scores", scores_of, model, data.test.values()), {}
    if scores is not None:
        test = {**detection(scores, anomalies), "loss": float(scores[~anomalies].mean())}
    report = {"test": test | _without_none({"error": _mean(own)})}
    report["columns"] = {
        name: {"error": value, "baseline": constant.get(name)} for name, value in own.items()
    }
    if recipe.baselines:
        given = data, anomalies, recipe.latent_dim
        report["baselines"] = attempt("baselines", table_baselines, *given, default={})
        report["baselines"]["mean row"] = _without_none({"error": _mean(constant)})
    return report


def _mean(errors):
    known = [value for value in errors.values() if value is not None]
    return float(np.mean(known)) if known else None


def _without_none(values):
    return {name: value for name, value in values.items() if value is not None}


def scores_of(model, values) -> np.ndarray:
    """Return the score of each row, float64 `(rows,)`."""
    parts = [np.asarray(model.score(values[i : i + BATCH])) for i in range(0, len(values), BATCH)]
    return np.concatenate(parts).astype("float64")


def column_errors(likelihood, values, reconstruct: Callable) -> dict[str, float | None]:
    """Return `{column: mean error of its observed values}`; `None` for a column without any."""
    totals, counts = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for start in range(0, len(values), BATCH):
        rows = values[start : start + BATCH]
        totals += np.asarray(likelihood.errors(rows, np.asarray(reconstruct(rows), "float32"))).sum(axis=0)
        counts += np.asarray(likelihood.observed(rows)).sum(axis=0)
    return {
        column.name: float(total / count) if count else None
        for column, total, count in zip(likelihood.columns, totals, counts, strict=True)
    }


def mean_row(data) -> list[float]:
    """Return the mean of each numeric column and the most frequent category of the others, in training."""
    row = []
    for column, own in zip(data.columns, data.train.values().T, strict=True):
        known = own[~np.isnan(own)]
        row.append(float(np.bincount(known.astype(int)).argmax()) if column.is_categorical else column.mean)
    return row


def detection(scores: np.ndarray, anomalies: np.ndarray) -> dict[str, float]:
    """Return `{"auc", "average_precision"}` of scores that are larger for anomalies; empty without both.

    Example:

    >>> detection(np.array([0.1, 0.4, 0.3, 0.9]), np.array([False, False, True, True]))["auc"]
    0.75
    """
    if not 0 < anomalies.sum() < len(anomalies):
        return {}
    metrics = require("sklearn.metrics", extra="training")
    return {
        "auc": float(metrics.roc_auc_score(anomalies, scores)),
        "average_precision": float(metrics.average_precision_score(anomalies, scores)),
    }


def table_baselines(data, anomalies: np.ndarray, dim: int) -> dict:
    """Compute `{name: {"auc", "average_precision"}}` of detectors fitted to the features of training rows."""
    if not 0 < anomalies.sum() < len(anomalies):
        return {}
    train, test = (table_features(split.values(), data.columns) for split in (data.train, data.test))
    dim = min(dim, *train.shape)
    return {
        f"PCA-{dim}": detection(pca_errors(train, test, dim), anomalies),
        "isolation forest": detection(isolation_scores(train, test), anomalies),
    }


def pca_errors(train: np.ndarray, test: np.ndarray, dim: int) -> np.ndarray:
    """Return the squared error of each row of `test` from `dim` principal components of `train`."""
    pca = require("sklearn.decomposition", extra="training").PCA(dim, random_state=0).fit(train)
    return np.square(test - pca.inverse_transform(pca.transform(test))).mean(axis=1)


def isolation_scores(train: np.ndarray, test: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the anomaly score of scikit-learn's isolation forest of 100 trees, fitted to `train`."""
    forest = require("sklearn.ensemble", extra="training").IsolationForest(random_state=seed)
    return -forest.fit(train).score_samples(test)
