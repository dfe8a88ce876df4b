"""Rows without any encoder, beside which figures of transfer are read."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from keras_ae.evaluation.intervals import wilson_interval
from keras_ae.evaluation.sentence_task import SentenceTask
from keras_ae.evaluation.sentence_transfer import FOLDS, SEED, task_figures, tasks_of, transfer
from keras_ae.optional import require
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.word_vectors import WordVectors


def transfer_controls(
    tasks: Sequence[SentenceTask] | str | Path,
    *,
    word_vectors: WordVectors | None = None,
    untrained: Callable | None = None,
    folds: int = FOLDS,
    seed: int = SEED,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """The same tasks without what an encoder learns.

    | row | |
    |---|---|
    | `majority` | always the most frequent class of training |
    | `bag of words` | which words there are, as many features as words: learns from the task alone |
    | `mean of word vectors` | of the table `word_vectors` |
    | `untrained encoder` | `untrained`, the encoder with its initial weights |

    Args:
        tasks, folds, seed, progress: as of `transfer`.
        word_vectors: of the same text as the encoder; `None`: without this row.
        untrained: as `encode` of `transfer`; `None`: without this row.

    Returns:
        `{row: {task: figures}}`, figures as of `transfer`.

    Example:

    >>> from keras_ae.evaluation import LabelledSentences
    >>> train = LabelledSentences(["so good", "so bad"] * 5 + ["good"] * 2, [1, 0] * 5 + [1, 1])
    >>> rows = transfer_controls([SentenceTask("mood", train)])
    >>> rows["bag of words"]["mood"]["accuracy"], round(rows["majority"]["mood"]["accuracy"], 3)
    (1.0, 0.583)
    """
    tasks, say = tasks_of(tasks), progress or (lambda text: None)
    rows = {"majority": {task.name: _majority(task) for task in tasks if task.kind == "classes"}}
    rows["bag of words"] = {}
    for task in tasks:
        say(f"bag of words: {task.name}")
        rows["bag of words"][task.name] = task_figures(task, bag_of_words(task.texts()), folds, seed)
    encoders = {} if word_vectors is None else {"mean of word vectors": mean_of_words(word_vectors)}
    encoders |= {} if untrained is None else {"untrained encoder": untrained}
    for row, encode in encoders.items():
        said = lambda name, row=row: say(f"{row}: {name}")  # noqa: E731
        rows[row] = transfer(encode, tasks, folds=folds, seed=seed, progress=said)
    return rows


def mean_of_words(vectors: WordVectors) -> Callable:
    """A function from a list of str to the mean vector of their words, `(sentences, dim)`.

    Words without a vector count for nothing; where no word has one, the mean is zero.

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
    """A function from some of these texts to which words they have, sparse `(sentences, words)`.

    Words that are in no training example have a weight of 0, whatever the penalty: that the
    test's words have columns too changes nothing.
    """
    text = require("sklearn.feature_extraction.text", extra="evaluation")
    counts = text.CountVectorizer(
        tokenizer=tokenize, token_pattern=None, lowercase=False, binary=True, dtype=np.float32
    )
    rows = counts.fit_transform(texts).tocsr()
    places = {sentence: place for place, sentence in enumerate(texts)}
    return lambda sentences: rows[[places[sentence] for sentence in sentences]]


def _majority(task):
    labels, counts = np.unique(task.train.target, return_counts=True)
    truth = (task.test or task.train).target
    right = int((truth == labels[counts.argmax()]).sum())
    return {
        "kind": "classes",
        "accuracy": right / len(truth),
        "interval": wilson_interval(right, len(truth)),
        "n_test": len(truth),
    }
