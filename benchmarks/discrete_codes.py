"""The same code length by every quantiser, as one-hot vectors and as bits: error, usage, probe.

    python benchmarks/discrete_codes.py digits
    python benchmarks/discrete_codes.py mnist --data mnist.npz

Trains the discrete recipes with 6 bits a position (and, on the digits, `vqvae` with 4
and 9 bits) on several seeds, each as `keras-ae train` does: the
weights of the best validation epoch, measured once on the test images. Writes
`docs/results/<name>.json`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from parts.records import write_records

from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import train

SETTINGS = {
    "digits": {},
    "mnist": {"epochs": 6, "batch_size": 128, "filters": 32, "noise": 0.0, "weight_decay": 0.01},
}
BITS = {"digits": (6, 4, 9), "mnist": (6,)}
KINDS = {
    "digits": ("vqvae", "residual-vqvae", "fsq", "lfq", "gumbel", "binary"),
    "mnist": ("vqvae", "gumbel", "binary"),
}
NOTES = {
    "digits": "4 positions an image; 1,294 training, 144 validation and 359 test images; not a blind test: "
    "settings were chosen on another split whose training part held these test images (its scoring part "
    "none), and one test result of vqvae was seen before epochs and selection rule were last changed",
    "mnist": "49 positions an image; 58,000 training images, a tenth of them for validation",
}


def recipe(kind, bits, data, seed, settings):
    """The recipe `kind` with so many bits a position."""
    size = {
        "vqvae": {"num_embeddings": 2**bits},
        "residual-vqvae": {"num_embeddings": 2 ** (bits // 2), "num_levels": 2},
        "fsq": {"levels": (4,) * (bits // 2)},
        "lfq": {"bits": bits},
        "gumbel": {"num_classes": 2**bits},
        "binary": {"bits": bits},
    }[kind]
    # the baselines do not depend on the seed; k-means with 9 bits takes longest
    return RECIPES[kind](data=data, seed=seed, **size, baselines=seed == 0 and kind == "vqvae", **settings)


def cells(name):
    """`(label, kind, bits)` of every row of the table."""
    first, *others = BITS[name]
    rows = [(kind.replace("-", "_"), kind, first) for kind in KINDS[name]]
    return rows + [(f"vqvae_{4 * bits}bits", "vqvae", bits) for bits in others]


def measure_cell(label, kind, bits, arguments):
    """Metrics of every seed with the baselines of the first, and the minutes they took."""
    results, minutes = [], 0.0
    for seed in range(arguments.seeds):
        runs = Path(arguments.runs) / arguments.name / label / str(seed)
        finished = sorted(runs.glob("*/*/metrics.json")) if arguments.reuse else []
        if not finished:
            run = train(recipe(kind, bits, arguments.data, seed, SETTINGS[arguments.name]), runs=runs)
            finished = [run.directory / "metrics.json"]
        results.append(json.loads(finished[-1].read_text()))
        began = finished[-1].with_name("config.json").stat().st_mtime
        minutes += (finished[-1].stat().st_mtime - began) / 60
    return results, minutes


def records_of(name, label, results, command, minutes):
    """The records of one row: error, usage, probe; and of its baselines."""
    common = {"command": command, "minutes": round(minutes, 1)}
    bits = results[0]["codes"]["bits_per_image"]
    note = f"{NOTES[name]}; {bits:.0f} bits an image; best validation epoch of each seed"
    columns = {
        "mse": [r["test"]["mse"] for r in results],
        "probe": [r["test"]["probe_accuracy"] for r in results],
        "usage": [r["codes"]["usage"] for r in results],
        "perplexity": [r["codes"]["perplexity"] for r in results],
    }
    goals = {"usage": ">= 0.90"} if label == "vqvae" else {}
    baselines = results[0].get("baselines", {})
    kmeans = [row["mse"] for key, row in baselines.items() if key.startswith("k-means")]
    if kmeans:
        goals["mse"] = f"< {kmeans[0]:.4f}"
        note += "; goal: k-means of the patches, same split, same bits"
    records = {
        f"{name}.{label}.{column}": {
            "mean": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "n": len(values),
            "goal": goals.get(column, ""),
            "note": note,
            **common,
        }
        for column, values in columns.items()
    }
    for key, row in baselines.items():
        # one row of each baseline: k-means belongs to a code length, the others do not
        short = f"kmeans{label.removeprefix('vqvae')}" if key.startswith("k-means") else key.lower()
        records[f"{name}.{short.replace(' ', '_').replace('-', '')}.mse"] = {
            "mean": row["mse"],
            "sd": 0.0,
            "n": 1,
            "goal": "",
            "note": f"{key}; scikit-learn, at most 10,000 training images; test images",
            **common,
        }
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(SETTINGS))
    parser.add_argument("--data", default="digits", help="for mnist: the .npz file or the idx folder")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", default="runs/discrete_codes")
    parser.add_argument("--reuse", action="store_true", help="read finished runs instead of training anew")
    parser.add_argument("--only", nargs="*", help="labels of the rows to measure")
    parser.add_argument("--record", default="docs/results")
    arguments = parser.parse_args()
    where = "" if arguments.name == "digits" else " --data mnist.npz"
    command = f"python benchmarks/discrete_codes.py {arguments.name}{where}"
    for label, kind, bits in cells(arguments.name):
        if arguments.only and label not in arguments.only:
            continue
        results, minutes = measure_cell(label, kind, bits, arguments)
        records = records_of(arguments.name, label, results, command, minutes)
        write_records(Path(arguments.record) / f"{arguments.name}.json", records)
        for key, record in records.items():
            print(f"{key:<32} {record['mean']:.4f} ± {record['sd']:.4f}  {record['goal'] or ''}")


if __name__ == "__main__":
    main()
