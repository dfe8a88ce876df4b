"""What a run says on the terminal when it is done."""

import json

from keras_ae.evaluation.report.phrases import cautions, findings


def print_metrics(run) -> None:
    """The table of a run's metrics beside the baselines.

    Args:
        run: a `Run` with its `metrics.json`.
    """
    metrics = json.loads((run.directory / "metrics.json").read_text())
    codes = metrics.get("codes", {})
    rows = [(run.config["recipe"], {**codes, **metrics["test"]}), *metrics.get("baselines", {}).items()]
    if "mse" in metrics["test"]:
        print("\nheld-out test images                                  mse     bits/image")
    else:
        print("\nheld-out test images                                  linear probe")
        rows = [(name, values) for name, values in rows if "probe_accuracy" in values]
    for name, values in rows:
        bits = f"{values['bits_per_image']:10.0f}" if values.get("bits_per_image") is not None else " " * 10
        figure = f"{values['mse']:.5f}" if "mse" in values else f"{values['probe_accuracy']:.4f}"
        print(f"{name:<50} {figure} {bits}".rstrip())
    others = {**codes, **{k: v for k, v in metrics["test"].items() if k != "mse"}}
    print("  ".join(f"{name} {value:.4g}" for name, value in others.items() if name != "bits_per_image"))


def print_embedding(record) -> None:
    """What the report of an embedding found, one sentence a line.

    Args:
        record: an `EmbeddingRecord`.
    """
    print()
    for finding in findings(record.figures):
        print(f"- {finding.text}")
    for caution in cautions(record.figures):
        print(f"! {caution}")
