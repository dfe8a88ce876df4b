"""Controls for transfer results: the same tasks without a trained encoder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import renamed_arguments, require
from keras_ae.evaluation._checks import wilson_interval
from keras_ae.evaluation.probes.held_out import most_frequent
from keras_ae.evaluation.text._linear_models import model_of_task
from keras_ae.evaluation.text.sentence_tasks import SentenceTask
from keras_ae.evaluation.text.transfer import (
    FOLDS,
    SEED,
    results_of_tasks,
    tasks_of,
    transfer,
    why_not_measurable,
)
from keras_ae.progress import detail_of, shown
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.word_vectors import WordVectors


@renamed_arguments(figures_cache="results_cache")
def transfer_controls(
    tasks: Sequence[SentenceTask] | str | Path,
    *,
    word_vectors: WordVectors | None = None,
    untrained: Callable | None = None,
    folds: int = FOLDS,
    seed: int = SEED,
    results_cache: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    verbose: bool = True,
) -> dict:
    """Measure the same tasks without a trained encoder.

    | row | control |
    |---|---|
    | `majority` | prediction of the most frequent class of the training examples, as in `probe` |
    | `bag of words` | binary features, one per word: learns from the task alone |
    | `mean of word vectors` | mean of the vectors in the table `word_vectors` |
    | `untrained encoder` | `untrained`, the encoder with its initial weights |

    Args:
        tasks, folds, seed, results_cache, progress, verbose: as in `transfer`. With `results_cache`, the
            row `bag of words`, and every other row with the same vectors, is measured once for all runs.
        word_vectors: word vectors from the text that the encoder was trained on; `None`: without this row.
        untrained: the untrained encoder, as `encode` in `transfer`; `None`: without this row.

    Returns:
        `{row: {task: results}}`, with results as in `transfer`.

    Example:

    >>> from keras_ae.evaluation import LabelledSentences
    >>> train = LabelledSentences(["so good", "so bad"] * 5 + ["good"] * 2, [1, 0] * 5 + [1, 1])
    >>> rows = transfer_controls([SentenceTask("mood", train)])
    >>> rows["bag of words"]["mood"]["accuracy"], round(rows["majority"]["mood"]["accuracy"], 3)
    (1.0, 0.583)
    """
    tasks = tasks_of(tasks)
    rows = {"majority": {task.name: _majority(task, folds, seed) for task in tasks if task.kind == "classes"}}
    with shown(progress, verbose) as say:
        options: dict[str, Any] = {"folds": folds, "seed": seed}
        rows["bag of words"] = results_of_tasks(
            tasks,
            lambda task: bag_of_words(task.texts()),
            **options,
            say=_Named(say, "bag of words"),
            results_cache=results_cache,
        )
        encoders = {} if word_vectors is None else {"mean of word vectors": mean_of_words(word_vectors)}
        encoders |= {} if untrained is None else {"untrained encoder": untrained}
        for row, encode in encoders.items():
            named = _Named(say, row)
            rows[row] = transfer(encode, tasks, **options, results_cache=results_cache, progress=named)
    return rows


class _Named:
    """Progress function that puts the name of the row before the name of each task."""

    def __init__(self, progress, row):
        self.progress, self.row, self.detail = progress, row, detail_of(progress)

    def __call__(self, name):
        self.progress(f"{self.row}: {name}")


def mean_of_words(vectors: WordVectors) -> Callable:
    """Return a function from a list of str to the mean vector of their words, `(sentences, dim)`.

    Words without a vector are ignored. If no word has a vector, the mean is zero.

    Example:

    >>> encode = mean_of_words(WordVectors(["cat", "dog"], [[1.0, 0.0], [0.0, 1.0]]))
    >>> encode(["A cat, a dog.", "cat", ""]).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]
    """

    def encode(sentences: Sequence[str]) -> np.ndarray:
        means = np.zeros((len(sentences), vectors.dim), "float32")
        for mean, sentence in zip(means, sentences, strict=True):
            found = [vectors[token] for token in tokenize(sentence) if token in vectors]
            if found:
                mean[:] = np.mean(found, axis=0)
        return means

    return encode


def bag_of_words(texts: Sequence[str]) -> Callable:
    """Return a function from some of these texts to binary word features, sparse `(sentences, words)`.

    Words that are in no training example have a weight of 0 for every penalty, so the columns for
    the words of the test set do not change the result.
    """
    text = require("sklearn.feature_extraction.text", extra="evaluation")
    counts = text.CountVectorizer(
        tokenizer=tokenize, token_pattern=None, lowercase=False, binary=True, dtype=np.float32
    )
    rows = counts.fit_transform(texts).tocsr()
    places = {sentence: place for place, sentence in enumerate(texts)}
    return lambda sentences: rows[[places[sentence] for sentence in sentences]]


def _majority(task, folds, seed):
    """Return the accuracy of predicting the most frequent training class, per fold without a test part."""
    reason = why_not_measurable(task, seed)
    if reason:
        return {"kind": "classes", "left_out": reason}
    y = task.train.target
    if task.test is not None:
        truth, predicted = task.test.target, np.repeat(most_frequent(y), len(task.test))
    else:
        truth, predicted = y, np.empty_like(y)
        for train, held_out in model_of_task(task, seed).splits(y, folds):
            predicted[held_out] = most_frequent(y[train])
    right = int((truth == predicted).sum())
    return {
        "kind": "classes",
        "accuracy": right / len(truth),
        "interval": wilson_interval(right, len(truth)),
        "n_test": len(truth),
    }
