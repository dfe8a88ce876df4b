"""Frames of contrastive predictive coding on recordings of people, as trained on sentences of espeak-ng.

    python benchmarks/contrastive_predictive_coding.py espeak
    python benchmarks/contrastive_predictive_coding_transfer.py librispeech --data train_clean_1utt.npz
    python benchmarks/contrastive_predictive_coding_transfer.py test_other --data test_other_10utt.npz
    python benchmarks/contrastive_predictive_coding_transfer.py emospeech --data emospeech.npz

No training has heard any of these recordings; the encoders are those of the first command. `librispeech`:
215 people, one reading each, in pieces of a second; the last of each is the test. `test_other`: 6 people,
10 readings each; each tenth is read by a probe of the others. `emospeech`: words that 44 people said in acted
emotions; word and emotion of people whom the probe has not heard, and the person, in five folds. Beside
them stand the untrained model and spectral features, by the same probes of mean and deviation over the
recording. Adds to `docs/results/contrastive_predictive_coding.json`.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from contrastive_predictive_coding import ESPEAK, RECORD, cached, one_thread
from parts.contrastive_predictive_coding_training import as_split, pieces, recordings
from parts.records import record, write_records
from parts.speech_probes import folded_accuracy, frames_of_layer, spectral_features

from keras_ae.evaluation.speech.frame_probes import frame_statistics, frames_of_utterances, linear_accuracy
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes import RECIPES
from keras_ae.training.recipes.speech.cpc import frames_and_context

FOLDS = 5
NOTES = {
    "librispeech": "215 people of LibriSpeech train-clean-100, one reading each in pieces of one second, the "
    "last piece of each is the test; the pieces of a person share a recording",
    "test_other": "6 people of LibriSpeech test-other, 10 readings each; probes of nine read the tenth",
    "emospeech": "777 words of 44 people; word and emotion: folds of people; speaker: folds of recordings",
}


class LibriSpeech:
    """The person of the last second of each reading."""

    def __init__(self, path, sample_rate):
        waveforms, columns = recordings(path, sample_rate)
        parts, whose, self.is_test = pieces(waveforms, sample_rate)
        self.speaker = columns["speaker"][whose]
        self.split = as_split(parts, sample_rate)

    def results(self, x):
        train = ~self.is_test
        return {
            "speaker": linear_accuracy(
                x[train], self.speaker[train], x[self.is_test], self.speaker[self.is_test], 1000
            )
        }


class TestOther:
    """The person of each reading."""

    def __init__(self, path, sample_rate):
        waveforms, columns = recordings(path, sample_rate)
        self.speaker = columns["speaker"]
        self.split = as_split(waveforms, sample_rate)

    def results(self, x):
        return {"speaker": folded_accuracy(x, self.speaker, number_within(self.speaker))}


class EmoSpeech:
    """Word and emotion of people who are not heard, and the person of words."""

    def __init__(self, path, sample_rate):
        waveforms, self.columns = recordings(path, sample_rate)
        self.split = as_split(waveforms, sample_rate)

    def results(self, x):
        speaker = self.columns["speaker"]
        people = speaker % FOLDS
        return {
            **{name: folded_accuracy(x, self.columns[name], people) for name in ("word", "emotion")},
            "speaker": folded_accuracy(x, speaker, number_within(speaker) % FOLDS),
        }


def number_within(groups):
    """0, 1, 2, ... within each group, in the order of the examples."""
    found = np.zeros(len(groups), int)
    for group in np.unique(groups):
        found[groups == group] = np.arange((groups == group).sum())
    return found


SETS = {"librispeech": LibriSpeech, "test_other": TestOther, "emospeech": EmoSpeech}
PREFIXES = {"librispeech": "librispeech_mini", "test_other": "librispeech_mini.test_other"}


def pooled(split, encode):
    return np.stack([frame_statistics(one) for one in encode(split)])


def encoded(model):
    return lambda split: frames_of_utterances(split, frames_and_context(model), 8)


def measure(found, seed, runs, sample_rate):
    """Results of the encoder of one training, and of the untrained one of the same seed."""
    recipe = RECIPES["cpc"](**ESPEAK, seed=seed)
    keras.utils.set_random_seed(seed)
    model = recipe.build_model(load_speech("espeak", sample_rate=sample_rate), 1)
    untrained = found.results(pooled(found.split, encoded(model)))
    model.load_weights(runs / f"espeak.{seed}" / "best.weights.h5")
    trained = found.results(pooled(found.split, encoded(model)))
    keras.backend.clear_session()
    return {**trained, **{f"{key}_random_init": value for key, value in untrained.items()}}


def baselines(found, sample_rate):
    """Results of spectral features."""
    return {
        f"{name}.{key}": value
        for name, layer in spectral_features(sample_rate).items()
        for key, value in found.results(
            pooled(found.split, lambda split, layer=layer: frames_of_layer(layer, split))
        ).items()
    }


def records_of(name, results, references, file):
    """All records of a set."""
    prefix = f"cpc.{PREFIXES.get(name, name)}"
    command = f"python benchmarks/contrastive_predictive_coding_transfer.py {name} --data {file}"
    minutes = sum(one["minutes"] for one in results)
    note = f"{NOTES[name]}; mean and deviation of frame and context; trained on sentences of espeak-ng alone"
    found = {
        f"{prefix}.{key}": record([one[key] for one in results], command, minutes, note)
        for key in results[0]
        if key != "minutes"
    }
    for key, value in references.items():
        if key != "minutes":
            text = f"{NOTES[name]}; mean and deviation of spectral features, no learning"
            found[f"{prefix}.baseline.{key}"] = record([value], command, references["minutes"], text)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(SETS))
    parser.add_argument("--data", required=True, help="the .npz file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", default="runs/contrastive_predictive_coding", help="weights and results")
    parser.add_argument("--record", default=RECORD)
    arguments = parser.parse_args()
    one_thread()
    name, runs, rate = arguments.name, Path(arguments.runs), 16_000
    found = SETS[name](arguments.data, rate)
    references = cached(runs / f"{name}.baselines.json", lambda: baselines(found, rate))
    results = [
        cached(runs / f"espeak.{seed}" / f"{name}.json", lambda seed=seed: measure(found, seed, runs, rate))
        for seed in range(arguments.seeds)
    ]
    records = records_of(name, results, references, Path(arguments.data).name)
    write_records(arguments.record, records)
    for key, one in records.items():
        print(f"{key:<56} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
