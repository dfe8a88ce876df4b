"""The embedding report of each model so far, trained on the digits on several seeds.

    python benchmarks/embedding_reports.py

Trains each recipe as `keras-ae train RECIPE --epochs 40 --seed SEED` does, measures its
embedding as `keras-ae report RUN --budget quick` does (results are spread over trainings, not
over discriminators), and writes `docs/results/embedding_reports.json`. Runs that are
finished are kept: a second call goes on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from parts.records import write_records

from keras_ae.evaluation.report.record import JSON
from keras_ae.training.commands._run_embedding import has_record, measure_run
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import Run, train

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("autoencoder", "vae", "vqvae", "gumbel", "binary")
SEEDS = 3
NOTE = (
    "digits, 8x8: fitted on 1,294 training images, read on 359 held-out ones; {numbers} numbers; 40 epochs, "
    "best validation epoch, settings otherwise the recipe's; spread over trainings; quick budget: one "
    "discriminator of at most 400 steps each"
)


def results_of(report):
    """`{name: value}` of one report, of the embedding and of its control."""
    rows = {row["role"]: row for row in report["pairs"]["rows"]}
    probe = report["probes"]["label"]
    found = {
        "ld_star": rows["embedding"]["ld_star"],
        "ld_star_noise1": rows["embedding"]["noise"]["1.0"],
        "info_nce": rows["embedding"]["info_nce"],
        "retrieval": rows["embedding"]["retrieval"],
        "linear": probe["linear"],
        "mlp": probe["mlp"],
        "knn": probe["knn"],
        "pca_linear": next(iter(probe["controls"].values()))["linear"],
        "pca_ld_star": rows["components"]["ld_star"],
    }
    if "mse" in (report["reconstruction"] or {}):
        found["mse"] = report["reconstruction"]["mse"]
    return found


def records_of(recipe, reports, command, minutes):
    """The records of one recipe."""
    values = [results_of(report) for report in reports]
    note = NOTE.format(numbers=reports[0]["encoder"]["numbers"])
    note += "" if len(reports) >= SEEDS else f"; {len(reports)} of {SEEDS} seeds"
    control = next(iter(reports[0]["probes"]["label"]["controls"]))
    records = {}
    for name in values[0]:
        column = [one[name] for one in values]
        said = f"{control} of the inputs, a control; {note}" if name.startswith("pca") else note
        records[f"report.{recipe}.{name}"] = {
            "mean": float(np.mean(column)),
            "sd": float(np.std(column, ddof=1)) if len(column) > 1 else 0.0,
            "n": len(column),
            "goal": "",
            "command": command,
            "minutes": round(minutes, 1),
            "note": said,
        }
    return records


def finished_run(recipe, seed, runs, epochs):
    """The measured run of one recipe and seed; trained and measured as far as it is not there."""
    folder = runs / recipe / str(seed)
    done = sorted(folder.glob("*/*/metrics.json"))
    run = Run.open(done[-1].parent) if done else None
    if run is None:
        run = train(RECIPES[recipe](seed=seed, epochs=epochs, baselines=False), runs=folder, verbose=False)
    if not has_record(run):
        measure_run(run, budget="quick")
    return run


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=sorted(RECIPES))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--runs", type=Path, default=Path("runs/embedding_reports"))
    parser.add_argument("--record", type=Path, default=ROOT / "docs" / "results" / "embedding_reports.json")
    settings = parser.parse_args(arguments)
    for seed in range(settings.seeds):  # all models on one seed, then the next
        for model in settings.models:
            finished_run(model, seed, settings.runs, settings.epochs)
            print(f"{model}, seed {seed}: measured", flush=True)
            write_model(model, settings)


def write_model(model, settings):
    """The records of the seeds that are there."""
    reports, minutes = [], 0.0
    for path in sorted((settings.runs / model).glob(f"*/*/*/{JSON}")):
        reports.append(json.loads(path.read_text()))
        began = path.with_name("config.json").stat().st_mtime
        minutes += (path.stat().st_mtime - began) / 60
    command = "python benchmarks/embedding_reports.py"
    write_records(settings.record, records_of(model, reports, command, minutes))


if __name__ == "__main__":
    main()
