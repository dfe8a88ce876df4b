"""Probes: simple classifiers and regressions of a target from an embedding."""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, require
from keras_ae.evaluation._checks import (
    as_embedding,
    check_lengths,
    describe,
    r2,
    r2_interval,
    wilson_interval,
)
from keras_ae.evaluation.probes.held_out import as_target, most_frequent, permuted, splits_of

FEWEST = 4  # least number of examples in either part of a split


def probe(
    z: ArrayLike,
    y: ArrayLike | list,
    *,
    test: tuple[ArrayLike, ArrayLike | list] | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
    one_hot: bool = False,
    folds: int = 5,
) -> dict:
    """Measure how well `y` can be predicted from the embedding `z`, always on held-out examples.

    ```
    linear = accuracy of argmax_k (W z' + b)_k                 logistic regression, L2, C = 1
    mlp    = accuracy of argmax_k (V relu(U z' + a) + c)_k     256 hidden units
    z'     = (z - mean) / standard deviation                   of the training examples
    selectivity = linear - linear_permuted                     the same probe with permuted labels
    ```

    Integers, strings and booleans are classes. Floating-point `y` is a quantity: the probes are
    ridge regression and a perceptron, and every result is `R^2` on held-out examples,
    `1 - sum (y - y_hat)^2 / sum (y - mean y)^2`, which may be negative.

    Args:
        z: `(examples, ...)`, flattened to `(examples, features)`.
        y: `(examples,)`; examples with a missing value (`None`, NaN) are left out and counted.
        test: `(z, y)` of the held-out examples; `None`: a quarter of the examples, stratified by
            class, or folds if `groups` are given.
        groups: `(examples,)`, such as the speaker or document of each example. No group is in both
            training and test. Every group is held out once; results are over all examples.
        seed: seed of the split, the perceptron and the permutation.
        one_hot: whether `z` are integer codes, each of which gets one column per value in the
            training examples; otherwise integers are quantities.
        folds: number of folds of groups; one per group if there are fewer groups.

    Returns:
        `linear`, `mlp`, their 95 % intervals `interval` and `mlp_interval` (`[low, high]`; Wilson's
        for classes, the bootstrap of `R^2` for quantities); `majority` (predicting the most frequent
        training class, or the training mean), `best_constant` (predicting the most frequent
        held-out class, in hindsight; 0 for quantities) and `chance` (1 / classes; 0 for
        quantities); `linear_permuted` (labels permuted within training and test; by whole groups
        if each group has a single label) and `selectivity`; `kind`, `classes`, `folds`, `n_train`
        (of the smallest fold), `n_test`, `missing` (number of examples left out); `unconverged`, the
        names of the probes of which a fit stopped at its largest number of steps (2,000 of the logistic
        regression, 200 epochs of the perceptron) before it converged. Intervals assume independent
        examples: with `groups` they are too narrow.

    Raises:
        InputError: the numbers of examples differ, `z` has NaN, there is a single class, there are
            too few examples, there is a single group, both `test` and `groups` are given, or codes
            have too many values for `one_hot`.
        ImportError: scikit-learn is not installed.

    Example:

    >>> y = np.arange(200) % 2
    >>> z = np.random.default_rng(0).normal(size=(200, 3)) + y[:, None] * 4
    >>> result = probe(z, y)
    >>> result["linear"] > 0.9, result["majority"], result["n_train"], result["n_test"]
    (True, 0.5, 150, 50)

    Reference:
        Alain and Bengio, 2016, https://arxiv.org/abs/1610.01644; selectivity: Hewitt and
        Liang, 2019, https://arxiv.org/abs/1909.03368.
    """
    z, y, known, test_size = joined_parts(
        z, y, test, lambda part, name: _checked_features(part, name, one_hot)
    )
    if groups is not None and test_size is None:
        groups = np.asarray(groups)
        check_lengths(y=known, groups=groups)
        groups = groups[known]
    splits = splits_of(y, test_size=test_size, groups=groups, folds=folds, seed=seed)
    regression = y.dtype.kind == "f"
    _check_splits(y, splits, regression)
    wrong = permuted(y, splits, None if groups is None else np.asarray(groups), seed)
    unconverged: set[str] = set()
    parts = [
        _predicted(z, y, shuffled, split, regression, seed, one_hot, unconverged)
        for shuffled, split in zip(wrong, splits, strict=True)
    ]
    predicted = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    classes = None if regression else len(np.unique(y))
    return {
        **_results(predicted, regression, seed),
        "best_constant": 0.0 if regression else _largest_share(predicted["truth"]),
        "chance": 0.0 if classes is None else 1.0 / classes,
        "kind": "regression" if regression else "classification",
        "classes": classes,
        "folds": len(splits),
        "n_train": min(len(train) for train, _ in splits),
        "n_test": len(predicted["truth"]),
        "missing": int((~known).sum()),
        "unconverged": sorted(unconverged),
    }


def joined_parts(
    z: ArrayLike,
    y: ArrayLike | list,
    test: tuple[ArrayLike, ArrayLike | list] | None,
    as_features,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Return `(z, y, known, test size)` of the examples with known targets, test examples last.

    Args:
        z, y, test: as in `probe`.
        as_features: function from `z` and its name to a checked array `(examples, features)`.

    Returns:
        `known` is bool over all examples, test examples last; the test size is `None` without a test.
    """
    parts = [(z, y)] if test is None else [(z, y), test]
    checked = []
    for name, (features, target) in zip(("z", "test z"), parts, strict=False):
        of_y = name.replace("z", "y")
        features, (target, known) = as_features(features, name), as_target(target, of_y)
        check_lengths(**{name: features, of_y: known})
        checked.append((features[known], target, known))
    if test is None:
        return *checked[0], None
    (z, y, known), (test_z, test_y, test_known) = checked
    if z.shape[1] != test_z.shape[1] or (y.dtype.kind == "f") != (test_y.dtype.kind == "f"):
        raise InputError(
            "test must have the same features and the same kind of target as z and y. "
            f"Received: {z.shape[1]} and {test_z.shape[1]} features, targets {y.dtype} and {test_y.dtype}"
        )
    known = np.concatenate([known, test_known])
    return np.concatenate([z, test_z]), np.concatenate([y, test_y]), known, len(test_y)


def _checked_features(z, name, one_hot):
    z = np.asarray(z)
    if not one_hot:
        return as_embedding(z, name)
    if z.dtype.kind not in "iub" or not z.size:
        raise InputError(f"{name} must be integer codes for one_hot=True. Received: {describe(z)}")
    return z.reshape(len(z), -1)


def _check_splits(y, splits, regression):
    for train, held_out in splits:
        if min(len(train), len(held_out)) < FEWEST:
            raise InputError(
                f"z must contain at least {FEWEST} examples to fit on and {FEWEST} held-out ones. "
                f"Received: {len(train)} and {len(held_out)}. Pass more examples, or use fewer folds."
            )
        values = len(np.unique(y[train]))
        if values < 2 or (regression and not np.ptp(y[held_out])):
            raise InputError(
                f"y must have at least 2 {'values' if regression else 'classes'} in training and test. "
                f"Received: {values} in {len(train)} training examples, so there is nothing to predict."
            )


def _predicted(z, y, shuffled, split, regression, seed, one_hot, unconverged):
    """Return the true and the predicted targets of the held-out examples of one split.

    The names of the probes that did not converge are added to `unconverged`.
    """
    train, held_out = split
    z = one_hot_columns(z, train) if one_hot else z
    x_train, x_test = z[train], z[held_out]
    fits = {
        "linear": (linear_model(regression), y[train]),
        "mlp": (mlp_model(regression, y[train], seed), y[train]),
        "linear_permuted": (linear_model(regression), shuffled[train]),
    }
    predicted = {
        "truth": y[held_out],
        "permuted_truth": shuffled[held_out],
        "majority": np.repeat(_usual(y[train], regression), len(held_out)),
    }
    for name, (model, target) in fits.items():
        predicted[name], converged = predictions(model, x_train, target, x_test, regression)
        if not converged:
            unconverged.add(name)
    return predicted


def _usual(y, regression):
    """Return the mean, or the most frequent class."""
    if regression:
        return y.mean()
    return most_frequent(y)


def _results(predicted, regression, seed):
    score = r2 if regression else _accuracy
    results = {name: score(predicted["truth"], predicted[name]) for name in ("linear", "mlp", "majority")}
    results["linear_permuted"] = score(predicted["permuted_truth"], predicted["linear_permuted"])
    results["selectivity"] = results["linear"] - results["linear_permuted"]
    for name, key in (("linear", "interval"), ("mlp", "mlp_interval")):
        right = int((predicted["truth"] == predicted[name]).sum())
        results[key] = (
            r2_interval(predicted["truth"], predicted[name], seed)
            if regression
            else wilson_interval(right, len(predicted["truth"]))
        )
    return results


def _largest_share(y):
    return float(np.unique(y, return_counts=True)[1].max() / len(y))


def _accuracy(truth, predicted):
    return float(np.mean(truth == predicted))


HIDDEN = 256
PENALTY = 1e-3  # L2 penalty of the perceptron
MAX_STEPS = 2000  # largest number of steps of logistic regression
MAX_PASSES = 200  # largest number of epochs of the perceptron
STOPPING_FROM = 500  # examples; with fewer, a tenth of them is too few for early stopping
MOST_ONE_HOT = 50_000  # largest number of one-hot columns
ALPHAS = np.logspace(-3, 4, 8)  # penalties of ridge regression, chosen by leave-one-out in training


def linear_model(regression: bool):
    """Return an unfitted logistic or ridge regression."""
    linear = require("sklearn.linear_model", extra="evaluation")
    return linear.RidgeCV(ALPHAS) if regression else linear.LogisticRegression(C=1.0, max_iter=MAX_STEPS)


def mlp_model(regression: bool, y: np.ndarray, seed: int):
    """Return an unfitted perceptron of 256 hidden units; with enough examples, a tenth is for stopping."""
    neural = require("sklearn.neural_network", extra="evaluation")
    kind = neural.MLPRegressor if regression else neural.MLPClassifier
    counts = [len(y)] if regression else np.unique(y, return_counts=True)[1]
    stopping = len(y) >= STOPPING_FROM and min(counts) >= 2 and len(counts) <= len(y) // 10
    return kind(
        hidden_layer_sizes=(HIDDEN,),
        alpha=PENALTY,
        max_iter=MAX_PASSES,
        early_stopping=stopping,
        random_state=seed,
    )


def predictions(
    model, x_train: np.ndarray, y_train: np.ndarray, x_test: np.ndarray, regression: bool = False
) -> tuple[np.ndarray, bool]:
    """Fit `model` on standardised features; return `(held-out predictions, whether the fit converged)`.

    scikit-learn's `ConvergenceWarning` becomes the second result; other warnings are shown as usual.
    """
    exceptions = require("sklearn.exceptions", extra="evaluation")
    preprocessing = require("sklearn.preprocessing", extra="evaluation")
    scale = preprocessing.StandardScaler()
    mean, deviation = (y_train.mean(), y_train.std()) if regression else (0.0, 1.0)
    target = (y_train - mean) / deviation if regression else y_train
    caught = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", exceptions.ConvergenceWarning)
        show = warnings.showwarning

        def catch(message, category, *place, **options):
            if issubclass(category, exceptions.ConvergenceWarning):
                caught.append(message)
            else:
                show(message, category, *place, **options)

        warnings.showwarning = catch
        model.fit(scale.fit_transform(x_train), target)
    predicted = model.predict(scale.transform(x_test))
    return predicted * deviation + mean if regression else predicted, not caught


def one_hot_columns(z: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return integer codes as one column for each value of each feature that occurs in the rows `train`."""
    columns = []
    for feature in z.T:
        columns.append(feature[:, None] == np.unique(feature[train]))
        if sum(block.shape[1] for block in columns) > MOST_ONE_HOT:
            raise InputError(
                f"One-hot codes must have at most {MOST_ONE_HOT} columns. Received: codes of {z.shape[1]} "
                "features with too many values. Probe their embedding instead."
            )
    return np.concatenate(columns, axis=1).astype("float32")
