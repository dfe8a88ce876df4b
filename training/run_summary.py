"""What a run says on the terminal when it is done."""

import json


def print_metrics(run) -> None:
    """The table of a run's metrics beside the baselines.

    Args:
        run: a `Run` with its `metrics.json`.
    """
    metrics = json.loads((run.directory / "metrics.json").read_text())
    codes = metrics.get("codes", {})
    rows = [(run.config["recipe"], {**codes, **metrics["test"]}), *metrics.get("baselines", {}).items()]
    print("\nheld-out test images                                  mse     bits/image")
    for name, values in rows:
        bits = f"{values['bits_per_image']:10.0f}" if values.get("bits_per_image") is not None else " " * 10
        print(f"{name:<50} {values['mse']:.5f} {bits}")
    others = {**codes, **{k: v for k, v in metrics["test"].items() if k != "mse"}}
    print("  ".join(f"{name} {value:.4g}" for name, value in others.items() if name != "bits_per_image"))
