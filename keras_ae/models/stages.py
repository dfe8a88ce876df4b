"""Stages of a training: which players move, and for how many steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Stage:
    """A part of the training in which some players move and the others stand still.

    A model names its stages by `BaseModel.track_stages`; they follow each other in one `fit`, also in
    several, and in a resumed one.

    Attributes:
        name: what `BaseModel.stage` says while it lasts.
        players: `{name: updates per step}` of the players that move, in the order of their updates.
        steps: training steps it lasts; `None`: to the end, which only the last one may. 0: left out.
    """

    name: str
    players: Mapping[str, int]
    steps: int | None = None


def stage_at(stages, step: int) -> Stage:
    """The stage of training step `step`, counted from 0.

    Example:

    >>> first, second = Stage("first", {"model": 1}, 10), Stage("second", {"model": 1})
    >>> [stage_at((first, second), step).name for step in (0, 9, 10)]
    ['first', 'first', 'second']
    """
    for stage in stages:
        if stage.steps is None or step < stage.steps:
            return stage
        step -= stage.steps
    return stages[-1]


def check_stages(stages, players) -> None:
    """Raise `ValueError` unless exactly the last stage is without end, and all `players` are known."""
    lasts = [stage.steps is None for stage in stages]
    if sum(lasts) != 1 or not lasts[-1] or any((stage.steps or 0) < 0 for stage in stages):
        raise ValueError(
            "Each stage but the last has a number of steps, at least 0, and the last has None. "
            f"Received: {[(stage.name, stage.steps) for stage in stages]}"
        )
    unknown = sorted({name for stage in stages for name in stage.players} - set(players))
    if unknown:
        raise ValueError(f"The players of the model are {sorted(players)}. Received: stages of {unknown}")


class StageSwitch(keras.callbacks.Callback):
    """Rebuilds the training step where the next stage begins; `BaseModel.fit` adds it by itself.

    The saved counter `model.training_step` tells the stage, so that a reloaded or resumed training goes
    on in the right one. With `steps_per_execution` a stage ends with the execution its last step is in.
    """

    def on_train_batch_begin(self, batch, logs=None):
        self.model.make_train_function()


def with_switch(callbacks):
    """The callbacks given to `fit`, with one that switches the stages."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
    return [StageSwitch(), *given]
