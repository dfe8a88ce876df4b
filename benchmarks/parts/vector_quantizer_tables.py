"""The tables that the vector-quantiser benchmark prints."""

import statistics

DIM = 64  # of the vectors in every cell
PEERS_OF = {"search": ("faiss", "vqp_search"), "train": ("vqp_train",)}
TITLES = {"search": "search (encode)", "train": "training forward (mask, EMA, revival, metrics)"}


def tables(rows, peers) -> str:
    """All tables; `rows` and `peers` as in `make_records`."""
    parts = [grid(rows, cell, peers) for cell in PEERS_OF]
    parts += [step(key, found) for key, found in rows.items() if key[0] == "step"]
    elsewhere = max((row["elsewhere"] for found in rows.values() for row in found), default=0.0)
    parts.append(f"Other processes held up to {elsewhere:.1f} cores.")
    return "\n\n".join(parts) + "\n"


def grid(rows, cell, peers) -> str:
    """Vectors per core second and extra memory of each size, with ratios to the product and the peers."""
    header = ["vectors x codes", "vectors/s", "x tf.matmul", "at GFLOP/s", "extra MB"]
    for peer in PEERS_OF[cell]:
        header += [f"{peer}: vectors/s", "ours is", "extra MB"]
    lines = [header]
    for key in (key for key in rows if key[0] == cell):
        ours = rows[key]
        ratio = statistics.median(row["seconds"] / row["reference_seconds"] for row in ours)
        line = [
            f"{key[1]} x {key[2]}",
            _speed(key, ours),
            f"{ratio:.2f}",
            product_speed(key, ours),
            _memory(ours),
        ]
        for peer in PEERS_OF[cell]:
            line += compare(key, ours, rows.get((peer, *key[1:])), peers[peer.split("_")[0]])
        lines.append(line)
    return f"{TITLES[cell]}, one thread, core seconds\n{_aligned(lines)}"


def compare(key, ours, theirs, version):
    """The three cells of a peer."""
    if not theirs:
        return ["not measured" if version else "not installed", "", ""]
    return [_speed(key, theirs), f"{_seconds(theirs) / _seconds(ours):.2f}x", _memory(theirs)]


def product_speed(key, found):
    """Billions of floating-point operations per core second of the bare product."""
    seconds = statistics.median(row["reference_seconds"] for row in found)
    return f"{2e-9 * key[1] * key[2] * DIM / seconds:.0f}"


def step(key, found) -> str:
    """The line of the training step."""
    ratio = statistics.median(row["seconds"] / row["reference_seconds"] for row in found)
    plain = statistics.median(row["reference_seconds"] for row in found)
    return (
        f"training step of the small VQ-VAE, {key[1]} x {key[2]}: {1e3 * _seconds(found):.1f} core ms, "
        f"without quantiser {1e3 * plain:.1f}: {ratio:.3f}x"
    )


def _seconds(found):
    return statistics.median(row["seconds"] for row in found)


def _speed(key, found):
    return f"{float(f'{key[1] / _seconds(found):.3g}'):,.0f}"


def _memory(found):
    known = [row["extra_mb"] for row in found if row["extra_mb"] is not None]
    return f"{statistics.median(known):,.0f}" if known else "-"


def _aligned(lines):
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines
    )
