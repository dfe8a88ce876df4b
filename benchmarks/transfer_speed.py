"""How fast sentence vectors are measured on tasks, against the fits that were made before.

    python benchmarks/transfer_speed.py --tasks FOLDER [--sentences 8000] [--names mr mpqa]

Two tasks of ten folds, read from the vectors of a bi-GRU with its initial weights and from bags of
words, once by `evaluation.sentence_readers` (fits that start from the fit of the penalty before, in the
principal axes of the features) and once as before: scikit-learn's solvers from zero, for each penalty,
fold and row. Both get the same vectors and folds, and work in turn in one process of one thread;
times are the seconds in which it held a core. Each repeat draws other sentences and other folds.
`FOLDER` is as of `evaluation.load_sentence_tasks`. Writes `docs/results/transfer_speed.json`.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from measuring import one_thread
from records import record, write_records

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "transfer_speed.json"
COMMAND = "python benchmarks/transfer_speed.py --tasks FOLDER"
GOALS = {"speedup": ">= 5", "accuracy_difference": "<= 0.005"}
FOLDS, REPEATS, SENTENCES, UNITS = 10, 3, 8_000, 256
MAX_STEPS = 300  # of the solvers before


def cold_predictions(x, y, folds, seed):
    """`said` of every example when its fold is held out, as it was read before."""
    from sklearn.model_selection import StratifiedKFold

    from keras_ae.evaluation.sentence_readers import PENALTIES, SPARSE_PENALTIES, _standardised

    def splits(y, folds):
        return StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)

    said, penalties = np.empty_like(y), PENALTIES if isinstance(x, np.ndarray) else SPARSE_PENALTIES
    for train, held_out in splits(y, folds):
        known, other = _standardised(x[train], x[held_out])
        scores, inner = [], list(splits(y[train], 3))
        for penalty in penalties:
            fits = [(cold_fit(known[a], y[train][a], penalty), b) for a, b in inner]
            scores.append(sum(float(np.mean(fit.predict(known[b]) == y[train][b])) for fit, b in fits))
            if max(scores[-2:]) < max(scores):
                break
        said[held_out] = cold_fit(known, y[train], penalties[int(np.argmax(scores))]).predict(other)
    return said


def cold_fit(x, y, penalty):
    """Logistic regression from zero."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    solver = "lbfgs" if isinstance(x, np.ndarray) or len(np.unique(y)) > 2 else "liblinear"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=penalty, max_iter=MAX_STEPS, solver=solver).fit(x, y)


def drawn(task, sentences, seed):
    """Some examples of a task, as `LabelledSentences`."""
    from keras_ae.evaluation import LabelledSentences

    rows = np.random.default_rng(seed).permutation(len(task.train))[:sentences]
    return LabelledSentences([task.train.sentences[row] for row in rows], task.train.target[rows])


def untrained_vectors(texts):
    """Vectors of sentences by a bi-GRU with its initial weights, `(sentences, 2 UNITS)`."""
    import keras

    from keras_ae.models import CombinedSentenceEncoder
    from keras_ae.networks import recurrent_sentence_encoder
    from keras_ae.text import Vocabulary, tokenize

    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary.of([tokenize(text) for text in texts])
    encoder = recurrent_sentence_encoder(len(vocabulary), 2 * UNITS, embedding_dim=300, bidirectional=True)
    return CombinedSentenceEncoder([encoder], vocabulary=vocabulary)


def compare(task, part, vectors, seed, folds=FOLDS):
    """Core seconds and accuracy of both, and the share of examples that they classify differently."""
    from keras_ae.evaluation import SentenceTask
    from keras_ae.evaluation.sentence_readers import read_task

    x, y = vectors(part.sentences), part.target
    begun = time.process_time()
    read = read_task(SentenceTask(task, part), lambda _: x, folds, seed)
    middle = time.process_time()
    said = cold_predictions(x, y, folds, seed)
    return {
        "seconds": middle - begun,
        "cold_seconds": time.process_time() - middle,
        "accuracy": float(np.mean(read["said"] == y)),
        "cold_accuracy": float(np.mean(said == y)),
        "different": float(np.mean(read["said"] != said)),
    }


def repeat(tasks, sentences, seed):
    """`{(task, row): figures}` for one draw of sentences."""
    from keras_ae.evaluation.control_rows import bag_of_words
    from keras_ae.evaluation.sentence_vectors import SentenceVectors

    found = {}
    for task in tasks:
        part = drawn(task, sentences, seed)
        encoded = SentenceVectors(untrained_vectors(part.sentences), part.sentences)
        for row, vectors in (("vectors", encoded), ("bag of words", bag_of_words(part.sentences))):
            found[task.name, row] = compare(task.name, part, vectors, seed)
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
    note += f"vectors of {2 * UNITS} numbers and bags of words"
    values = {"speedup": [_ratio(found.values()) for found in repeats]}
    for row in ("vectors", "bag of words"):
        values[f"speedup.{row.replace(' ', '_')}"] = [
            _ratio(cell for (_, name), cell in found.items() if name == row) for found in repeats
        ]
    values["seconds"] = [sum(cell["seconds"] for cell in found.values()) for found in repeats]
    values["accuracy_difference"] = [max(abs(one["accuracy"] - one["cold_accuracy"]) for one in cells)]
    values["different"] = [cell["different"] for cell in cells]
    notes = {
        "accuracy_difference": f"largest difference of an accuracy of both, of {len(cells)}; {note}",
        "different": f"share of examples classified differently; {note}",
        "seconds": f"core seconds of all four readings; {note}",
    }
    return {
        f"transfer.{name}": record(
            numbers,
            command,
            minutes,
            notes.get(name, f"core seconds of fits from zero over ours; {note}"),
            GOALS.get(name, ""),
        )
        for name, numbers in values.items()
    }


def _ratio(cells):
    cells = list(cells)
    return sum(cell["cold_seconds"] for cell in cells) / sum(cell["seconds"] for cell in cells)


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
