r"""Training forward of `LookupFreeQuantizer` and `FiniteScalarQuantizer` against vector-quantize-pytorch.

    python benchmarks/lookup_free_quantizer.py --peer-python PYTHON \
        --record docs/results/lookup_free_quantizer.json

Vectors of 64 channels are projected to the digits of 2^13 codes and back. Each cell runs in
a process of its own with one thread, once in every round. Results are the least core seconds
over the repetitions in a process, and the median over processes.
"""

import argparse
import shutil
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

from parts.records import is_met, write_records
from parts.vector_quantizer_processes import HERE, _row, find_peer

SIZES = {"small": [8192], "all": [8192, 65536]}
CODES = 2**13
GOALS = {"lfq": ">= 50", "fsq": ""}


def main(arguments=None) -> int:
    settings = parse(arguments)
    peer_python, peer = find_peer("vqp", [sys.executable, settings.peer_python])
    start = time.monotonic()
    rows = measure_grid(peer_python, SIZES[settings.cells], settings.processes, settings.seconds)
    minutes = (time.monotonic() - start) / 60
    print(table(rows, peer))
    records = make_records(rows, SIZES["all"], peer, command=typed(settings), minutes=minutes)
    for name, record in records.items():
        met = {True: "met", False: "NOT met", None: ""}[is_met(record)]
        print(f"{name:<20} {record['mean']:<8} goal {record['goal'] or 'none':<8} {met:<8} {record['note']}")
    if settings.record and records:
        write_records(settings.record, records)
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", choices=SIZES, default="all", help="sizes to measure (default: all)")
    parser.add_argument("--processes", type=int, default=5, help="rounds, each cell once (default: 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="repetition time of a cell (default: 3)")
    parser.add_argument("--peer-python", help="interpreter with vector-quantize-pytorch, if not this one")
    parser.add_argument("--record", type=Path, help="JSON file that takes the results")
    settings = parser.parse_args(arguments)
    if settings.peer_python and not shutil.which(settings.peer_python):
        parser.error(f"--peer-python is a Python interpreter. Received: {settings.peer_python}")
    if settings.processes < 1 or settings.seconds <= 0:
        parser.error("--processes is at least 1, --seconds above 0.")
    return settings


def typed(settings) -> str:
    """The command of these settings, as one types it at the root of the checkout."""
    words = ["python benchmarks/lookup_free_quantizer.py --cells", settings.cells]
    words += ["--processes", str(settings.processes)]
    words += ["--seconds", f"{settings.seconds:g}"] if settings.seconds != 3.0 else []
    words += ["--peer-python PYTHON"] if settings.peer_python else []
    words += [f"--record docs/results/{settings.record.name}"] if settings.record else []
    return " ".join(words)


def measure_grid(peer_python, sizes, rounds, seconds) -> dict:
    """`{(layer, side, vectors): [row of each round]}`, side `"ours"` or `"vqp"`."""
    scripts = {"ours": [sys.executable, HERE / "lookup_free_quantizer_cells.py"]}
    if peer_python:
        scripts["vqp"] = [peer_python, HERE / "lookup_free_quantizer_peers.py"]
    rows = defaultdict(list)
    for index in range(rounds):
        for vectors in sizes:
            for layer in GOALS:
                for side, script in scripts.items():
                    print(
                        f"round {index + 1}/{rounds}: {layer} {vectors} {side}", file=sys.stderr, flush=True
                    )
                    row = _row([*script, layer, vectors, seconds])
                    if row is not None:
                        rows[layer, side, vectors].append(row)
    return rows


def table(rows, peer) -> str:
    """Vectors per core second and extra memory of each cell."""
    lines = [f"training forward, {CODES} codes, one thread, core seconds; peer: {peer or 'not installed'}"]
    for (layer, side, vectors), found in rows.items():
        speed = vectors / statistics.median(row["seconds"] for row in found)
        lines.append(
            f"{layer} {side:<4} {vectors:>6} vectors: {speed:>12,.0f} vectors/s, {_extra_mb(found)} MB"
        )
    return "\n".join(lines) + "\n"


def make_records(rows, sizes, peer, *, command, minutes) -> dict:
    """`{"lfq.train.vs_vqp": ..., "fsq.train.vs_vqp": ...}`, each its worst size, where all was measured."""
    records = {}
    for layer, goal in GOALS.items():
        ratios = {vectors: _ratios(rows, layer, vectors) for vectors in sizes}
        if not all(ratios.values()):
            continue
        worst = min(ratios, key=lambda vectors: statistics.median(ratios[vectors]))
        values = ratios[worst]
        others = ", ".join(
            f"{vectors} vectors {statistics.median(ratios[vectors]):.3g}x"
            for vectors in sizes
            if vectors != worst
        )
        ours, theirs = (_extra_mb(rows[layer, side, worst]) for side in ("ours", "vqp"))
        records[f"{layer}.train.vs_vqp"] = {
            "mean": _rounded(statistics.median(values)),
            "sd": _rounded(statistics.stdev(values)) if len(values) > 1 else 0.0,
            "n": len(values),
            "goal": goal,
            "command": command,
            "minutes": round(minutes, 1),
            "note": f"worst cell: {worst} vectors of 64 channels, {CODES} codes, {peer}, one thread; ours "
            "with mask and metrics; median of the processes; "
            f"{others}; extra memory {ours} MB against {theirs} MB",
        }
    return records


def _ratios(rows, layer, vectors):
    """Core seconds of the peer over ours, round by round; empty where a process failed."""
    ours, theirs = rows.get((layer, "ours", vectors), []), rows.get((layer, "vqp", vectors), [])
    if len(ours) != len(theirs):
        return []
    return [their["seconds"] / our["seconds"] for our, their in zip(ours, theirs, strict=True)]


def _extra_mb(found):
    known = [row["extra_mb"] for row in found if row["extra_mb"] is not None]
    return f"{statistics.median(known):,.0f}" if known else "-"


def _rounded(value):
    return float(f"{value:.4g}")


if __name__ == "__main__":
    sys.exit(main())
