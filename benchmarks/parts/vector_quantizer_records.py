"""The records of the vector-quantiser benchmark, from its rows."""

import statistics

LARGE_CODEBOOK = 1024  # codes from which the goal of the training forward is the strict one
PEER_SIZE = (65536, 1024)  # where the peers are compared


def make_records(rows, sizes, peers, *, command, minutes) -> dict:
    """Records of all results whose cells were all measured.

    Args:
        rows: `{(cell, vectors, codes): [row of each process]}`.
        sizes: `[(vectors, codes)]` of the whole grid.
        peers: `{"faiss": name and version or None, "vqp": ...}`.
        command, minutes: of the whole run.
    """
    large = [size for size in sizes if size[1] >= LARGE_CODEBOOK]
    small = [size for size in sizes if size[1] < LARGE_CODEBOOK]
    step_sizes = [key[1:] for key in rows if key[0] == "step"]
    results = {
        "vq.search.times_matmul": ("<= 2.2", cells(rows, "search", sizes, times_reference)),
        "vq.search.extra_mb": ("<= 80", cells(rows, "search", sizes, extra_mb)),
        "vq.search.vs_faiss": (">= 1.3", speedup(rows, "search", "faiss", peers["faiss"])),
        "vq.train.times_matmul": ("<= 2.5", cells(rows, "train", large, times_reference)),
        "vq.train.times_matmul_k512": ("<= 2.8", cells(rows, "train", small, times_reference)),
        "vq.train.extra_mb": ("<= 100", cells(rows, "train", sizes, extra_mb)),
        "vq.train.vs_vqp": (">= 20", speedup(rows, "train", "vqp_train", peers["vqp"])),
        "vqvae.step.vs_plain": ("<= 1.15", cells(rows, "step", step_sizes, times_reference)),
    }
    return {name: _record(goal, found, command, minutes) for name, (goal, found) in results.items() if found}


def times_reference(row):
    return row["seconds"] / row["reference_seconds"]


def extra_mb(row):
    return row["extra_mb"]


def cells(rows, cell, sizes, measure) -> dict:
    """`{"vectors x codes": [measure of each process]}`; empty if a size is missing or has no measure."""
    found = {
        f"{vectors} x {codes}": [measure(row) for row in rows.get((cell, vectors, codes), [])]
        for vectors, codes in sizes
    }
    return found if all(values and None not in values for values in found.values()) else {}


def speedup(rows, cell, peer, version) -> dict:
    """`{note: [core seconds of a peer over ours]}`; the note says what the bare product would reach."""
    ours, theirs = rows.get((cell, *PEER_SIZE), []), rows.get((peer, *PEER_SIZE), [])
    if not ours or len(ours) != len(theirs):
        return {}
    pairs = list(zip(ours, theirs, strict=True))
    ratios = [their["seconds"] / our["seconds"] for our, their in pairs]
    bound = statistics.median(their["seconds"] / our["reference_seconds"] for our, their in pairs)
    vectors, codes = PEER_SIZE
    return {f"{vectors} x {codes}, {version}; the bare tf.matmul would be {bound:.3g}": ratios}


def _record(goal, found, command, minutes):
    """The record of the worst cell: the highest median where the goal is a ceiling, else the lowest."""
    worst = max if goal.startswith("<") else min
    note = worst(found, key=lambda cell: statistics.median(found[cell]))
    values = found[note]
    return {
        "mean": _rounded(statistics.median(values)),
        "sd": _rounded(statistics.stdev(values)) if len(values) > 1 else 0.0,
        "n": len(values),
        "goal": goal,
        "command": command,
        "minutes": round(minutes, 1),
        "note": f"{'worst cell: ' if len(found) > 1 else ''}{note}; median of the processes",
    }


def _rounded(value):
    return float(f"{value:.4g}")
