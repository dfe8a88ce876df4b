"""Transfer of sentence vectors to other tasks, by the protocol of SentEval."""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError, renamed_arguments, require
from keras_ae.evaluation._checks import bootstrap_interval, wilson_interval
from keras_ae.evaluation.text._linear_models import correlation, model_of_task, predict_task
from keras_ae.evaluation.text._sentence_vectors import SentenceVectors
from keras_ae.evaluation.text.sentence_tasks import LabelledSentences, SentenceTask, load_sentence_tasks
from keras_ae.files import write_atomically
from keras_ae.progress import detail_of, shown

FOLDS = 10
SEED = 1111  # the default seed of SentEval


@renamed_arguments(figures_cache="results_cache")
def transfer(
    encode: Callable,
    tasks: Sequence[SentenceTask] | str | Path,
    *,
    folds: int = FOLDS,
    seed: int = SEED,
    cache: str | Path | None = None,
    results_cache: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    verbose: bool = True,
) -> dict:
    """Fit a linear classifier to the vectors of each task by the protocol of SentEval.

    The encoder is not trained. Vectors are standardised by the training examples and classified by
    a logistic regression with an L2 penalty. Its C is chosen on the validation part of the task, or
    by three folds of the training examples, separately for each held-out fold. The features of a
    pair of sentences with vectors u and v are `[|u - v|, u v]`.

    Scores of pairs are predicted in two ways: by a regression (the mean of levels, `pearson`,
    `spearman`), and without training by the cosine of u and v (`cosine_pearson`,
    `cosine_spearman`).

    Args:
        encode: a model with `encode`, such as `models.QuickThought`, or a function; it takes a list
            of str and returns `(sentences, dim)`. Every sentence is encoded once for all tasks.
        tasks: tasks from `load_sentence_tasks`, or the folder to load them from.
        folds: number of folds of tasks without a test part.
        seed: seed of the folds.
        cache: an .npz file in which the vectors are stored; vectors of another encoder are detected.
        results_cache: folder in which the results of each task are stored by the content of its
            vectors, labels and folds: the same vectors are not classified twice, whichever encoder
            returned them.
        progress: function called with the name of each task; `None`: a line on the terminal.
        verbose: whether to show that line.

    Returns:
        `{task: results}`, JSON-compatible. For classes: `accuracy` and its 95 % `interval`
        (Wilson's), `classes`, and for pairs with two classes `f1` and `f1_interval` of the class
        whose name is last in order. For scores: `pearson` and its `interval` (the bootstrap over
        examples), `spearman`, and for pairs `cosine_pearson`, `cosine_spearman`,
        `cosine_interval` (of the latter). For both: `kind`, `penalties` (each C), `folds`,
        `n_train` (of the smallest fold), `n_test`. A task that cannot be measured, because it has
        a single class or a class with a single example, has `kind` and `left_out`, the reason.

    Raises:
        InputError: there are no tasks, no task can be measured, or vectors are missing or not finite.
        ImportError: scikit-learn is not installed.

    Example:

    >>> texts = ["a b", "b", "c", "d a", "e", "f a"] * 4
    >>> labels = ["with a" if "a" in text else "without" for text in texts]
    >>> letters = lambda sentences: np.array([[text.count(one) for one in "abcdef"] for text in sentences])
    >>> task = SentenceTask("letters", LabelledSentences(texts, labels))
    >>> found = transfer(letters, [task])["letters"]
    >>> found["accuracy"], found["folds"], found["n_test"]
    (1.0, 10, 24)

    Reference:
        Conneau and Kiela, 2018, https://arxiv.org/abs/1803.05449.
    """
    tasks = tasks_of(tasks)
    with shown(progress, verbose) as say:
        say("encoding the sentences")
        vectors = SentenceVectors(encode, [text for task in tasks for text in task.texts()], cache)
        return results_of_tasks(tasks, lambda task: vectors, folds, seed, say, results_cache)


def tasks_of(tasks: Sequence[SentenceTask] | str | Path) -> list[SentenceTask]:
    """Return the tasks as a list; a path is the folder to load them from."""
    return load_sentence_tasks(tasks) if isinstance(tasks, str | Path) else list(tasks)


def results_of_tasks(
    tasks: Sequence[SentenceTask],
    vectors_of: Callable,
    folds: int,
    seed: int,
    say: Callable[[str], None],
    results_cache: str | Path | None = None,
) -> dict[str, dict]:
    """Return `{task: results}`, with the reason under `left_out` if a task cannot be measured.

    Args:
        tasks: list of `SentenceTask`.
        vectors_of: function from a task to the argument `vectors` of `task_results`.
        folds, seed, results_cache: as in `transfer`.
        say: function called with the name of each task.

    Raises:
        InputError: no task can be measured.
    """
    not_measurable = {task.name: reason for task in tasks if (reason := why_not_measurable(task, seed))}
    if not_measurable and len(not_measurable) == len(tasks):
        raise InputError(" ".join(not_measurable.values()))
    results = {}
    for task in tasks:
        if task.name in not_measurable:
            results[task.name] = {"kind": task.kind, "left_out": not_measurable[task.name]}
            continue
        say(task.name)
        read = lambda task=task: task_results(task, vectors_of(task), folds, seed, detail_of(say))  # noqa: E731
        key = None if results_cache is None else content_key(task, vectors_of(task), folds, seed)
        results[task.name] = cached_results(results_cache, key, read)
    return results


def why_not_measurable(task: SentenceTask, seed: int = SEED) -> str | None:
    """Return the reason why no classifier can be fitted to a task, or `None` if one can."""
    try:
        model_of_task(task, seed)
    except InputError as error:
        return str(error)
    return None


def task_results(
    task: SentenceTask,
    vectors: Callable,
    folds: int = FOLDS,
    seed: int = SEED,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the results of one task, see `transfer`.

    Args:
        task: the task.
        vectors: function from a list of str to `(sentences, dim)`, dense or sparse.
        folds, seed: as in `transfer`.
        progress: function called with a description of each fold.
    """
    read = predict_task(task, lambda part: features_of(part, vectors), folds, seed, progress)
    truth, predicted = read["truth"], read["predicted"]
    if task.kind == "classes":
        results = _of_classes(truth, predicted, task.pairs, seed)
    else:
        results = _of_scores(truth, predicted, seed)
        if task.pairs:
            results |= _of_cosines(task.test or task.train, vectors, seed)
    details = {"penalties": read["penalties"], "folds": read["folds"], "n_train": read["n_train"]}
    return {"kind": task.kind, **results, **details, "n_test": len(truth)}


def features_of(part: LabelledSentences, vectors: Callable) -> Any:
    """Return the vectors of sentences, or `[|u - v|, u v]` of pairs, `(examples, features)`."""
    u = vectors(part.sentences)
    if part.seconds is None:
        return u
    v = vectors(part.seconds)
    if isinstance(u, np.ndarray):
        return np.concatenate([np.abs(u - v), u * v], axis=1)
    return require("scipy.sparse", extra="evaluation").hstack([abs(u - v), u.multiply(v)], format="csr")


def _of_classes(truth, predicted, pairs, seed):
    right, classes = int((truth == predicted).sum()), np.unique(truth)
    results = {"accuracy": right / len(truth), "interval": wilson_interval(right, len(truth))}
    if pairs and len(classes) == 2:
        truth, predicted = ((values == classes[-1]).astype(int) for values in (truth, predicted))
        results |= {
            "f1": _f1(truth, predicted),
            "f1_interval": bootstrap_interval(_f1, truth, predicted, seed),
        }
    return {**results, "classes": len(classes)}


def _of_scores(truth, predicted, seed):
    return {
        "pearson": correlation(truth, predicted),
        "interval": bootstrap_interval(correlation, truth, predicted, seed),
        "spearman": rank_correlation(truth, predicted),
    }


def _of_cosines(part, vectors, seed):
    predicted = cosines(vectors(part.sentences), vectors(part.seconds))
    return {
        "cosine_pearson": correlation(part.target, predicted),
        "cosine_spearman": rank_correlation(part.target, predicted),
        "cosine_interval": bootstrap_interval(rank_correlation, part.target, predicted, seed),
    }


def cosines(u: Any, v: Any) -> np.ndarray:
    """Return `u . v / |u| |v|` of each row, `(examples,)`; 0 if a vector is zero.

    Example:

    >>> cosines(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[2.0, 0.0], [1.0, 1.0]])).tolist()
    [1.0, 0.0]
    """
    if isinstance(u, np.ndarray):
        products, squares = (u * v).sum(axis=1), np.square(u).sum(axis=1) * np.square(v).sum(axis=1)
    else:
        products, squares = (np.asarray(x.sum(axis=1)).ravel() for x in (u.multiply(v), u.multiply(u)))
        squares = squares * np.asarray(v.multiply(v).sum(axis=1)).ravel()
    return np.divide(products, np.sqrt(squares), out=np.zeros(len(squares)), where=squares > 0)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation, with the mean rank for equal values; 0 if one of the two is constant."""
    rank = require("scipy.stats", extra="evaluation").rankdata
    return correlation(rank(a), rank(b))


def _f1(truth, predicted):
    """Return the F1 score of class 1, or 0 if it occurs neither in `truth` nor in `predicted`."""
    f1_score = require("sklearn.metrics", extra="evaluation").f1_score
    return float(f1_score(truth, predicted, zero_division=0.0))


PROTOCOL = 2  # increase this number when the same vectors and labels yield other results


def content_key(task: SentenceTask, vectors: Callable, folds: int, seed: int) -> str:
    """Return the SHA-256 of everything that determines the results of a task: vectors, targets, folds, seed.

    Args:
        task: a `SentenceTask`.
        vectors: function from a list of str to `(sentences, dim)`, dense or sparse.
        folds, seed: as in `transfer`.
    """
    digest = hashlib.sha256(f"{PROTOCOL} {task.kind} {folds} {seed}".encode())
    for name in ("train", "validation", "test"):
        part = getattr(task, name)
        if part is None:
            continue
        digest.update(f"{name} {part.target.tolist()}".encode())
        for sentences in (part.sentences, part.seconds):
            if sentences is not None:
                _add(digest, vectors(sentences))
    return digest.hexdigest()


def cached_results(folder: str | Path | None, key: str | None, measure: Callable) -> dict:
    """Return the results stored under `key` in `folder`, or call `measure()` and store its results there.

    Results in a damaged file are measured again. A folder that cannot be written to triggers a warning.
    """
    if folder is None:
        return measure()
    path = Path(folder) / f"{key}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        results = measure()
    try:
        write_atomically(path, json.dumps(results))
    except OSError as error:
        warnings.warn(f"{folder} cannot be written to, results are not cached: {error}", stacklevel=2)
    return results


def _add(digest, vectors):
    digest.update(f"{vectors.shape} {vectors.dtype}".encode())
    dense = isinstance(vectors, np.ndarray)
    for part in [vectors] if dense else [vectors.indptr, vectors.indices, vectors.data]:
        digest.update(np.ascontiguousarray(part).tobytes())
