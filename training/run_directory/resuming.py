"""Resumption of a run: its settings, and messages on its state."""

import dataclasses
from collections.abc import Collection
from typing import Any

from keras_ae.errors import InputError
from keras_ae.training.run_directory.base_model import FOLDER
from keras_ae.training.run_directory.checkpoint import saved_state

FREE = ("data", "epochs")  # settings that may change when a run is resumed


def resumed_recipe(run: Any, recipe: Any, given: Collection[str] | None = None) -> Any:
    """Return the recipe of a run, with a new location of its data and more epochs, if given.

    Args:
        run: a `Run`.
        recipe: the requested recipe.
        given: names of the settings that the user gave; `None`: those that differ from the defaults.

    Raises:
        InputError: the recipe or other settings differ, or there are fewer epochs.
    """
    saved = run.recipe()
    if saved.name != recipe.name:
        raise InputError(f"The recipe must be {saved.name}, that of {run.directory}. Received: {recipe.name}")
    if given is None:
        fresh = type(recipe)().settings()
        given = [name for name, value in recipe.settings().items() if value != fresh[name]]
    values = {name: value for name, value in recipe.settings().items() if name in given}
    changed = {name: value for name, value in values.items() if value != getattr(saved, name)}
    if refused := [f"--{name.replace('_', '-')}" for name in changed if name not in FREE]:
        raise InputError(
            f"A resumed run must keep its settings: leave out {', '.join(refused)}, or start a new run "
            f"from its weights with --init-from {run.directory}."
        )
    if changed.get("epochs", saved.epochs) < saved.epochs:
        raise InputError(
            f"--epochs must be at least {saved.epochs}, those of {run.directory}, when it is resumed. "
            f"Received: {recipe.epochs}"
        )
    return dataclasses.replace(saved, **changed)


def resume_command(run: Any) -> str:
    """Return the command that continues a run."""
    return f"keras-ae train --resume {run.directory}"


def unfinished(run: Any) -> str:
    """Explain why a run has no model, and what to do."""
    return (
        f"{run.directory} has no best model yet: its training has not progressed far enough. "
        f"Finish it with: {resume_command(run)}"
    )


def stopped(run: Any, epochs: int) -> str:
    """Describe what a training stopped by the user has kept, and how to continue it."""
    done = _epoch_of_checkpoint(run)
    if done is None and (run.directory / FOLDER / "checkpoint.npz").is_file():
        kept = "in the training of the model that the run builds on. The checkpoint of that training is kept"
        return f"stopped {kept}. Continue with: {resume_command(run)}"
    if done is None:
        return f"stopped before the first checkpoint. Start again with: {resume_command(run)}"
    if done >= run.last_epoch(epochs):
        return f"stopped after the training, which is kept. Measure its model with: {resume_command(run)}"
    kept = f"The checkpoint in epoch {done + 1} of {epochs} is kept"
    return f"stopped. {kept}. Continue with: {resume_command(run)}"


def _epoch_of_checkpoint(run):
    """Return the number of complete epochs in the checkpoint; `None` without a checkpoint."""
    path = run.directory / "checkpoint.npz"
    return saved_state(path)["epoch"] if path.is_file() else None
