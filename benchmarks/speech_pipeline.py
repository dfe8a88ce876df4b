"""How fast speech is read, and whether a training waits for it.

    python benchmarks/speech_pipeline.py

The audio is the sentences of espeak-ng. It is written as an .npz file and as folders of wav,
flac and 44.1 kHz wav files, and then read as a training reads it: whole epochs of random
windows and of whole utterances, in batches of 16. Rates are hours of audio per minute in
which one core works for it, so that other processes on the machine do not count. Then the
recipes `cpc` and `speech-vqvae` train under deterministic kernels, as `keras-ae train` does;
the share of waiting is the time until a batch is there over the time of the whole step, both
in the same run. Writes `docs/results/speech_pipeline.json`.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import soundfile
from parts.records import record as repeated
from parts.records import write_records

from keras_ae.training.datasets import load_speech, speech_batches
from keras_ae.training.datasets.speech._espeak import available_voices, draw_utterances, synthesize_in_process
from keras_ae.training.datasets.speech.waveforms import int16_samples, resampled
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import deterministic_ops

COMMAND = "python benchmarks/speech_pipeline.py"
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "speech_pipeline.json"
BATCH, RATE, FILES = 16, 16_000, 96
WARM_UP_STEPS, MEASURED_STEPS = 5, 18
REPEATS = 3


def core_seconds() -> float:
    """Seconds in which this process and those it has waited for held a core."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def hours_per_minute(read) -> list[float]:
    """Rates of `read()`, which returns how many seconds of audio it has read."""
    rates = []
    for _ in range(REPEATS):
        before = core_seconds()
        seconds = read()
        rates.append(seconds / 3600 / ((core_seconds() - before) / 60))
    return rates


def write_sources(split, folder: Path) -> dict[str, Path]:
    """Some utterances as an .npz file and as folders of audio files."""
    waveforms = [split.waveform(index) for index in range(FILES)]
    npz = folder / "npz.npz"
    np.savez(
        npz,
        audio=int16_samples(np.concatenate(waveforms)),
        offsets=np.cumsum([0, *map(len, waveforms)]),
        sample_rate=RATE,
    )
    sources = {"npz": npz}
    for kind, suffix, rate in (("wav", "wav", RATE), ("flac", "flac", RATE), ("wav_44100", "wav", 44_100)):
        sources[kind] = folder / kind
        sources[kind].mkdir()
        for index, waveform in enumerate(waveforms):
            soundfile.write(sources[kind] / f"{index:04d}.{suffix}", resampled(waveform, RATE, rate), rate)
    return sources


def epoch(split, crop=None) -> float:
    """Read one epoch; returns the seconds of audio that it handed out."""
    stream = speech_batches(split, BATCH, seed=0, crop=crop)
    return sum(int(batch["lengths"].sum()) for batch in stream.dataset.as_numpy_iterator()) / RATE


def reading() -> dict[str, list[float]]:
    """`{name: rates}` of all sources."""
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in write_sources(load_speech("espeak").train, Path(folder)).items():
            split = load_speech(path, test_fraction=0, validation_fraction=0).train
            epoch(split)
            rates[kind] = hours_per_minute(lambda split=split: epoch(split))
            rates[f"{kind}.windows"] = hours_per_minute(lambda split=split: epoch(split, crop=20_480))
    rates["espeak"] = hours_per_minute(spoken)
    return rates


def spoken() -> float:
    """Let espeak-ng speak anew, without the cache; returns the seconds of audio."""
    import espeakng_loader

    voices = available_voices(espeakng_loader.get_data_path())
    counts = {"train": 4, "validation": 0, "test": 0}
    return len(synthesize_in_process(draw_utterances(voices, 24, counts, seed=1), RATE)["audio"]) / RATE


def training(name: str) -> dict[str, float]:
    """Steps of a recipe: the share of the time that they wait for data, and seconds of audio a second."""
    recipe = RECIPES[name]()
    data = recipe.load_data()
    stream = recipe.training_batches(data)
    model = recipe.build(data, stream.steps_per_epoch)
    waited = worked = audio = 0.0
    with deterministic_ops():
        steps = iter(stream.dataset.repeat())  # tensors, as `fit` takes them
        for step in range(WARM_UP_STEPS + MEASURED_STEPS):
            start = time.perf_counter()
            batch = next(steps)
            there = time.perf_counter()
            float(np.sum(model.train_on_batch(batch)))
            if step >= WARM_UP_STEPS:
                waited += there - start
                worked += time.perf_counter() - there
                audio += int(batch["lengths"].numpy().sum()) / data.sample_rate
    return {"waiting": waited / (waited + worked), "realtime": audio / (waited + worked)}


def record(values, minutes, note, goal="") -> dict:
    """A record of repeated values."""
    return repeated(values, COMMAND, minutes, note, goal)


def main(results: Path):
    """Measure and write the records."""
    start = time.perf_counter()
    rates = reading()
    trained = {name: [training(name) for _ in range(REPEATS)] for name in ("cpc", "speech-vqvae")}
    minutes = (time.perf_counter() - start) / 60
    records = {}
    for kind, values in rates.items():
        what = "synthesised anew" if kind == "espeak" else "windows of 1.28 s" if "." in kind else "whole"
        note = f"hours of audio per minute of one core, {what}, {REPEATS} passes"
        records[f"speech.pipeline.{kind}.hours_per_minute"] = record(values, minutes, note)
    for name, runs in trained.items():
        key = name.replace("-", "_")
        note = f"{MEASURED_STEPS} steps of the recipe {name}, {REPEATS} trainings, 2 cores"
        waiting, realtime = ([run[what] for run in runs] for what in ("waiting", "realtime"))
        records[f"speech.pipeline.{key}.waiting"] = record(
            waiting, minutes, f"share of a step spent waiting for data; {note}", "<= 0.05"
        )
        records[f"speech.pipeline.{key}.realtime"] = record(
            realtime, minutes, f"seconds of audio per second of training; {note}; other trainings ran beside"
        )
    for name, row in write_records(results, records).items():
        print(f"{name} {row['mean']:.3g} +- {row['sd']:.2g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of records")
    main(parser.parse_args().results)
