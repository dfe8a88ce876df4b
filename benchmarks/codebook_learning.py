r"""Does the codebook learn with default arguments? Usage and error against other libraries.

    python benchmarks/codebook_learning.py toy --peer-python PYTHON
    python benchmarks/codebook_learning.py mnist --data mnist.npz --peer-python PYTHON

`toy`: online learning on fixed vectors, no encoder. `mnist`: a small convolutional VQ-VAE,
trained for an epoch with the same network, batches and optimiser in both libraries. Ours
runs with default arguments; the settings of vector-quantize-pytorch are chosen on the
validation images. Finished cells are kept in `--runs` and not measured again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from parts.codebook_learning_records import mnist_records, toy_records
from parts.measuring import one_thread
from parts.records import is_met, write_records
from parts.vector_quantizer_processes import find_peer

HERE = Path(__file__).resolve().parent
SIZES = (512, 2048, 8192)
START = {"kmeans_init": True, "kmeans_iters": 10, "threshold_ema_dead_code": 2}
TOY_SETTINGS = {
    "defaults": {"decay": 0.99},
    **{
        f"start_decay{decay}_dead{dead}": {**START, "decay": decay, "threshold_ema_dead_code": dead}
        for decay in (0.99, 0.8)
        for dead in (1, 2)
    },
}
SETTINGS = {
    f"{'rotation' if rotation else 'ste'}{'_cosine' if cosine else ''}": {
        **START,
        "decay": 0.99,
        "rotation_trick": rotation,
        "use_cosine_sim": cosine,
    }
    for rotation in (True, False)
    for cosine in (False, True)
}
CHANGES = {"decay0.8": {"decay": 0.8}, "commitment0.25": {"commitment_weight": 0.25}}


class Cells:
    """Runs cells in processes of one thread, and remembers them.

    Args:
        folder: where a finished cell is kept as `<name>.json`.
        peer_python: interpreter for the peers that this one cannot import, or `None`.
    """

    def __init__(self, folder, peer_python):
        self.folder = Path(folder)
        self.minutes = {}  # core minutes of each cell
        found = {peer: find_peer(peer, [sys.executable, peer_python]) for peer in ("faiss", "vqp")}
        self.pythons = {peer: python for peer, (python, _) in found.items()}
        self.versions = {peer: version for peer, (_, version) in found.items()}

    def run(self, name, peer, *arguments):
        """The row of a cell."""
        file = self.folder / f"{name}.json"
        if not file.is_file():
            print(name, file=sys.stderr, flush=True)
            script = "codebook_learning_cells.py" if peer == "vq" else "codebook_learning_peers.py"
            who = (
                [sys.executable, HERE / script] if peer == "vq" else [self.pythons[peer], HERE / script, peer]
            )
            row = _row([*who, *arguments])
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".part")
            partial.write_text(json.dumps(row))
            os.replace(partial, file)
        row = json.loads(file.read_text())
        self.minutes[name] = row["minutes"]
        return row


def toy(cells, seeds) -> dict:
    """`{row: [scores of each seed]}`."""
    rows = {"vq": [cells.run(f"toy.vq.{seed}", "vq", "toy", seed) for seed in seeds]}
    if cells.pythons["faiss"]:
        rows["faiss"] = [cells.run(f"toy.faiss.{seed}", "faiss", "toy", seed) for seed in seeds]
    if cells.pythons["vqp"]:
        for label, settings in TOY_SETTINGS.items():
            words = json.dumps(settings)
            rows[label] = [cells.run(f"toy.{label}.{seed}", "vqp", "toy", seed, words) for seed in seeds]
    return rows


def mnist(cells, seeds, sizes, data, peers_only=False) -> dict:
    """`{codes: {"vq": [scores of each seed], "vqp": ..., "settings": those of the peer}}`."""
    rows = {codes: {} for codes in sizes}
    if cells.pythons["vqp"]:
        name, chosen = choose_settings(cells, data)
        for codes in sizes:
            options = thresholds(name, chosen, codes)
            label = choose(cells, codes, options, data)
            rows[codes]["settings"] = options[label]
            rows[codes]["vqp"] = [peer(cells, codes, label, options[label], seed, data) for seed in seeds]
    for codes in () if peers_only else sizes:
        rows[codes]["vq"] = [
            cells.run(f"mnist.k{codes}.vq.{seed}", "vq", "mnist", seed, codes, data) for seed in seeds
        ]
    return rows


def choose_settings(cells, data):
    """`(label, settings)` of the peer: gradient and distance first, then one change after the other."""
    name = choose(cells, 512, SETTINGS, data)
    settings = SETTINGS[name]
    for label, change in CHANGES.items():
        options = {name: settings, f"{name}_{label}": {**settings, **change}}
        name = choose(cells, 512, options, data)
        settings = options[name]
    return name, settings


def thresholds(name, settings, codes) -> dict:
    """The settings as documented, and with the threshold in proportion to a code's share of the batch."""
    scaled = settings["threshold_ema_dead_code"] * 512 / codes
    if codes == 512:
        return {name: settings}
    return {name: settings, f"{name}_dead{scaled:g}": {**settings, "threshold_ema_dead_code": scaled}}


def choose(cells, codes, options, data) -> str:
    """The label of the settings with the least validation error, first seed."""
    if len(options) == 1:
        return next(iter(options))
    rows = {label: peer(cells, codes, label, settings, 0, data) for label, settings in options.items()}
    return min(rows, key=lambda label: rows[label]["validation_mse"])


def peer(cells, codes, label, settings, seed, data):
    words = json.dumps({"codebook_size": codes, **settings})
    return cells.run(f"mnist.k{codes}.{label}.{seed}", "vqp", "mnist", seed, words, data)


def main(arguments=None) -> int:
    settings = parse(arguments)
    cells = Cells(settings.runs, settings.peer_python)
    seeds = range(settings.seeds)
    command = typed(settings)
    if settings.task == "toy":
        rows = toy(cells, seeds)
        records = toy_records(rows, cells.versions, command=command, minutes=sum(cells.minutes.values()))
    else:
        rows = mnist(cells, seeds, settings.codes, settings.data, settings.peers_only)
        records = mnist_records(rows, cells.versions, command=command, minutes=sum(cells.minutes.values()))
    for name, record in records.items():
        met = {True: "met", False: "NOT met", None: ""}[is_met(record)]
        print(f"{name:<28} {record['mean']:<9.4g} ± {record['sd']:<9.2g} {record['goal']:<10} {met}")
    if settings.record and records:
        write_records(settings.record, records)
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("toy", "mnist"))
    parser.add_argument("--data", help="for mnist: the .npz file")
    parser.add_argument("--codes", type=int, nargs="*", default=SIZES, help="codebook sizes for mnist")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peer-python", help="interpreter for the peers that this one does not have")
    parser.add_argument("--peers-only", action="store_true", help="leave out our own cells of mnist")
    parser.add_argument("--runs", default="runs/codebook_learning", help="folder of the finished cells")
    parser.add_argument("--record", type=Path, help="JSON file that takes the results")
    settings = parser.parse_args(arguments)
    if settings.task == "mnist" and not (settings.data and Path(settings.data).is_file()):
        parser.error(f"--data is the .npz file of MNIST. Received: {settings.data}")
    if settings.peer_python and not shutil.which(settings.peer_python):
        parser.error(f"--peer-python is a Python interpreter. Received: {settings.peer_python}")
    if settings.seeds < 1:
        parser.error("--seeds is at least 1.")
    return settings


def typed(settings) -> str:
    """The command of these settings, as one types it at the root of the checkout."""
    words = ["python benchmarks/codebook_learning.py", settings.task]
    words += ["--data mnist.npz"] if settings.task == "mnist" else []
    words += ["--peer-python PYTHON"] if settings.peer_python else []
    words += [f"--record docs/results/{settings.record.name}"] if settings.record else []
    return " ".join(words)


def _row(command):
    root = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    environment = {**one_thread(), "PYTHONPATH": root}  # what is measured is this checkout
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
