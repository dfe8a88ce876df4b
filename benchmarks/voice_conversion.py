"""Voice conversion of spoken digits: probes of the content and speaker embeddings, quality of conversions.

    python benchmarks/voice_conversion.py controls --data fsdd.npz
    python benchmarks/voice_conversion.py adain --data fsdd.npz [--librispeech FOLDER]
    python benchmarks/voice_conversion.py adversarial --data fsdd.npz

A converter is trained on the official training takes of six speakers (a tenth of them is validation). All
results of a seed but the following come from the weights that its recipe keeps: the ablation is a
training without instance normalisation or without the adversary; one-shot is a training without two
speakers, into whose voices the test takes of the other four are converted by one utterance (seed s
leaves out pair s of three disjoint ones); the equal error rate is of a training on 215 readers
of LibriSpeech, one utterance each, and of six others; espeak is a training on 24 synthetic voices, and
four others that say the same sentences.

Probes are fitted on all 2,700 training takes and read on the 300 official test takes. Conversions are
those of the 300 test takes to the five other speakers. They are heard by one judge for all
rows, fitted on recorded and copy-synthesised training takes. `controls` are converters
without learning. Settings were chosen by validation takes. Results of a finished training are kept
in `--runs`. Writes `docs/results/voice_conversion.json`.
"""

import argparse
import os
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tensorflow as tf
from parts.records import write_records
from parts.result_cache import cached
from parts.voice_conversion_controls import control_rows, feature_probes
from parts.voice_conversion_records import control_records, system_records
from parts.voice_conversion_settings import SYSTEMS
from parts.voice_conversion_training import train
from parts.voice_conversion_unseen import espeak, one_shot, parallel_sentences, voiceprint

from keras_ae.evaluation import copy_synthesis
from keras_ae.evaluation.speech.conversions import conversion_frames, fit_judge, waveforms_of
from keras_ae.evaluation.speech.converter_results import ConverterEmbeddings, conversion_results
from keras_ae.training.datasets import load_speech

RATE = 8000
RECORD = "docs/results/voice_conversion.json"


def results_of(name, settings, data, seed, judge, path):
    """All results of one training on the digits, from one set of weights."""
    model, embeddings, found = probed(name, settings, data, seed)
    model.save(path)
    known = [data.train, data.validation]
    return found | conversion_results(model, known, data.test, judge, embeddings=embeddings)


def probed(name, settings, data, seed):
    """`(model, its embeddings, results of probes)` of one training on the digits."""
    begun = time.process_time()
    _, model, epoch = train(name, settings, data, seed)
    trained = (time.process_time() - begun) / 60
    embeddings = ConverterEmbeddings(model, [data.train, data.validation], data.test)
    return model, embeddings, {"epoch": epoch, "training_minutes": trained, **embeddings.results()}


def controls(data, judge):
    """Rows without learning, the judge itself, and probes of features."""
    layer, known = conversion_frames(data.sample_rate), [data.train, data.validation]
    recorded, accuracy = waveforms_of(data.test), {}
    for kind, waveforms in (("recorded", recorded), ("copied", copy_synthesis(recorded, layer))):
        predicted = judge.predict(waveforms)
        accuracy[f"{kind}_speaker"] = float(np.mean(predicted["speaker"] == data.test.speaker))
        accuracy[f"{kind}_digit"] = float(np.mean(predicted["content"] == data.test.label))
    return {
        "judge": judge.hash,
        "judge_accuracy": accuracy,
        "rows": control_rows(known, data.test, layer, judge),
        "probes": feature_probes(known, data.test),
    }


def parts_of(name, data, judge, librispeech, runs):
    """`{part: (settings, function of a seed)}` of a system, those with a goal first."""
    system = SYSTEMS[name]
    recipe, settings = system["recipe"], system["settings"]
    off, read, spoken = (settings | system[key] for key in ("off", "read", "spoken"))
    parts = {
        "main": (
            settings,
            lambda seed: results_of(recipe, settings, data, seed, judge, runs / f"{name}.main.{seed}.keras"),
        ),
        "ablation": (off, lambda seed: probed(recipe, off, data, seed)[2]),
    }
    if not system["one_shot"]:
        return parts
    parts["oneshot"] = settings, lambda seed: one_shot(recipe, settings, data, seed, judge)
    if librispeech is not None:
        train_part = load_speech(librispeech / "train_clean_1utt.npz", test_fraction=0.0)
        others = load_speech(librispeech / "test_other_10utt.npz", validation_fraction=0.0, test_fraction=0.0)
        parts["voiceprint"] = read, lambda seed: voiceprint(recipe, read, train_part, others.train, seed)
    parts["espeak"] = (
        spoken,
        lambda seed: espeak(recipe, spoken, load_speech("espeak"), parallel_sentences(16_000), seed),
    )
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["controls", *SYSTEMS])
    parser.add_argument("--data", required=True, help="the .npz file of the digits")
    parser.add_argument("--librispeech", type=Path, help="the folder of librispeech_mini")
    parser.add_argument("--parts", nargs="*", help="only these: main, ablation, oneshot, voiceprint, espeak")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/voice_conversion"), help="weights and results"
    )
    parser.add_argument("--record", default=RECORD)
    arguments = parser.parse_args()
    one_thread()
    name, runs = arguments.name, arguments.runs
    data = load_speech(arguments.data, sample_rate=RATE)
    runs.mkdir(parents=True, exist_ok=True)
    judge = fit_judge([data.train, data.validation], RATE, runs / "judge.npz")
    if name == "controls":
        found = cached(runs / "controls.json", {"judge": judge.hash}, lambda: controls(data, judge))
        records = control_records(found)
        write_records(arguments.record, records)
        return show(records)
    parts = parts_of(name, data, judge, arguments.librispeech, runs)
    results = {part: [] for part in arguments.parts or parts}
    for part, of_seeds in results.items():
        for seed in range(arguments.seeds):
            path = runs / f"{name}.{part}.{seed}.json"
            settings, function = parts[part]
            of_seeds.append(cached(path, {"judge": judge.hash, **settings}, partial(function, seed)))
            records = system_records(name, results, SYSTEMS[name]["settings"], judge.hash)
            write_records(arguments.record, records)
    show(records)


def one_thread():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def show(records):
    for key, one in records.items():
        print(f"{key:<44} {one['mean']:.4f} ± {one['sd']:.4f}  n={one['n']}", flush=True)


if __name__ == "__main__":
    main()
