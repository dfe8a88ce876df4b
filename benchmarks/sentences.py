"""Quick-Thought and Skip-Thought on novels: what their vectors of sentences are worth.

    python benchmarks/sentences.py all --books FOLDER --sentences FOLDER

`--books` holds folders `train` and `valid` of novels, one sentence a line; all training novels are trained
on, the validation novels choose the epoch and the settings. `--sentences` holds .tsv files of labelled
sentences, see `evaluation.load_sentence_tasks`; they are read after the training, and no setting was
chosen by them.

| part | |
|---|---|
| `controls` | majority, bag of words, mean of word2vec of the same novels, untrained bi-GRU |
| `gru` | Quick-Thought, bi-GRU: `qt.*` |
| `bag` | Quick-Thought, sums of word vectors: `qt.bag.*` |
| `skip` | Skip-Thought: `st.*` |
| `without` | its decoders, conditioned on zeros: `st.perplexity.gain`; needs `skip` |
| `multi` | these three and the mean of word2vec side by side: `qt.multi.*`; needs them |
| `multi_quick` | the same without Skip-Thought: `qt.multi_quick.*` |

Results and models of a finished training are kept in `--runs`, seed by seed. Writes
`docs/results/sentences.json`.
"""

import argparse
import os
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import tensorflow as tf
from parts.records import write_records
from parts.result_cache import cached, kept
from parts.sentences_records import control_records, difference_records, part_records
from parts.sentences_settings import CHANNELS, POOLED, SYSTEMS, TEXT, WITHOUT_VECTOR
from parts.sentences_training import combined, controls, load_books, perplexity_without, results_of

from keras_ae.evaluation import load_sentence_tasks
from keras_ae.training.recipes import RECIPES

RECORD = "docs/results/sentences.json"
PARTS = ("controls", "gru", "bag", "skip", "without", "multi", "multi_quick")


def parts_of(data, tasks, runs) -> dict:
    """`{part: (settings, function of a seed)}`."""

    def trained(name):
        recipe, settings = SYSTEMS[name]["recipe"], SYSTEMS[name]["settings"]
        return settings, lambda seed: results_of(recipe, settings, data, seed, tasks, model_of(name, seed))

    def model_of(name, seed):
        return runs / f"{name}.{seed}.keras"

    def recipe_of(name, seed):
        return RECIPES[SYSTEMS[name]["recipe"]](seed=seed, **SYSTEMS[name]["settings"])

    def channels(part, seed):
        paths = {name: model_of(name, seed) for name in CHANNELS[part] if name not in POOLED}
        missing = [name for name, path in paths.items() if not path.is_file()]
        if missing:
            raise SystemExit(f"{part} needs the models of {', '.join(missing)}: measure them first")
        found = [paths.get(name, name) for name in CHANNELS[part]]
        return combined(recipe_of("gru", seed), data, found, tasks)

    def multi(part):
        return {name: settings_of(name) for name in CHANNELS[part]}, partial(channels, part)

    silent = SYSTEMS["skip"]["settings"] | WITHOUT_VECTOR
    return {
        "controls": (
            SYSTEMS["gru"]["settings"],
            lambda seed: controls(recipe_of("gru", seed), data, tasks),
        ),
        "gru": trained("gru"),
        "bag": trained("bag"),
        "multi": multi("multi"),
        "multi_quick": multi("multi_quick"),
        "skip": trained("skip"),
        "without": (silent, lambda seed: perplexity_without("skip-thought", silent, data, seed)),
    }


def settings_of(channel) -> dict:
    """Settings of a trained channel, or of one of word vectors."""
    return {"word2vec": channel} if channel in POOLED else SYSTEMS[channel]["settings"]


def records_of(results) -> dict:
    """All records of `{part: results of each seed}`."""
    found = control_records(results.get("controls", []))
    for part in ("gru", "bag", "multi", "multi_quick", "skip"):
        settings = [settings_of(channel) for channel in CHANNELS.get(part, (part,))]
        found |= part_records(part, results.get(part, []), settings)
    return found | difference_records(results)


def one_thread():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["all", *PARTS])
    parser.add_argument("--books", required=True, help="the folder of novels")
    parser.add_argument("--sentences", required=True, help="the folder of labelled sentences")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/sentences"), help="models and results")
    parser.add_argument("--record", default=RECORD)
    arguments = parser.parse_args()
    one_thread()
    data, tasks = load_books(arguments.books, TEXT), load_sentence_tasks(arguments.sentences)
    arguments.runs.mkdir(parents=True, exist_ok=True)
    parts = parts_of(data, tasks, arguments.runs)
    wanted = PARTS if arguments.part == "all" else (arguments.part,)
    results, records = {}, {}
    for seed in range(arguments.seeds):
        for part in PARTS:
            path, (settings, function) = arguments.runs / f"{part}.{seed}.json", parts[part]
            measure = partial(cached, path, settings, partial(function, seed))
            # differences are of parts that were measured before, too
            result = measure() if part in wanted else kept(path, settings)
            if result is not None:
                results.setdefault(part, []).append(result)
                records = records_of(results)
                write_records(arguments.record, records)
    for name, one in sorted(records.items()):
        print(f"{name:<48} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
