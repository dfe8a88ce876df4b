"""Stages and players of a training, random numbers of an evaluation, and losses and metrics of the user."""

import collections
import contextlib
import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.ops.core import Tensor, finite_padding, is_recording


@dataclass(frozen=True)
class Stage:
    """Part of the training in which some players are updated and the others are fixed.

    A model defines its stages with `BaseModel.track_stages`. They follow each other within one `fit`,
    across several calls of `fit`, and in a resumed training.

    Attributes:
        name: value of `BaseModel.stage` during the stage.
        players: `{name: updates per step}` of the players that are updated, in the order of their updates.
        steps: length in training steps; 0: the stage is skipped; `None`: until the end, allowed only for
            the last stage.
    """

    name: str
    players: Mapping[str, int]
    steps: int | None = None


def stage_at(stages: Sequence[Stage], step: int) -> Stage:
    """Return the stage of training step `step`, counted from 0.

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


def check_stages(stages: Sequence[Stage], players: Sequence[str]) -> None:
    """Raise `ValueError` unless the stages end, except for the last one, and name known `players`."""
    lasts = [stage.steps is None for stage in stages]
    if sum(lasts) != 1 or not lasts[-1] or any((stage.steps or 0) < 0 for stage in stages):
        raise ValueError(
            "Each stage but the last must have a number of steps of at least 0, and the last must have None. "
            f"Received: {[(stage.name, stage.steps) for stage in stages]}"
        )
    unknown = sorted({name for stage in stages for name in stage.players} - set(players))
    if unknown:
        raise ValueError(f"The players of stages must be among {sorted(players)}. Received: {unknown}")


class StageSwitch(keras.callbacks.Callback):
    """Callback that rebuilds the training step when the next stage begins; `BaseModel.fit` adds it.

    The saved counter `model.training_step` determines the stage, so that a reloaded or resumed training
    continues in the right one. With `steps_per_execution`, a stage ends with the execution that contains
    its last step.
    """

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.make_train_function()


def with_switch(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return the callbacks given to `fit`, with a `StageSwitch` in front."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
    return [StageSwitch(), *given]


@dataclass(frozen=True)
class Player:
    """Set of variables that are trained on a loss of their own.

    Attributes:
        name: name of the player; `compile(<name>_optimizer=...)` sets its optimiser, for the first player
            of a model `compile(optimizer=...)`.
        variables: function that returns the variables to train.
        updates: number of updates in one training step of a model without stages.
    """

    name: str
    variables: Callable[[], list]
    updates: int = 1


class UserMetrics:
    """Metrics of (target, reconstruction) given to `compile(metrics=...)`; empty by default.

    They are not attributes of the model, so that Keras does not track them as its state.
    """

    def __init__(self):
        self.metrics = []

    def set(self, metrics: Any, model: keras.Model) -> None:
        """Set the metrics given to `compile`.

        Raises:
            ValueError: two metrics have the same name, or one has the name of a term.
        """
        given = metrics if isinstance(metrics, (list, tuple)) else [] if metrics is None else [metrics]
        self.metrics = []
        own = {"loss", *(metric.name for metric in model.metrics)}
        self.metrics = [_metric(one) for one in given]
        names = [metric.name for metric in self.metrics]
        taken = sorted({name for name in names if names.count(name) > 1 or name in own})
        if self.metrics and taken:
            self.metrics = []
            raise ValueError(f"metrics must have distinct names. Received: {', '.join(taken)} twice.")

    def update(self, target: Tensor, reconstruction: Tensor, weights: Tensor | None) -> None:
        """Update the metrics with the reconstructions of a batch; `weights` `(batch, ...)` or `None`."""
        if self.metrics and is_recording():
            target, reconstruction = (ops.cast(part, "float32") for part in (target, reconstruction))
            weights = None if weights is None else ops.cast(weights, "float32")
            for metric in self.metrics:
                metric.update_state(target, reconstruction, sample_weight=weights)

    def get_config(self) -> dict[str, Any]:
        """Return the argument `metrics` of `compile`, serialised; empty without metrics."""
        if not self.metrics:
            return {}
        return {"metrics": [keras.saving.serialize_keras_object(metric) for metric in self.metrics]}


def _metric(given):
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.Metric):
        return found
    return keras.metrics.MeanMetricWrapper(found, name=getattr(found, "__name__", "metric"))


def reconstruction_losses(
    loss: str | keras.losses.Loss | Callable[[Tensor, Tensor], Tensor], target: Tensor, reconstruction: Tensor
) -> Tensor:
    """Return a reconstruction loss before its mean over examples: `(batch, ...)`, float32.

    Args:
        loss: name of a Keras loss, a `keras.losses.Loss`, or a function `f(x, x_hat)`.
        target, reconstruction: tensors of equal shape.
    """
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss
    return function(ops.cast(target, "float32"), ops.cast(reconstruction, "float32"))


def check_loss(
    loss: str | keras.losses.Loss | Callable[[Tensor, Tensor], Tensor], sample_shape: tuple[int | None, ...]
) -> None:
    """Raise `InputError` unless a reconstruction loss returns one value for each example or element.

    Args:
        loss: as in `reconstruction_losses`.
        sample_shape: shape of the target and of the reconstruction of one example.
    """
    # Traced by tf.function: the user's loss may use TensorFlow operations, which reject a KerasTensor.
    example = tf.TensorSpec((None, *sample_shape), tf.float32)
    trace = tf.function(functools.partial(reconstruction_losses, loss), autograph=False)
    losses = trace.get_concrete_function(example, example).structured_outputs
    if losses.shape.rank is None:
        return
    shape = tuple(losses.shape)
    if not shape or shape[0] is not None:
        raise InputError(
            "reconstruction_loss must return a loss for each example or element, of the shape (batch,) or "
            f"(batch, ...). Received: shape {shape}. Leave the mean over the batch to the model."
        )


def check_reconstruction(shape: tuple[int | None, ...], sample_shape: tuple[int | None, ...]) -> None:
    """Raise `InputError` unless a decoder's output `shape` fits inputs of `sample_shape`."""
    expected, got = (None, *sample_shape), tuple(shape)
    same = len(expected) == len(got) and all(
        a in (b, None) or b is None for a, b in zip(expected, got, strict=True)
    )
    if not same:
        raise InputError(
            f"The decoder's output must have the shape of the input, {expected}. Received: {got}. "
            "Change the decoder, or crop or pad the input so that both agree."
        )


def finite_where_weightless(inputs: Any, sample_weight: Tensor | None) -> Any:
    """Return `inputs` with zeros for NaN and infinity in examples of weight 0.

    They would otherwise reach the gradients of the networks.
    """
    if sample_weight is None:
        return inputs
    weights = ops.reshape(sample_weight, (-1,))

    def finite(leaf):
        floats = hasattr(leaf, "dtype") and keras.backend.is_float_dtype(leaf.dtype)
        return finite_padding(leaf, weights) if floats else leaf

    return keras.tree.map_structure(finite, inputs)


def renewed_optimizer(
    optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Return a copy of `optimizer` for `variables` only, with their state.

    Quantised kernels are no longer trained. If the file of a model contained their state, the loaded
    optimiser, which is built on the trained variables, would reject the whole state.
    """
    if not optimizer.built:
        return optimizer
    renewed = optimizer.from_config(optimizer.get_config())
    renewed.build(variables)
    known = {variable.path: variable for variable in optimizer.variables}
    numbers = collections.Counter(variable.path for variable in optimizer.variables)
    for variable in renewed.variables:
        if numbers[variable.path] == 1 and known[variable.path].shape == variable.shape:
            variable.assign(known[variable.path].value)
    return renewed


@contextlib.contextmanager
def quiet_about_own_layers(model: keras.Model) -> Iterator[None]:
    """Suppress Keras' warning for each layer of this package that has nothing to quantise."""
    own = {type(part).__name__ for part in model._flatten_layers() if _is_own(part)}
    with warnings.catch_warnings():
        for name in own:
            warnings.filterwarnings("ignore", rf"Layer {re.escape(name)} does not have a `quantize` method")
        yield


def _is_own(part):
    return type(part).__module__.startswith("keras_ae.")


# Counts of draws from which these sequences start. Those of the training start at 0 and do not come this far.
OF_EVALUATION, OF_METHODS = 2**30, 2**30 + 2**29


@contextlib.contextmanager
def evaluation_draws(model: keras.Model) -> Iterator[None]:
    """Give the random generators of a model the draws of an evaluation; afterwards restore their states.

    The evaluation does not change the draws of the training, also after an exception. A generator with the
    seed `s` has the state `(s, number of draws)`. Each evaluation starts at `(s, OF_EVALUATION)`: it uses
    the same random numbers as every other one, and others than the training.

    The generators are the `keras.random.SeedGenerator`s of the model and of all layers in it, including
    those of the user. Generators that a layer creates during the evaluation, when it is built, start the
    training at 0 draws.
    """
    generators = _generators(model)
    before = [np.asarray(generator.state).tolist() for generator in generators]
    try:
        for generator, (seed, _) in zip(generators, before, strict=True):
            generator.state.assign([seed, OF_EVALUATION])
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.state.assign(state)
        known = {id(generator) for generator in generators}
        for generator in _generators(model):
            if id(generator) not in known:
                generator.state.assign([np.asarray(generator.state).tolist()[0], 0])


def _generators(model):
    return [generator for layer in model._flatten_layers() for generator in layer._seed_generators]


def with_evaluation_draws(method: Callable) -> Callable:
    """Decorate a method of a model that evaluates it, see `evaluation_draws`."""

    @functools.wraps(method)
    def evaluated(self: keras.Model, *args: Any, **kwargs: Any) -> Any:
        with evaluation_draws(self):
            return method(self, *args, **kwargs)

    return evaluated


class MethodDraws(keras.random.SeedGenerator):
    """Generator for methods of a model that draw outside of the training, such as `sample`.

    A callback may call these methods without changing the training: they count their draws here, and use
    only the seed of `generator`. Keras tracks and saves generators that are attributes of a model; this one
    is no part of its state, so store it in `model.__dict__`.

    Args:
        generator: `keras.random.SeedGenerator` of the training.
    """

    def __init__(self, generator: keras.random.SeedGenerator):
        super().__init__(0, name="method_draws")  # an automatic name would renumber those of layers
        self.generator = generator
        self.state.assign([0, OF_METHODS])

    def next(self, ordered: bool = True) -> Any:
        """Return `(seed, number of draws)`; count the draw."""
        return super().next(ordered) + self.generator.state.value * [1, 0]
