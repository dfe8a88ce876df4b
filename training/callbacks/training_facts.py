"""Callback that records what a training took: parameters, duration, machine, and its learning rates."""

import json
import math
import os
import platform
import time
from pathlib import Path

import keras
import tensorflow as tf

from keras_ae.files import write_atomically

FILE = "training.json"  # in a run directory


class TrainingFacts(keras.callbacks.Callback):
    """Callback that writes the facts of a training to a file after each epoch.

    The file contains the numbers of parameters, the duration in seconds and the machine. If it exists when
    the training begins, that of a training that is continued, its duration is added. The callback also
    adds `learning_rate` to the logs of each epoch, and `<player>_learning_rate` for each further player:
    put it before callbacks that write the logs.

    Args:
        path: the JSON file, replaced as a whole each time.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="encoder")])
    >>> parameters_of(model)
    {'total': 8, 'trainable': 8, 'encoder': 8}
    """

    # attributes without an underscore would be saved in the checkpoint of a run

    def __init__(self, path: str | Path):
        super().__init__()
        self._path = Path(path)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._earlier, self._began = _seconds_of(self._path), time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        facts = {
            "parameters": parameters_of(self.model),
            "seconds": round(self._earlier + time.monotonic() - self._began, 1),
            "machine": machine(),
        }
        write_atomically(self._path, json.dumps(facts, indent=2) + "\n")
        if logs is not None:
            logs.update(learning_rates(self.model))


def parameters_of(model: keras.Model) -> dict[str, int]:
    """Return the numbers of parameters: `total`, `trainable`, and of each part that has parameters."""
    parts = {layer.name: layer.count_params() for layer in model.layers if layer.built and layer.weights}
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_weights)
    return {"total": model.count_params(), "trainable": trainable, **parts}


def learning_rates(model: keras.Model) -> dict[str, float]:
    """Return the learning rate of each optimiser of a model, as it is at this step of its schedule."""
    optimizers = {"learning_rate": model.optimizer}
    for player in model.players()[1:] if hasattr(model, "players") else ():
        optimizers[f"{player.name}_learning_rate"] = getattr(model, f"{player.name}_optimizer")
    return {name: float(one.learning_rate) for name, one in optimizers.items() if one is not None}


def machine() -> dict[str, object]:
    """Return the system, the number of processor cores that this process may use, and the GPUs."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(usable),
        "gpus": [str(gpu.get("device_name", "GPU")) for gpu in gpus],
    }


def _seconds_of(path):
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0  # there is no earlier training, or its file is damaged
