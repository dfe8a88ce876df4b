"""The records of the codebook-learning benchmark, from its rows."""

import statistics

TOY_NOTE = (
    "512 codes, 300 batches of 4,096 of 65,536 vectors in 64 dimensions; 16,384 held-out vectors; each seed "
    "draws its own data"
)
MNIST_NOTE = (
    "58,000 training images (2,000 of them for validation), one epoch of 437 batches of 128, one small "
    "convolutional VQ-VAE, 49 codes an image; scores, usage too, on the 10,000 test images"
)
NOT_BLIND = (
    "not a blind test: the defaults (samples of the k-means start, growing window of the running means) were "
    "chosen while validation and test errors of this task with 512 and 2,048 codes were in sight"
)
TOY_ROWS = {
    "vq": ("vq.defaults", "default arguments, which were chosen on these three data seeds"),
    "vqp_best": ("vqp.best.toy", "k-means start and code revival, the best of its settings on these scores"),
    "defaults": ("vqp.defaults.toy", "its defaults with decay 0.99"),
    "faiss": ("faiss.kmeans.toy", "k-means of all 65,536 training vectors"),
}
TOY_GOALS = {"vq": {"usage": ">= 0.99", "mse": "<= 0.19"}}


def toy_records(rows, versions, *, command, minutes) -> dict:
    """Error over variance, usage and perplexity of the codebooks learnt on the toy vectors.

    Args:
        rows: `{row: [scores of each seed]}`; of the settings of vector-quantize-pytorch
            with a k-means start, the one with the least mean error is recorded.
        versions: `{"faiss": name and version or None, "vqp": ...}`.
        command, minutes: of the whole run.
    """
    starts = [label for label in rows if label.startswith("start_")]
    if starts:
        best = min(starts, key=lambda label: statistics.fmean(row["mse"] for row in rows[label]))
        rows = {**rows, "vqp_best": rows[best]}
    records = {}
    for label, (name, what) in TOY_ROWS.items():
        version = {"vq": None, "faiss": versions["faiss"]}.get(label, versions["vqp"])
        what = f"{what} ({best})" if label == "vqp_best" and starts else what
        note = "; ".join(filter(None, [version, what, TOY_NOTE]))
        goals = TOY_GOALS.get(label, {})
        scores = {"mse": "mse", "usage": "usage", "perplexity": "perplexity"}
        if label in rows:
            records |= _columns(name, rows[label], scores, goals, note, command, minutes)
    return records


def mnist_records(rows, versions, *, command, minutes) -> dict:
    """Test error, usage and perplexity of the small VQ-VAE with each codebook size.

    Args:
        rows: `{codes: {"vq": [scores of each seed], "vqp": ..., "settings": those of the peer}}`.
        versions, command, minutes: as in `toy_records`.
    """
    scores = {"mse": "test_mse", "usage": "usage", "perplexity": "perplexity"}
    records = {}
    for codes, found in rows.items():
        goals = {"usage": ">= 0.95"}
        if "vqp" in found:
            note = (
                f"{versions['vqp']} with {_words(found['settings'])}, chosen on the validation images, first "
                f"seed; its search replaced by an equal, faster one; {MNIST_NOTE}"
            )
            records |= _columns(f"vqp.mnist.k{codes}", found["vqp"], scores, {}, note, command, minutes)
            goals["mse"] = f"< {records[f'vqp.mnist.k{codes}.mse']['mean']:.4g}"
        if "vq" in found:
            note = f"default arguments; {NOT_BLIND}; {MNIST_NOTE}"
            records |= _columns(f"vq.mnist.k{codes}", found["vq"], scores, goals, note, command, minutes)
    return records


def _columns(name, found, scores, goals, note, command, minutes):
    return {
        f"{name}.{column}": {
            "mean": _rounded(statistics.fmean(row[score] for row in found)),
            "sd": _rounded(statistics.stdev(row[score] for row in found)) if len(found) > 1 else 0.0,
            "n": len(found),
            "goal": goals.get(column, ""),
            "command": command,
            "minutes": round(minutes, 1),
            "note": note,
        }
        for column, score in scores.items()
    }


def _words(settings):
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def _rounded(value):
    return float(f"{value:.4g}")
