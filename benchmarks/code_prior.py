"""Bits per dimension of priors over the codes of a VQ-VAE and of a two-level VQ-VAE-2.

    python benchmarks/code_prior.py mnist --data mnist.npz
    python benchmarks/code_prior.py cifar10_jpeg --data cifar10_jpeg.npz

Trains the recipe `vqvae-prior` as `keras-ae train vqvae-prior` does: an auto-encoder
first, then the prior over its codes, each with the weights of its best validation epoch,
measured once on the test images. Writes `docs/results/code_prior.json` after every seed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from parts.records import write_records

from keras_ae.training.recipes import VqVaePriorRecipe
from keras_ae.training.run import train

COMMON = {"batch_size": 128, "filters": 32, "noise": 0.0, "depth": 2, "dropout": 0.0, "learning_rate": 3e-3}
COMMON |= {"baselines": False, "probe": False}
SETTINGS = {
    "mnist": {"autoencoder": "vqvae", "code_bits": 6, "autoencoder_epochs": 3, "epochs": 3},
    "cifar10_jpeg": {"autoencoder": "vqvae2", "code_bits": 8, "autoencoder_epochs": 8, "epochs": 4},
}
PREFIX = {"mnist": "vqvae_prior.mnist", "cifar10_jpeg": "vqvae2.cifar10_jpeg"}
NOTES = {
    "mnist": "58,000 MNIST images in the file, a tenth of them for validation, 10,000 test images; 49 codes "
    "of 64; VQ-VAE 3 epochs, prior 3 epochs, a transformer of 2 blocks of 64",
    "cifar10_jpeg": "20,000 CIFAR-10 images in the file, a tenth of them for validation, 6,000 test images, "
    "all re-encoded as JPEG, which is easier to code: not comparable with results on CIFAR-10; 16 top and 64 "
    "bottom codes of 256; auto-encoder 8 epochs, priors 4 epochs, transformers of 2 blocks of 64",
}
MEANING = {
    "bits_per_dim": "evidence lower bound: codes under the prior, and pixels under a logistic distribution "
    "around offset + slope * reconstruction cut into 256 levels, these two and its one scale fitted on "
    "validation images; offset and slope were added after a first test result without them (2.35 on MNIST)",
    "rate_bits_per_dim": "length of the codes alone under the prior, by the number of pixels and channels",
    "uniform_rate_bits_per_dim": "length of the codes alone where all are equally probable",
    "mse": "mean squared error of reconstructions, pixels in [0, 1]",
}

USAGE = "share of the codes that one pass over the training images chooses"


def measure_seed(name, seed, arguments):
    """`metrics.json` of one seed and the minutes it took; a finished run is not repeated."""
    runs = Path(arguments.runs) / name / str(seed)
    finished = sorted(runs.glob("*/*/metrics.json"))
    if not finished:
        begun = sorted(runs.glob("*/*/config.json"))
        recipe = VqVaePriorRecipe(data=arguments.data, seed=seed, **COMMON, **SETTINGS[name])
        run = train(recipe, runs=runs, resume=begun[-1].parent if begun else None)
        finished = [run.directory / "metrics.json"]
    began = finished[-1].with_name("config.json").stat().st_mtime
    ended = finished[-1].with_name("history.csv").stat().st_mtime
    return json.loads(finished[-1].read_text()), (ended - began) / 60


def records_of(name, results, minutes):
    """The records of the seeds that are done."""
    command = f"python benchmarks/code_prior.py {name} --data {name}.npz"
    columns = {key: [r["test"][key] for r in results] for key in MEANING}
    codes = [key for key in results[0]["codes"] if key.endswith("usage")]
    columns |= {key: [r["codes"][key] for r in results] for key in codes}
    return {
        f"{PREFIX[name]}.{key}": {
            "mean": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "n": len(values),
            "goal": "",
            "command": command,
            "minutes": round(minutes, 1),
            "note": f"{MEANING.get(key, USAGE)}; {NOTES[name]}",
        }
        for key, values in columns.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(SETTINGS))
    parser.add_argument("--data", required=True, help="the .npz file")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--runs", default="runs/code_prior")
    parser.add_argument("--record", default="docs/results")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    results, minutes = [], 0.0
    for seed in arguments.seeds:
        metrics, took = measure_seed(arguments.name, seed, arguments)
        results, minutes = [*results, metrics], minutes + took
        records = records_of(arguments.name, results, minutes)
        write_records(Path(arguments.record) / "code_prior.json", records)
    for key, record in records.items():
        print(f"{key:<45} {record['mean']:.4f} ± {record['sd']:.4f}")


if __name__ == "__main__":
    main()
