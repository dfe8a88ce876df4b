"""Units of speech: phones and speakers in them, five bottlenecks, and noise.

    python benchmarks/speech_vqvae.py

The auto-encoder of the recipe speech-vqvae is trained on the training sentences of
`load_speech("espeak")` (24 voices) with each bottleneck and seed; the epoch of the lowest error on the
validation sentences is kept. All results of a training are read from that model, on the test sentences:

- purity: share of frames of 10 ms whose phone is the one that most training frames of their unit
  have; usage: share of the units that occur; speaker: a linear probe on the histogram of the units of
  an utterance, beside that of mean and deviation of log-mel frames. A continuous
  embedding gets as many units by k-means on its training embeddings.
- linear probes of the embedding, all bottlenecks alike: phone of a code, speaker from mean and deviation.
- the same units and probes on the test sentences with white noise and with babble at 10 dB. Half of the
  training examples had noise at 5 to 20 dB: white, or other training utterances.

Results of a finished training are kept in `--runs`, so that a stopped run goes on. Writes
`docs/results/speech_vqvae.json`.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
import tensorflow as tf
from parts.records import write_records
from parts.speech_vqvae_noise import NOISES, noisy
from parts.speech_vqvae_records import records_of
from sklearn.cluster import MiniBatchKMeans

from keras_ae.evaluation.speech import frame_probes as speech_probes
from keras_ae.evaluation.speech import units as speech_units
from keras_ae.training.recipes.speech.speech_vqvae import (
    FRAMES_PER_CODE,
    SpeechVqVaeRecipe,
    log_mel_speaker_accuracy,
)

BOTTLENECKS = ("vq", "none", "gaussian", "gumbel", "binary")
VALIDATE_EVERY = 10  # epochs
PROBED = 15_000  # codes of the training sentences that a probe of phones is fitted on


class BestEpoch(keras.callbacks.Callback):
    """Gives each epoch its order, and keeps the weights of the lowest validation error."""

    def __init__(self, stream):
        super().__init__()
        self.stream, self.lowest = stream, np.inf

    def on_epoch_begin(self, epoch, logs=None):
        self.stream.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        error = (logs or {}).get("val_reconstruction_loss", np.inf)
        if error < self.lowest:
            self.lowest, self.epoch, self.weights = error, epoch + 1, self.model.get_weights()


def train(recipe, data):
    """`(model with the weights of the best epoch, that epoch, its validation error)`."""
    stream = recipe.training_batches(data)
    model = recipe.build(data, stream.steps_per_epoch)
    best = BestEpoch(stream)
    model.fit(
        stream.dataset,
        epochs=recipe.epochs,
        validation_data=recipe.validation_batches(data),
        validation_freq=VALIDATE_EVERY,
        callbacks=[best],
        shuffle=False,
        verbose=0,
    )
    model.set_weights(best.weights)
    return model, best.epoch, float(best.lowest)


class PhoneProbe:
    """A linear probe of the phone at the first frame of a code."""

    def __init__(self, embeddings, phones):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        x, y = self._rows(embeddings, phones)
        chosen = np.random.default_rng(0).permutation(len(x))[:PROBED]
        classifier = LogisticRegression(C=1.0, max_iter=200, tol=1e-3)
        self.probe = make_pipeline(StandardScaler(), classifier).fit(x[chosen], y[chosen])

    def accuracy(self, embeddings, phones):
        return float(self.probe.score(*self._rows(embeddings, phones)))

    def _rows(self, embeddings, phones):
        labels = [p[::FRAMES_PER_CODE] for p in phones]
        return np.concatenate(embeddings), np.concatenate(labels)


def with_units(model, recipe, splits):
    """`{split: (units, embeddings)}`; k-means makes units of continuous embeddings."""
    found = {name: speech_units.units_and_embeddings(model, split) for name, split in splits.items()}
    if model.discrete:
        return found
    means = MiniBatchKMeans(recipe.num_embeddings, batch_size=4096, n_init=3, random_state=recipe.seed)
    means.fit(np.concatenate(found["train"][1]))
    return {
        name: ([means.predict(one).astype("int64") for one in embeddings], embeddings)
        for name, (_, embeddings) in found.items()
    }


def results_of(model, recipe, data, noises):
    """All results of a trained model."""
    splits = {"train": data.train, "test": data.test, **noises}
    found = with_units(model, recipe, splits)
    hop = data.sample_rate // 100
    phones = {name: speech_units.phones_of_frames(getattr(data, name), hop) for name in ("train", "test")}
    total = speech_units.number_of_units(model) if model.discrete else recipe.num_embeddings
    train_frames = speech_units.units_of_frames(found["train"][0], phones["train"], FRAMES_PER_CODE)
    phone_of_unit = speech_units.majority_phones(*train_frames, total)
    probe = PhoneProbe(found["train"][1], phones["train"])
    results = {}
    for name in ("test", *noises):
        units, embeddings = found[name]
        frames = speech_units.units_of_frames(units, phones["test"], FRAMES_PER_CODE)
        same = np.concatenate(units) == np.concatenate(found["test"][0])
        results[name] = {
            "purity": speech_units.purity(phone_of_unit, *frames),
            "phone": probe.accuracy(embeddings, phones["test"]),
            "unchanged": float(same.mean()),
        }
    speakers = data.train.speaker, found["test"][0], data.test.speaker
    results["usage"] = speech_units.usage(found["test"][0], total)
    results["unit_speaker"] = speech_units.histogram_speaker_accuracy(found["train"][0], *speakers, total)
    parts = [(split, found[name][1]) for name, split in (("train", data.train), ("test", data.test))]
    results["speaker"] = speech_probes.speaker_accuracy(*parts)
    logs = model.evaluate(data.test.batches(recipe.batch_size), verbose=0, return_dict=True)
    results["reconstruction"] = float(logs["reconstruction_loss"])
    results["log_mel_speaker"] = log_mel_speaker_accuracy(model, data)
    return results


def measure(bottleneck, seed, data, noises, runs):
    """The results of one training, from its file if they are there."""
    path = runs / f"{bottleneck}.{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    begun = time.process_time()
    recipe = SpeechVqVaeRecipe(bottleneck=bottleneck, seed=seed)
    model, epoch, error = train(recipe, data)
    trained = (time.process_time() - begun) / 60
    results = {"epoch": epoch, "validation": error, **results_of(model, recipe, data, noises)}
    results["minutes"] = (time.process_time() - begun) / 60
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path.with_suffix(".keras"))
    part = path.with_suffix(".part")
    part.write_text(json.dumps(results))
    part.rename(path)
    print(f"{bottleneck}.{seed}: trained in {trained:.1f} core minutes {json.dumps(results)}", flush=True)
    keras.backend.clear_session()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bottlenecks", nargs="+", choices=BOTTLENECKS, default=BOTTLENECKS)
    parser.add_argument("--runs", default="runs/speech_vqvae", help="models and results by training")
    parser.add_argument("--record", default="docs/results/speech_vqvae.json")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    recipe = SpeechVqVaeRecipe()
    data = recipe.load_data()
    noises = {name: noisy(data, name) for name in NOISES}
    results = {bottleneck: [] for bottleneck in BOTTLENECKS}
    trainings = [(name, seed) for seed in range(arguments.seeds) for name in arguments.bottlenecks]
    # the results with a goal first: a stopped run has them
    for bottleneck, seed in sorted(trainings, key=lambda training: training[0] != "vq"):
        results[bottleneck].append(measure(bottleneck, seed, data, noises, Path(arguments.runs)))
        records = records_of(results, recipe, data)
        write_records(arguments.record, records)
    for key, one in records.items():
        print(f"{key:<44} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
