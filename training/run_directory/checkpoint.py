"""Checkpoint of the complete state of a training in one file."""

import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import write_atomically


def training_variables(model: keras.Model) -> list[keras.Variable]:
    """Return weights, layer state, seeds, counters, optimisers with loss scales, and running metrics."""
    found = list(model.variables)
    for metric in model.metrics:
        found.extend(metric.variables)
    for name in dir(type(model)) + list(vars(model)):
        if name.endswith("optimizer") and isinstance(getattr(model, name), keras.optimizers.Optimizer):
            found.extend(getattr(model, name).variables)
    unique = {id(variable): variable for variable in found}
    return list(unique.values())


def save_checkpoint(
    path: str | Path, model: keras.Model, state: dict, callbacks: list | tuple | zip = ()
) -> None:
    """Write the training's variables, `state` and the callbacks to `path` atomically.

    Args:
        path: the file.
        model: a compiled model.
        state: further state, serialisable as JSON.
        callbacks: pairs of a callback and its `plain_state` before training; only
            differences from it are saved.
    """
    arrays: dict[str, Any] = {f"variable/{i}": np.asarray(v) for i, v in enumerate(training_variables(model))}
    plain = []
    for number, (callback, given) in enumerate(callbacks):
        now = plain_state(callback)
        plain.append({name: value for name, value in now.items() if given.get(name) != value})
        for name, weights in array_state(callback).items():
            arrays.update({f"callback/{number}/{name}/{i}": array for i, array in enumerate(weights)})
    arrays["state"] = np.frombuffer(json.dumps({**state, "callbacks": plain}).encode(), "uint8")
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def plain_state(callback: keras.callbacks.Callback) -> dict:
    """Return the public attributes of a callback that are numbers, strings, or lists of them."""
    state = {name: v.item() if isinstance(v, np.generic) else v for name, v in vars(callback).items()}
    return {name: value for name, value in state.items() if name[0] != "_" and _is_plain(value)}


def array_state(callback: keras.callbacks.Callback) -> dict[str, list[np.ndarray]]:
    """Return the public attributes of a callback that are lists of arrays, such as best weights."""
    return {
        name: value
        for name, value in vars(callback).items()
        if name[0] != "_" and isinstance(value, list) and value and isinstance(value[0], np.ndarray)
    }


def saved_state(path: str | Path) -> dict:
    """Return the `state` of a checkpoint, without its arrays.

    Raises:
        InputError: the checkpoint is damaged.
    """
    try:
        with np.load(path) as file:
            return json.loads(file["state"].tobytes())
    except Exception as error:
        raise InputError(f"{path} is not a readable checkpoint ({error}).") from error


class Checkpoint:
    """Loaded checkpoint, with its `state`, that restores a model and callbacks.

    Args:
        path: file written by `save_checkpoint`.

    Raises:
        InputError: the file does not exist or is damaged.
    """

    def __init__(self, path: str | Path):
        try:
            with np.load(path) as file:
                self.arrays = {name: file[name] for name in file.files}
            self.state = json.loads(self.arrays.pop("state").tobytes())
        except FileNotFoundError:
            raise InputError(
                f"{path} does not exist: this run was stopped before its first checkpoint."
            ) from None
        except Exception as error:
            raise InputError(f"{path} is not a readable checkpoint ({error}).") from error

    def restore_model(self, model: keras.Model) -> None:
        """Assign every variable of the training."""
        variables = training_variables(model)
        saved = [self.arrays[f"variable/{i}"] for i in range(self._count())]
        if [v.shape for v in saved] != [tuple(v.shape) for v in variables]:
            raise InputError(
                f"The checkpoint contains {len(saved)} variables that do not fit the model's "
                f"{len(variables)}: was the run made by another version?"
            )
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)

    def restore_callbacks(self, callbacks: list[keras.callbacks.Callback]) -> None:
        """Set the plain attributes and arrays of each callback."""
        for number, (callback, values) in enumerate(zip(callbacks, self.state["callbacks"], strict=True)):
            vars(callback).update(values)
            for name in {key.split("/")[2] for key in self.arrays if key.startswith(f"callback/{number}/")}:
                count = sum(key.startswith(f"callback/{number}/{name}/") for key in self.arrays)
                arrays = [self.arrays[f"callback/{number}/{name}/{i}"] for i in range(count)]
                setattr(callback, name, arrays)

    def _count(self):
        return sum(name.startswith("variable/") for name in self.arrays)


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, (bool, int, float, str))
