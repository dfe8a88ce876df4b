"""The records of the vector-quantiser benchmark, from its rows."""

import statistics

REFERENCE_SIZE = (65536, 1024)  # where the peers are compared


def make_records(rows, complete, peers, *, command, minutes) -> dict:
    """Records of all figures that were measured.

    Args:
        rows: `{(cell, vectors, codes): [row of each process]}`.
        complete: whether these are all sizes: a worst cell is that of the whole grid.
        peers: `{"faiss": name and version or None, "vqp": ...}`.
        command, minutes: of the whole run.
    """
    figures = {"vqvae.step.vs_plain": ("<= 1.15", ratios(rows, "step"))}
    if complete:
        figures |= {
            "vq.search.times_matmul": ("<= 2.2", ratios(rows, "search")),
            "vq.search.extra_mb": ("<= 80", memory(rows, "search")),
            "vq.train.times_matmul": ("<= 2.5", ratios(rows, "train", lambda codes: codes >= 1024)),
            "vq.train.times_matmul_k512": ("<= 2.8", ratios(rows, "train", lambda codes: codes == 512)),
            "vq.train.extra_mb": ("<= 100", memory(rows, "train")),
        }
    figures |= {
        "vq.search.vs_faiss": (">= 1.3", speedups(rows, "search", "faiss", peers["faiss"])),
        "vq.train.vs_vqp": (">= 20", speedups(rows, "train", "vqp_train", peers["vqp"])),
    }
    return {
        name: _record(goal, values, command, minutes) for name, (goal, values) in sorted(figures.items()) if values
    }


def ratios(rows, cell, chosen=lambda codes: True):
    """`{note: ratio to the reference of each process}` of the sizes chosen by their codes."""
    return {
        _size(key): [row["seconds"] / row["reference_seconds"] for row in found]
        for key, found in rows.items()
        if key[0] == cell and chosen(key[2])
    }


def memory(rows, cell):
    """`{note: peak extra MiB of each process}`; sizes of which the system did not tell are missing."""
    known = {key: [row["extra_mb"] for row in found] for key, found in rows.items() if key[0] == cell}
    return {_size(key): values for key, values in known.items() if None not in values}


def speedups(rows, cell, peer, version):
    """`{note: how many times the vectors per core second of a peer, in each round}` at the reference size."""
    own, other = rows.get((cell, *REFERENCE_SIZE), []), rows.get((peer, *REFERENCE_SIZE), [])
    pairs = zip(own, other, strict=False)
    values = [theirs["seconds"] / ours["seconds"] for ours, theirs in pairs]
    return {f"{_size((cell, *REFERENCE_SIZE))}, {version}": values} if values else {}


def _record(goal, cells, command, minutes):
    """The record of the worst cell: the highest median where the goal is a ceiling, else the lowest."""
    worst = max if goal.startswith("<") else min
    note = worst(cells, key=lambda cell: statistics.median(cells[cell]))
    values = cells[note]
    return {
        "mean": _rounded(statistics.median(values)),
        "sd": _rounded(statistics.stdev(values)) if len(values) > 1 else 0.0,
        "n": len(values),
        "goal": goal,
        "command": command,
        "minutes": round(minutes, 1),
        "note": f"{'worst cell ' if len(cells) > 1 else ''}{note}; median of processes, one thread, core seconds",
    }


def _size(key):
    return f"{key[1]} x {key[2]}"


def _rounded(value):
    return float(f"{value:.4g}")
