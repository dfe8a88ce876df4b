"""What a linear classifier reads from vectors of sentences, as SentEval fits it."""

import warnings
from collections.abc import Callable

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.sentence_task import SentenceTask
from keras_ae.optional import require

PENALTIES = tuple(2.0**power for power in (-12, -9, -6, -3, 0, 3))  # C, of standardised features
SPARSE_PENALTIES = tuple(2.0**power for power in (-4, -2, 0, 2, 4, 6))  # of words as they are
INNER_FOLDS = 3  # by which C is chosen where there is no validation part
MAX_STEPS = 300


def read_task(task: SentenceTask, features: Callable, folds: int, seed: int) -> dict:
    """What is said of the held-out examples.

    Args:
        task: with a test, or none: then every fold of the training examples is held out once.
        features: of `LabelledSentences`, `(examples, features)`, dense or sparse.
        folds: of the training examples; fewer where a class is rarer.
        seed: of the folds.

    Returns:
        `truth` and `said` `(examples,)`; `penalties`, the C of each fit; `folds`; `n_train`.

    Raises:
        InputError: there is one class only, or one example of a class.
    """
    reader = (_Scores if task.kind == "scores" else _Classes)(seed)
    x, y = features(task.train), task.train.target
    reader.check(y, task.name)
    if task.test is not None:
        parts = [part for part in (task.validation, task.test) if part is not None]
        x, *others = _standardised(x, *(features(part) for part in parts))
        given = None if task.validation is None else (others[0], task.validation.target)
        penalty = best_penalty(reader, x, y, given)
        truth, said = task.test.target, reader.said(x, y, others[-1], penalty)
        return {"truth": truth, "said": said, "penalties": [penalty], "folds": 1, "n_train": len(y)}
    splits = reader.splits(y, folds)
    said, penalties = np.empty_like(y), []
    for train, held_out in splits:
        of_train, of_held_out = _standardised(x[train], x[held_out])
        penalties.append(best_penalty(reader, of_train, y[train], None))
        said[held_out] = reader.said(of_train, y[train], of_held_out, penalties[-1])
    n_train = min(len(train) for train, _ in splits)
    return {"truth": y, "said": said, "penalties": penalties, "folds": len(splits), "n_train": n_train}


def best_penalty(reader, x, y, validation):
    """The C that is best on the validation part, or on inner folds; the smallest of equally good ones.

    They are tried upwards, until two in a row are worse than the best.
    """
    if validation is not None:
        tries = [(x, y, *validation)]
    else:
        splits = reader.splits(y, INNER_FOLDS)
        tries = [(x[train], y[train], x[held_out], y[held_out]) for train, held_out in splits]
    penalties = PENALTIES if isinstance(x, np.ndarray) else SPARSE_PENALTIES
    scores = []
    for c in penalties:
        scores.append(sum(reader.score(truth, reader.said(*known, some, c)) for *known, some, truth in tries))
        if max(scores[-2:]) < max(scores):
            break  # past the best one; the larger C is, the longer a fit takes
    return penalties[int(np.argmax(scores))]


class _Classes:
    """Logistic regression with an L2 penalty.

    Args:
        seed: of the folds, which keep the shares of the classes.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def check(self, y, name):
        classes, counts = np.unique(y, return_counts=True)
        if len(classes) < 2 or counts.min() < 2:
            raise InputError(
                f"{name}: expected at least two classes, and two examples of each. Received: "
                f"{', '.join(f'{count} of {one}' for one, count in zip(classes[:5], counts, strict=False))}"
            )

    def splits(self, y, folds):
        selection = require("sklearn.model_selection", extra="evaluation")
        folds = min(folds, np.unique(y, return_counts=True)[1].min())
        if folds < 2:  # too few of a class in a part: its only example is in training or held out
            return list(selection.KFold(2, shuffle=True, random_state=self.seed).split(y))
        return list(selection.StratifiedKFold(folds, shuffle=True, random_state=self.seed).split(y, y))

    def said(self, x, y, held_out, penalty):
        """The class of each held-out example."""
        return _fitted(x, y, penalty).predict(held_out)

    def score(self, truth, said):
        """Share of examples that are right."""
        return float(np.mean(truth == said))


class _Scores:
    """Scores as the mean of whole levels, whose probabilities a softmax regression gives.

    ```
    score = sum_k k p(k | x),    fitted to p(floor y) = 1 - (y - floor y), p(floor y + 1) = y - floor y
    ```

    Args:
        seed: of the folds.

    Reference:
        Tai, Socher and Manning, 2015, https://arxiv.org/abs/1503.00075.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def check(self, y, name):
        if not np.ptp(y):
            raise InputError(f"{name}: expected scores that differ. Received: {y[0]} alone")

    def splits(self, y, folds):
        selection = require("sklearn.model_selection", extra="evaluation")
        folds = selection.KFold(min(folds, len(y)), shuffle=True, random_state=self.seed)
        return list(folds.split(y))

    def said(self, x, y, held_out, penalty):
        """The score of each held-out example."""
        lower = np.floor(y)
        levels, weights = np.concatenate([lower, lower + 1]), np.concatenate([1 - (y - lower), y - lower])
        kept = np.flatnonzero(weights)
        twice = np.concatenate([np.arange(len(y))] * 2)[kept]
        model = _fitted(x[twice], levels[kept], penalty, weights[kept])
        return model.predict_proba(held_out) @ model.classes_

    def score(self, truth, said):
        """Pearson's correlation."""
        return correlation(truth, said)


def _standardised(x, *others):
    """Features less the mean over the deviation of the first ones; counts of words as they are."""
    if not isinstance(x, np.ndarray):
        return x, *others
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation <= 1e-6 * (1 + np.abs(mean))] = 1  # constant, but for rounding
    return tuple((part - mean) / deviation for part in (x, *others))


def _fitted(x, y, penalty, weights=None):
    exceptions = require("sklearn.exceptions", extra="evaluation")
    linear = require("sklearn.linear_model", extra="evaluation")
    # many times faster for counts of words, but it knows two classes only
    solver = "lbfgs" if isinstance(x, np.ndarray) or len(np.unique(y)) > 2 else "liblinear"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # a nearly fitted one reads as well
        model = linear.LogisticRegression(C=penalty, max_iter=MAX_STEPS, solver=solver)
        return model.fit(x, y, sample_weight=weights)


def correlation(a, b) -> float:
    """Pearson's correlation; 0 where one of them is constant.

    Example:

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    """
    a, b = (np.asarray(values, "float64") - np.mean(values) for values in (a, b))
    lengths = np.sqrt(np.square(a).sum() * np.square(b).sum())
    return float(np.clip((a * b).sum() / lengths, -1, 1)) if lengths > 1e-12 else 0.0
