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
    plain, names = [], []
    for number, (callback, given) in enumerate(callbacks):
        now = plain_state(callback)
        names.append(type(callback).__name__)
        plain.append({name: value for name, value in now.items() if given.get(name) != value})
        for name, weights in array_state(callback).items():
            arrays.update({f"callback/{number}/{name}/{i}": array for i, array in enumerate(weights)})
    state = {**state, "callbacks": plain, "callback_names": names}
    arrays["state"] = np.frombuffer(json.dumps(state).encode(), "uint8")
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
        """Set the plain attributes and arrays of each callback that had any.

        Callbacks are matched by class, those of older checkpoints, which contain no classes, by their
        attributes: a version may have added callbacks.

        Raises:
            InputError: there is no callback for a saved state.
        """
        saved = self.state["callbacks"]
        names = self.state.get("callback_names")
        if names is None and len(saved) == len(callbacks):
            names = [type(callback).__name__ for callback in callbacks]
        remaining = list(callbacks)
        for number, values in enumerate(saved):
            state, name = {**values, **self._arrays_of_callback(number)}, names and names[number]
            found = next((one for one in remaining if _fits(one, state, name)), None)
            if found is None and state:
                raise InputError(
                    f"The checkpoint contains {', '.join(state)} of {name or 'a callback'}, which this "
                    "version does not use: was the run made by another version? Continue it with that "
                    "version, or start a new run from its weights with --init-from."
                )
            if found is not None and (state or name):
                remaining.remove(found)
                vars(found).update(state)

    def _arrays_of_callback(self, number):
        """Return `{attribute: arrays}` of a saved callback."""
        found = {}
        for key, array in self.arrays.items():  # in the order of the arrays
            if key.startswith(f"callback/{number}/"):
                found.setdefault(key.split("/")[2], []).append(array)
        return found

    def _count(self):
        return sum(name.startswith("variable/") for name in self.arrays)


def _fits(callback, state, name):
    """Return whether a saved state may be that of the callback; `name`: class of the saved one, if known."""
    return set(state) <= set(vars(callback)) if name is None else type(callback).__name__ == name


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, (bool, int, float, str))
