"""Contrastive predictive coding of speech: what linear probes read from frames and context.

    python benchmarks/contrastive_predictive_coding.py espeak
    python benchmarks/contrastive_predictive_coding.py fsdd --data fsdd.npz --more train_clean_1utt.npz

`espeak` trains the recipe `cpc` on 288 sentences in 24 voices and reads the phone of each frame and the
speaker of each sentence on 144 other sentences. `fsdd` trains it on the official training
recordings of spoken digits, and reads the digit on the official test recordings and, leaving out one
speaker after the other, on his recordings. No training sees a label, or a test recording
of `espeak` and the official test of `fsdd`. The weights are those of the epoch with the lowest
validation loss. Beside them stand the untrained model and spectral features, by the same probes.
Results are kept per training, so that a stopped run goes on. Writes
`docs/results/contrastive_predictive_coding.json`.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import numpy as np
import tensorflow as tf
from parts.contrastive_predictive_coding_training import train, with_more
from parts.records import record, write_records
from parts.speech_probes import Digits, digit_baselines, espeak_baselines

from keras_ae.evaluation.speech.frame_probes import (
    frame_statistics,
    frames_of_utterances,
    phone_accuracy,
    speaker_accuracy,
    standardized,
)
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes.speech.cpc import frames_and_context

ESPEAK = {"epochs": 96, "batch_size": 8}
DIGITS = {
    **{"sample_rate": 8000, "crop_seconds": 0.64, "batch_size": 16, "epochs": 24},
    **{"negatives": ("same_sequence",), "negatives_of_each": None, "warp": 0.2, "tilt": 1.0},
    **{"front_end": "log-mel", "dim": 128, "context_dim": 128},
}
CONTEXT = 256  # channels of the frames; those of the context follow
RECORD = "docs/results/contrastive_predictive_coding.json"


def context_only(frames):
    return frames[:, CONTEXT:]


def espeak_results(recipe, model, data):
    """Probes of a model on the test sentences."""
    train_part, test = (
        (split, frames_of_utterances(split, frames_and_context(model))) for split in (data.train, data.test)
    )
    views = {"phone": recipe.phone_features, "phone_context": context_only, "phone_no_shift": standardized}
    hop = data.sample_rate // 100
    return {
        **{name: phone_accuracy(train_part, test, view, hop) for name, view in views.items()},
        "speaker": speaker_accuracy(train_part, test, recipe.speaker_features),
        "speaker_mean": speaker_accuracy(train_part, test, lambda frames: frames.mean(axis=0)),
        "speaker_context": speaker_accuracy(
            train_part, test, lambda frames: frame_statistics(context_only(frames))
        ),
    }


def digit_results(recipe, model, digits):
    """Probes of a model on the official test recordings, and on each speaker that is left out."""
    frames = digits.frames(lambda split: frames_of_utterances(split, frames_and_context(model), 64))
    x = np.stack([frame_statistics(one) for one in frames])
    by_speaker = digits.leave_one_speaker_out(x)
    return {
        "digit": digits.official(x),
        "speaker": digits.official(x, "speaker"),
        "loso_digit": float(np.mean(list(by_speaker.values()))),
        **{f"loso_digit.{digits.names[speaker]}": value for speaker, value in by_speaker.items()},
    }


SYSTEMS = {"espeak": (ESPEAK, espeak_results), "fsdd": (DIGITS, digit_results)}
GOALS = {
    "espeak": {"phone": ">= 0.75", "speaker": ">= 0.95"},
    "fsdd": {"loso_digit": ">= 0.75", "digit": ">= 0.98"},
}
NOTES = {
    "espeak": "144 test sentences in 24 voices; phone: frame and contexts at -50, 0, 30, 50 ms, standardised "
    "over the utterance; phone_context: the context alone; phone_no_shift: frame and context; speaker: mean "
    "and deviation of frame and context; speaker_mean: mean alone; settings chosen on other sentences",
    "fsdd": "encoder of log-mel frames, other voices in training; it has heard the unlabelled training "
    "recordings of all speakers, and 215 people of LibriSpeech in pieces of 1.28 s; mean and deviation of "
    "frame and context; loso_digit: the probe has not heard the speaker; settings chosen on the validation "
    "recordings, and on speakers 0 to 2 without the official test",
}


def measure(name, data, subject, seed, runs):
    """Results of one training and of the untrained model of the same seed, from their file if it is there."""
    settings, results_of = SYSTEMS[name]
    directory = runs / f"{name}.{seed}"

    def trained():
        recipe, model, history = train(settings, data, seed, directory, lambda text: print(text, flush=True))
        losses = [row["val_loss"] for row in history]
        found = {
            **results_of(recipe, model, subject),
            "epoch": 1 + int(np.argmin(losses)),
            "training_minutes": (spent := sum(row["minutes"] for row in history)),
            "realtime": minutes_heard(recipe, data.train) / spent,
        }
        untrained = results_of(recipe, recipe.build_model(data, 1), subject)
        keras.backend.clear_session()
        return {**found, **{f"{key}_random_init": value for key, value in untrained.items()}}

    return cached(directory / "figures.json", trained)


def minutes_heard(recipe, split):
    """Minutes of audio in all crops of a training."""
    crop = recipe.crop_seconds * recipe.sample_rate
    return recipe.epochs * np.minimum(split.lengths, crop).sum() / recipe.sample_rate / 60


def cached(path, function):
    """What `function` returns, with its minutes, from the file `path` if it is there."""
    if path.exists():
        return json.loads(path.read_text())
    begun = time.process_time()
    found = function()
    found["minutes"] = (time.process_time() - begun) / 60
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found))
    os.replace(part, path)
    return found


def records_of(name, results, baselines):
    """All records of a system from the results there are."""
    # a training that was stopped has minutes in more than one process
    minutes = sum(max(one["minutes"], one["training_minutes"]) for one in results)
    command = f"python benchmarks/contrastive_predictive_coding.py {name}"
    command += " --data fsdd.npz --more train_clean_1utt.npz" if name == "fsdd" else ""
    own = ("epoch", "minutes", "training_minutes", "realtime")
    keys = [key for key in results[0] if not key.startswith(own)]
    means = {key: np.mean([one[key] for one in results]) for key in keys}
    goals = dict(GOALS[name])
    if name == "espeak":
        goals["phone_random_init"] = f"<= {means['phone'] - 0.10:.4f}"
    epochs = ", ".join(str(one["epoch"]) for one in results)
    note = f"{NOTES[name]}; epoch of the lowest validation loss of each seed: {epochs}"
    found = {
        f"cpc.{name}.{key}": record([one[key] for one in results], command, minutes, note, goals.get(key, ""))
        for key in keys
    }
    if name == "espeak":
        text = "hours of audio heard in an hour of one core, in crops of 1.28 s, with the validation of each "
        text += "epoch; time of the process, on a machine that others used too"
        found["cpc.train.realtime"] = record([one["realtime"] for one in results], command, minutes, text)
    for key, value in baselines.items():
        if key != "minutes":
            text = "the same probe of spectral features, no learning"
            found[f"cpc.{name}.baseline.{key}"] = record([value], command, baselines["minutes"], text)
    return found


def one_thread():
    """All arithmetic on one core."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def flat(rows):
    return {f"{view}.{key}": value for view, row in rows.items() for key, value in row.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(SYSTEMS))
    parser.add_argument("--data", help="the .npz file of the digits")
    parser.add_argument(
        "--more", nargs="*", default=[], help="files of recordings to train on with the digits"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", default="runs/contrastive_predictive_coding", help="weights and results")
    parser.add_argument("--record", default=RECORD)
    arguments = parser.parse_args()
    one_thread()
    name, runs = arguments.name, Path(arguments.runs)
    if name == "espeak":
        data = subject = load_speech("espeak")
        baselines = cached(runs / "espeak.baselines.json", lambda: espeak_baselines(data))
    else:
        data = load_speech(arguments.data, sample_rate=DIGITS["sample_rate"])
        subject = Digits([data.train, data.validation, data.test], data.speakers)
        if arguments.more:
            rate, seconds = data.sample_rate, 2 * DIGITS["crop_seconds"]
            data = replace(data, train=with_more(data.train, arguments.more, rate, seconds))
        baselines = cached(
            runs / "fsdd.baselines.json", lambda: flat(digit_baselines(subject, data.sample_rate))
        )
    results = []
    for seed in range(arguments.seeds):
        results.append(measure(name, data, subject, seed, runs))
        records = records_of(name, results, baselines)
        write_records(arguments.record, records)
        for key, one in records.items():
            print(f"{key:<44} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
