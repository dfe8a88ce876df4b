"""Linear classifiers and regressions on sentence vectors, fitted as in SentEval."""

from collections.abc import Callable

import numpy as np

from keras_ae.errors import InputError, require
from keras_ae.evaluation.text._logistic_path import MAX_STEPS, LogisticPath, PrincipalAxes, TypicalWeights
from keras_ae.evaluation.text.sentence_tasks import SentenceTask

PENALTIES = tuple(2.0**power for power in (-12, -9, -6, -3, 0, 3))  # C for standardised features
SPARSE_PENALTIES = tuple(2.0**power for power in (-4, -2, 0, 2, 4, 6))  # C for unscaled word counts
INNER_FOLDS = 3  # number of folds to choose C by if there is no validation part


def predict_task(task: SentenceTask, features: Callable, folds: int, seed: int, progress=None) -> dict:
    """Fit a linear model to a task and return its predictions for the held-out examples.

    Args:
        task: the task. Without a test part, every fold of the training examples is held out once.
        features: function from `LabelledSentences` to `(examples, features)`, dense or sparse.
        folds: number of folds of the training examples; fewer if a class has fewer examples.
        seed: seed of the folds.
        progress: function called with a description of each fold, such as "fold 2 of 10".

    Returns:
        `truth` and `predicted`, both `(examples,)`; `penalties`, the C of each fit; `folds`; `n_train`.

    Raises:
        InputError: there is a single class, or a class with a single example.
    """
    model, say = model_of_task(task, seed), progress or (lambda text: None)
    x, y = features(task.train), task.train.target
    if task.test is not None:
        parts = [part for part in (task.validation, task.test) if part is not None]
        x, *others = _standardised(x, *(features(part) for part in parts))
        given = None if task.validation is None else (others[0], task.validation.target)
        predicted, penalty = _predict(model, x, y, others[-1], PrincipalAxes(x), given)
        return {
            "truth": task.test.target,
            "predicted": predicted,
            "penalties": [penalty],
            "folds": 1,
            "n_train": len(y),
        }
    splits = model.splits(y, folds)
    predicted, penalties, axes = np.empty_like(y), [], None
    for number, (train, held_out) in enumerate(splits, 1):
        say(f"fold {number} of {len(splits)}")
        of_train, of_held_out = _standardised(x[train], x[held_out])
        axes = axes or PrincipalAxes(of_train)  # the axes of the first fold are used for all folds
        predicted[held_out], penalty = _predict(model, of_train, y[train], of_held_out, axes)
        penalties.append(penalty)
    n_train = min(len(train) for train, _ in splits)
    return {
        "truth": y,
        "predicted": predicted,
        "penalties": penalties,
        "folds": len(splits),
        "n_train": n_train,
    }


def model_of_task(task: SentenceTask, seed: int):
    """Return the linear model for the scores or the classes of a task.

    Raises:
        InputError: there is a single class, or a class with a single example.
    """
    model = (_Scores if task.kind == "scores" else _Classes)(seed)
    model.check(task.train.target, task.name)
    return model


def _predict(model, x, y, held_out, axes, validation=None):
    """Return `(predictions for the held-out examples, chosen C)`."""
    if validation is not None:
        path = model.path(x, y, axes)
        penalty = best_penalty(model, [(path, *validation)], _penalties(x))
        return path.predict(held_out, penalty), penalty
    tries = [
        (model.path(x[train], y[train], axes, typical=True), x[rest], y[rest])
        for train, rest in model.splits(y, INNER_FOLDS)
    ]
    penalty = best_penalty(model, tries, _penalties(x))
    path = model.path(x, y, axes)
    path.start_from([part for part, *_ in tries], penalty)
    return path.predict(held_out, penalty), penalty


def _penalties(x):
    return PENALTIES if isinstance(x, np.ndarray) else SPARSE_PENALTIES


def best_penalty(model, tries, penalties):
    """Return the C with the best score over all parts; of equally good values, the smallest.

    The values are tried in rising order, until two in a row are worse than the best.

    Args:
        model: object whose method `score` scores predictions.
        tries: `[(path, held-out features, truth), ...]` of the inner folds or of the validation part.
        penalties: values of C in rising order, so that each fit starts near its minimum.
    """
    scores = []
    for c in penalties:
        scores.append(sum(model.score(truth, path.predict(some, c)) for path, some, truth in tries))
        if max(scores[-2:]) < max(scores):
            break  # past the best value
    return penalties[int(np.argmax(scores))]


class _Path:
    """Logistic regressions on the same examples, one for each C, and their predictions.

    Args:
        x: features `(examples, features)`.
        labels: sorted distinct labels, one for each column of `shares`.
        shares: `(examples, labels)`, the weight of each label in an example.
        axes, typical: see `LogisticPath`.
        expected: whether to predict the mean of the labels under their probabilities instead of the
            most probable label.
    """

    def __init__(self, x, labels, shares, axes, typical, expected=False):
        self.labels, self.expected = labels, expected
        self.path = LogisticPath(x, shares, axes, typical) if len(labels) > 1 else None

    def start_from(self, others, penalty):
        """Start the next fit from the mean weights of other paths with the same labels."""
        known = [one.path.weights[penalty] for one in others if np.array_equal(one.labels, self.labels)]
        if known and self.path is not None:
            self.path.start(np.mean(known, axis=0))

    def predict(self, x, penalty):
        """Predict the examples `x` by the fit for `penalty`; a single label is predicted without a fit."""
        if self.path is None:
            return np.repeat(self.labels, x.shape[0])
        if penalty not in self.path.weights:
            self.path.fit(penalty)
        probabilities = self.path.probabilities(x, penalty)
        return probabilities @ self.labels if self.expected else self.labels[probabilities.argmax(axis=1)]


class _WordCounts:
    """`_Path` for word counts and two classes, by liblinear, which is many times faster than L-BFGS here."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def start_from(self, others, penalty):
        """Do nothing, because liblinear always starts from zero."""

    def predict(self, x, penalty):
        """Predict the class of each example of `x`."""
        linear = require("sklearn.linear_model", extra="evaluation")
        model = linear.LogisticRegression(C=penalty, max_iter=MAX_STEPS, solver="liblinear")
        return model.fit(self.x, self.y).predict(x)


class _Classes:
    """Logistic regression with an L2 penalty.

    Args:
        seed: seed of the folds, which are stratified by class.
    """

    def __init__(self, seed: int):
        self.seed, self.typical = seed, TypicalWeights()

    def check(self, y, name):
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) < 2 or counts.min() < 2:
            raise InputError(
                f"{name} must have at least two classes and at least two examples of each. Received: "
                f"{', '.join(f'{count} of {one}' for one, count in zip(classes[:5], counts, strict=False))}"
            )

    def splits(self, y, folds):
        selection = require("sklearn.model_selection", extra="evaluation")
        folds = min(folds, np.unique(y, return_counts=True)[1].min())
        if folds < 2:  # a class with a single example, which is either in training or held out
            return list(selection.KFold(2, shuffle=True, random_state=self.seed).split(y))
        return list(selection.StratifiedKFold(folds, shuffle=True, random_state=self.seed).split(y, y))

    def path(self, x, y, axes, typical=False):
        """Return fits to the classes; with `typical`, they start from the fits of the other inner folds."""
        labels, numbers = np.unique(y, return_inverse=True)
        if not isinstance(x, np.ndarray) and len(labels) == 2:
            return _WordCounts(x, y)
        shares = np.eye(len(labels), dtype="float32")[numbers]
        return _Path(x, labels, shares, axes, self.typical if typical else None)

    def score(self, truth, predicted):
        """Return the share of correct predictions."""
        return float(np.mean(truth == predicted))


class _Scores:
    """Softmax regression to integer levels, whose mean under the probabilities is the predicted score.

    ```
    score = sum_k k p(k | x),    fitted to p(floor y) = 1 - (y - floor y), p(floor y + 1) = y - floor y
    ```

    Args:
        seed: seed of the folds.

    Reference:
        Tai, Socher and Manning, 2015, https://arxiv.org/abs/1503.00075.
    """

    def __init__(self, seed: int):
        self.seed, self.typical = seed, TypicalWeights()

    def check(self, y, name):
        if not np.ptp(y):
            raise InputError(f"{name} must have at least two different scores. Received: only {y[0]}")

    def splits(self, y, folds):
        selection = require("sklearn.model_selection", extra="evaluation")
        folds = selection.KFold(min(folds, len(y)), shuffle=True, random_state=self.seed)
        return list(folds.split(y))

    def path(self, x, y, axes, typical=False):
        """Return fits to the two levels around the score of each example; `typical` as in `_Classes`."""
        lower = np.floor(y)
        levels = np.unique(np.concatenate([lower, lower[y > lower] + 1]))
        # a level without a score next to it has no column, as in a regression on the levels
        shares, rows = np.zeros((len(y), len(levels)), "float32"), np.arange(len(y))
        shares[rows, np.searchsorted(levels, lower)] = 1 - (y - lower)
        above = y > lower
        shares[rows[above], np.searchsorted(levels, lower[above] + 1)] = (y - lower)[above]
        return _Path(x, levels, shares, axes, self.typical if typical else None, expected=True)

    def score(self, truth, predicted):
        """Return Pearson's correlation."""
        return correlation(truth, predicted)


def _standardised(x, *others):
    """Standardise dense features by the mean and deviation of `x`; return sparse word counts unchanged."""
    if not isinstance(x, np.ndarray):
        return x, *others
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation <= 1e-6 * (1 + np.abs(mean))] = 1  # constant up to rounding errors
    return tuple((part - mean) / deviation for part in (x, *others))


def correlation(a, b) -> float:
    """Return Pearson's correlation; 0 if one of the two is constant.

    Example:

    >>> round(correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])), 6)
    1.0
    """
    a, b = (np.asarray(values, "float64") for values in (a, b))
    if np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return 0.0
    return float(require("scipy.stats", extra="evaluation").pearsonr(a, b).statistic)
