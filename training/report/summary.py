"""Summary of a finished run on the terminal."""

import json
from typing import Any

from keras_ae.evaluation.attempts import LOG
from keras_ae.evaluation.report.page.findings import cautions, findings
from keras_ae.pages.glossary import run_label
from keras_ae.training.report._verdict import verdicts
from keras_ae.training.report.transfer import transfer_text

HEADLINES = {
    "mse": "mse",
    "probe_accuracy": run_label("probe_accuracy"),
    "gain": "gain, nats",
}  # the first measured key is the main column of the table


def print_metrics(run: Any) -> None:
    """Print the table of a run's metrics and the baselines.

    Args:
        run: a `Run` with its `metrics.json`.
    """
    metrics, recipe = json.loads((run.directory / "metrics.json").read_text()), run.recipe()
    codes = metrics.get("codes", {})
    rows = [(recipe.name, {**codes, **metrics["test"]}), *metrics.get("baselines", {}).items()]
    if metrics["test"]:
        _print_table(recipe, metrics, codes, rows)
    for verdict in verdicts(metrics, recipe.settings()):
        print(f"! {verdict}")
    if "transfer" in metrics:
        print(f"\n{transfer_text(metrics['transfer'])}")
    for name, reason in metrics.get("left_out", {}).items():
        print(f"! {name} was left out: {reason}")
    print_failed(metrics.get("failed", {}), run.directory / LOG)


def failed_measurements(run: Any) -> dict[str, str]:
    """Return `{measurement: reason}` of the measurements that failed after training; the model is kept."""
    return json.loads((run.directory / "metrics.json").read_text()).get("failed", {})


def print_failed(failed: dict[str, str], log: Any) -> None:
    """Print one line for each measurement that failed.

    Args:
        failed: `{measurement: reason}`.
        log: file of the tracebacks.
    """
    for name, reason in failed.items():
        print(f"! {name} could not be measured: {reason} (traceback: {log})")


def _print_table(recipe, metrics, codes, rows):
    headline = next(name for name in (*HEADLINES, *metrics["test"]) if name in metrics["test"])
    rows = [(name, values) for name, values in rows if headline in values]
    lengths = any(values.get("bits_per_image") is not None for _, values in rows)
    heads = f"{HEADLINES.get(headline, run_label(headline)):<14} {'bits/image' if lengths else ''}".rstrip()
    print(f"\n{f'held-out test {recipe.examples}':<50} {heads}")
    for name, values in rows:
        bits = f"{values['bits_per_image']:10.0f}" if values.get("bits_per_image") is not None else ""
        text = f"{values[headline]:.{5 if headline == 'mse' else 4}f}"
        print(f"{name:<50} {text:<14}{bits}".rstrip())
    others = {**codes, **{name: value for name, value in metrics["test"].items() if name != headline}}
    print("  ".join(f"{name} {value:.4g}" for name, value in others.items() if name != "bits_per_image"))


def print_embedding(record: Any) -> None:
    """Print the results of the report of an embedding, one sentence per line.

    Args:
        record: an `EmbeddingRecord`.
    """
    print()
    for finding in findings(record.results):
        print(f"- {finding.text}")
    for caution in cautions(record.results):
        print(f"! {caution}")
