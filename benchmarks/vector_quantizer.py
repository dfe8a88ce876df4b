r"""Speed and memory of `VectorQuantizer` against the bare matrix product and other libraries.

    python benchmarks/vector_quantizer.py --cells all --peer-python PYTHON \
        --record docs/results/vector_quantizer.json

Each cell runs in a process of its own with one thread, once in every round. Results are
the least core seconds over the repetitions in a process, and the median over processes.
Peers are faiss-cpu (`IndexFlatL2`) and vector-quantize-pytorch.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from parts.records import is_met, write_records
from parts.vector_quantizer_processes import Processes
from parts.vector_quantizer_records import PEER_SIZE, make_records
from parts.vector_quantizer_tables import tables

SIZES = {
    "small": [(8192, 512), (8192, 1024)],
    "all": [(vectors, codes) for vectors in (8192, 65536) for codes in (512, 1024, 8192)],
}
OWN = ("search", "train")
CELLS = (*OWN, "faiss", "vqp_search", "vqp_train")
STEP = (128 * 49, 512)  # 128 images of 49 vectors each
STEP_SECONDS = 3  # times as long as the others: a step has more to be disturbed


def main(arguments=None) -> int:
    settings = parse(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        processes = Processes(settings.peer_python, Path(folder))
        work = cells_of(SIZES[settings.cells], processes, settings)
        rows = measure_grid(processes, work, settings.processes)
    minutes = (time.monotonic() - start) / 60
    print(tables(rows, processes.peers))
    records = make_records(rows, SIZES["all"], processes.peers, command=typed(settings), minutes=minutes)
    for name, record in records.items():
        met = "met" if is_met(record) else "NOT met"
        print(f"{name:<28} {record['mean']:<8} goal {record['goal']:<8} {met:<8} {record['note']}")
    if settings.record and records:
        write_records(settings.record, records)
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", choices=SIZES, default="small", help="sizes to measure (default: small)")
    parser.add_argument(
        "--processes", type=int, default=5, help="rounds, each cell once in each (default: 5)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="repetition time of a cell (default: 3)")
    parser.add_argument("--peer-python", help="interpreter for the peers that this one does not have")
    parser.add_argument(
        "--every-peer-cell",
        action="store_true",
        help="measure the peers at all sizes (13 GB, half a minute a call), not at 65536 x 1024 alone",
    )
    parser.add_argument("--record", type=Path, help="JSON file that takes the results")
    settings = parser.parse_args(arguments)
    if settings.peer_python and not shutil.which(settings.peer_python):
        parser.error(f"--peer-python is a Python interpreter. Received: {settings.peer_python}")
    if settings.processes < 1 or settings.seconds <= 0:
        parser.error("--processes is at least 1, --seconds above 0.")
    return settings


def typed(settings) -> str:
    """The command of these settings, as one types it at the root of the checkout."""
    words = ["python benchmarks/vector_quantizer.py --cells", settings.cells]
    words += ["--processes", str(settings.processes)]
    words += ["--seconds", f"{settings.seconds:g}"] if settings.seconds != 3.0 else []
    words += ["--peer-python PYTHON"] if settings.peer_python else []
    words += ["--every-peer-cell"] if settings.every_peer_cell else []
    words += [f"--record docs/results/{settings.record.name}"] if settings.record else []
    return " ".join(words)


def cells_of(sizes, processes, settings) -> list:
    """`[(cell, vectors, codes, seconds)]` of a round, size by size."""
    work = []
    for size in sizes:
        everything = settings.every_peer_cell or size == PEER_SIZE
        cells = [cell for cell in CELLS if everything or cell in OWN]
        work += [(cell, *size, settings.seconds) for cell in cells if processes.has(cell)]
    return [*work, ("step", *STEP, STEP_SECONDS * settings.seconds)]


def measure_grid(processes, work, rounds) -> dict:
    """`{(cell, vectors, codes): [row of each round]}`; a round measures each cell once."""
    rows = defaultdict(list)
    for index in range(rounds):
        for done, (cell, vectors, codes, seconds) in enumerate(work):
            show(f"round {index + 1}/{rounds}, cell {done + 1}/{len(work)}: {cell} {vectors} x {codes}")
            row = processes.run(cell, vectors, codes, seconds)
            if row is not None:
                rows[cell, vectors, codes].append(row)
    return rows


def show(text):
    """A line of progress, in place on a terminal."""
    print(f"{text:<70}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
