"""How fast sentence vectors are measured on tasks, against the fits that were made before.

    python benchmarks/transfer_speed.py --tasks FOLDER [--sentences 6000] [--names mr mpqa]

Two tasks of ten folds, read from vectors of 512 numbers (mean, deviation, largest and
smallest value of word vectors of two tables) and from bags of words, once by
`evaluation.sentence_readers` (fits that start from the fit of the penalty before, in the principal axes
of the features) and once as before: scikit-learn's solvers from zero, for each penalty, fold and
row. Both get the same vectors and folds, and work in turn in one process of one thread; times are the
seconds in which it held a core. Each repeat draws other sentences and other folds.
`transfer.speedup` is that of every run but the first on these tasks: its control row, the bags of words,
comes from the results that the first run kept. `transfer.speedup.first_run` reads all rows.
`FOLDER` is as of `evaluation.load_sentence_tasks`. Writes `docs/results/transfer_speed.json`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from parts.measuring import one_thread
from parts.records import record, write_records

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "transfer_speed.json"
COMMAND = "python benchmarks/transfer_speed.py --tasks FOLDER"
GOALS = {"speedup": ">= 5", "accuracy_difference": "<= 0.005"}
FOLDS, REPEATS, SENTENCES, DIM = 10, 3, 6_000, 64
ROWS = ("vectors", "bag of words")
MAX_STEPS = 300  # of the solvers before


def cold_predictions(x, y, seed):
    """Predictions for every example when its fold is held out, as they were made before."""
    from sklearn.model_selection import StratifiedKFold

    from keras_ae.evaluation.text._linear_models import PENALTIES, SPARSE_PENALTIES, _standardised

    def splits(y, folds):
        return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))

    predicted, penalties = np.empty_like(y), PENALTIES if isinstance(x, np.ndarray) else SPARSE_PENALTIES
    for train, held_out in splits(y, FOLDS):
        known, other = _standardised(x[train], x[held_out])
        scores, inner = [], splits(y[train], 3)
        for penalty in penalties:
            fits = [(cold_fit(known[a], y[train][a], penalty), b) for a, b in inner]
            scores.append(sum(float(np.mean(fit.predict(known[b]) == y[train][b])) for fit, b in fits))
            if max(scores[-2:]) < max(scores):
                break
        predicted[held_out] = cold_fit(known, y[train], penalties[int(np.argmax(scores))]).predict(other)
    return predicted


def cold_fit(x, y, penalty):
    """Logistic regression from zero."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    solver = "lbfgs" if isinstance(x, np.ndarray) or len(np.unique(y)) > 2 else "liblinear"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=MAX_STEPS, solver=solver).fit(x, y)


def drawn(task, sentences, seed):
    """Some examples of a task without a test, as a `SentenceTask`."""
    from keras_ae.evaluation import LabelledSentences, SentenceTask

    rows = np.random.default_rng(seed).permutation(len(task.train))[:sentences]
    texts = [task.train.sentences[row] for row in rows]
    return SentenceTask(task.name, LabelledSentences(texts, task.train.target[rows]))


def pooled_vectors(texts, seed=0):
    """A function from sentences to `(sentences, 8 DIM)`: poolings of the vectors of two tables."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import CountVectorizer

    from keras_ae.text import tokenize

    words = CountVectorizer(tokenizer=tokenize, token_pattern=None, lowercase=False, binary=True)
    counts = words.fit_transform(texts).astype("float32")
    together = (counts.T @ counts).tocsr()
    together.data = np.log1p(together.data)
    shape = min(DIM, together.shape[0] - 1)
    learnt = TruncatedSVD(shape, random_state=seed).fit_transform(together)
    drawn = np.random.default_rng(seed).normal(size=learnt.shape)
    table = np.concatenate([learnt / (learnt.std(axis=0) + 1e-6), drawn], axis=1).astype("float32")
    number = words.vocabulary_

    def encode(sentences):
        vectors = np.zeros((len(sentences), 4 * table.shape[1]), "float32")
        for vector, sentence in zip(vectors, sentences, strict=True):
            known = table[[number[token] for token in tokenize(sentence) if token in number]]
            if len(known):
                pools = known.mean(axis=0), known.std(axis=0), known.max(axis=0), known.min(axis=0)
                vector[:] = np.concatenate(pools)
        return vectors

    return encode


def compare(task, vectors, seed):
    """Core seconds and accuracy of both, and the share of examples that they classify differently."""
    from keras_ae.evaluation.text._linear_models import predict_task

    begun = time.process_time()
    read = predict_task(task, lambda part: vectors(part.sentences), FOLDS, seed)
    middle = time.process_time()
    y = task.train.target
    predicted = cold_predictions(vectors(task.train.sentences), y, seed)
    return {
        "seconds": middle - begun,
        "cold_seconds": time.process_time() - middle,
        "kept_seconds": kept_seconds(task, vectors, FOLDS, seed),
        "accuracy": float(np.mean(read["predicted"] == y)),
        "cold_accuracy": float(np.mean(predicted == y)),
        "different": float(np.mean(read["predicted"] != predicted)),
    }


def kept_seconds(task, vectors, folds, seed):
    """Core seconds to find the results that an earlier run kept."""
    from keras_ae.evaluation.text.transfer import cached_results, content_key

    with tempfile.TemporaryDirectory() as folder:
        cached_results(folder, content_key(task, vectors, folds, seed), lambda: {"accuracy": 0.5})
        begun = time.process_time()
        cached_results(folder, content_key(task, vectors, folds, seed), None)
        return time.process_time() - begun


def repeat(tasks, sentences, seed):
    """`{(task, row): results}` for one draw of sentences."""
    from keras_ae.evaluation.text._sentence_vectors import SentenceVectors
    from keras_ae.evaluation.text.transfer_controls import bag_of_words

    found = {}
    for task in tasks:
        part = drawn(task, sentences, seed)
        encoded = SentenceVectors(pooled_vectors(part.texts()), part.texts())
        for row, vectors in zip(ROWS, (encoded, bag_of_words(part.texts())), strict=True):
            found[task.name, row] = compare(part, vectors, seed)
            print(
                task.name,
                row,
                {name: round(one, 4) for name, one in found[task.name, row].items()},
                flush=True,
            )
    return found


def records_of(repeats, sentences, command, minutes):
    """The records of all repeats."""
    cells = [cell for found in repeats for cell in found.values()]
    names = sorted({task for found in repeats for task, _ in found})
    note = f"{' and '.join(names)}, {sentences} sentences of each, {FOLDS} folds, "
    note += f"vectors of {8 * DIM:,} numbers and bags of words"
    values = {
        "speedup": [_ratio(found, kept=("bag of words",)) for found in repeats],
        "speedup.first_run": [_ratio(found) for found in repeats],
        "speedup.vectors": [_ratio(found, rows=("vectors",)) for found in repeats],
        "seconds": [sum(cell["seconds"] for cell in found.values()) for found in repeats],
        "accuracy_difference": [abs(cell["accuracy"] - cell["cold_accuracy"]) for cell in cells],
        "different": [cell["different"] for cell in cells],
    }
    values["accuracy_difference"] = [max(values["accuracy_difference"])]
    ratio = "core seconds of fits from zero over ours"
    notes = {
        "speedup": f"{ratio}; the bags of words are those of an earlier run",
        "speedup.first_run": f"{ratio}; all rows are read",
        "speedup.vectors": f"{ratio}; the vectors alone",
        "seconds": "core seconds of all four readings",
        "accuracy_difference": f"largest difference of an accuracy of both, of {len(cells)}",
        "different": "share of examples classified differently: fits from zero stop short of their minimum",
    }
    return {
        f"transfer.{name}": record(numbers, command, minutes, f"{notes[name]}; {note}", GOALS.get(name, ""))
        for name, numbers in values.items()
    }


def _ratio(found, rows=ROWS, kept=()):
    """Core seconds of fits from zero over ours, whose rows `kept` come from an earlier run."""
    cells = [(cell, row in kept) for (_, row), cell in found.items() if row in rows]
    ours = sum(cell["kept_seconds" if is_kept else "seconds"] for cell, is_kept in cells)
    return sum(cell["cold_seconds"] for cell, _ in cells) / ours


def main(settings) -> None:
    """Measure and write the records."""
    from keras_ae.evaluation import load_sentence_tasks

    begun = time.process_time()
    tasks = load_sentence_tasks(settings.tasks, settings.names)
    repeats = [repeat(tasks, settings.sentences, seed) for seed in range(settings.repeats)]
    minutes = (time.process_time() - begun) / 60
    found = records_of(repeats, settings.sentences, settings.command, minutes)
    write_records(settings.results, found)
    for name, row in found.items():
        print(f"{name} {row['mean']:.4g} +- {row['sd']:.2g}")


def arguments(given=None):
    """The settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=Path, required=True, help="a folder of tasks with .tsv files")
    parser.add_argument("--names", nargs="+", default=["mr", "mpqa"], help="tasks of classes without a test")
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="of each task, at most")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of records")
    settings = parser.parse_args(given)
    settings.command = COMMAND
    if settings.sentences != SENTENCES:
        settings.command += f" --sentences {settings.sentences}"
    return settings


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":  # numerical libraries read it when they are loaded
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=one_thread()).returncode)
    main(arguments())
