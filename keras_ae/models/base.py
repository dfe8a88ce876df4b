"""Base class of the models: training step for one or several players, checks of inputs, saving."""

import inspect
from dataclasses import replace
from typing import Any, Self

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers.base import (
    KEY,
    config_of_quantized_parts,
    quantize_missing_parts,
    quantize_parts,
    tell_metrics_apart,
)
from keras_ae.models._data_checks import (
    FirstBatches,
    check_method_values,
    checked_data,
    counted_lengths,
    is_stream,
    refuse_class_weight,
    target_for_keras,
)
from keras_ae.models._input_rules import InputRules, as_batch, check_structure
from keras_ae.models.exploration import Exploration
from keras_ae.models.preprocessing import Preprocessing, front_end_preprocessing
from keras_ae.models.stages import (
    Player,
    Stage,
    UserMetrics,
    check_stages,
    finite_where_weightless,
    quiet_about_own_layers,
    renewed_optimizer,
    stage_at,
    with_evaluation_draws,
    with_switch,
)
from keras_ae.ops.core import Tensor, num_replicas, sum_over_replicas
from keras_ae.ops.terms import LossTerm, TermMean

# Read at import: tools that log trainings later replace the methods by ones that take *args.
FIT, EVALUATE = inspect.signature(keras.Model.fit), inspect.signature(keras.Model.evaluate)


class BaseModel(Exploration, keras.Model):
    """Base class of models that define their own objective: `compile(optimizer)` and `fit(x)` suffice.

    A subclass implements `compute_terms`, whose entry `"loss"` is minimised, and registers the names of
    its terms with `track_terms` in its constructor. With several players it also overrides `players`, and
    may define stages with `track_stages`. Each term is a metric of that name in the history; `loss` is the
    loss of the first player. Terms of a player that is not updated are 0 in training; evaluation computes
    the terms of all players.

    Every term is a mean over the global batch, computed with `keras_ae.ops.terms.mean_term`, and sums of
    terms are written as usual, `loss = error + beta * kl`. For each term, the history contains
    `sum(values * weights) / sum(weights)` over the whole epoch, independent of the batch size, and `loss`
    is the sum of these. A plain scalar is weighted by the number of examples of its batch. Under
    `tf.distribute` each replica returns its part times the number of replicas; the loss is divided once.

    Args:
        preprocessing: dict or `Preprocessing` that describes how raw data become the inputs of the model.
            It is saved and exported with the model, and checked when an exported artifact is run.
    """

    built: bool
    train_function: Any
    test_function: Any
    _missing_parts = None  # quantised parts of the configuration that do not exist yet

    def __init__(self, *, preprocessing: dict[str, Any] | Preprocessing | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self._declared = Preprocessing.of(preprocessing)
        self._terms: dict[str, TermMean] = {}
        self.stages: tuple[Stage, ...] = ()
        self._stage: Stage | None = None
        self._first_batches = FirstBatches()
        self._metrics_of_user = UserMetrics()

    # Methods for subclasses

    def input_rules(self) -> InputRules:
        """Return the rules for `x` and `y`; unless overridden, any arrays of numbers are accepted."""
        return InputRules()

    def declared_rules(self) -> InputRules:
        """Return `input_rules` with the range of values that `preprocessing` declares."""
        rules = self.input_rules()
        if self._declared is None:
            return rules
        shape = rules.shapes.get(rules.values)
        return replace(rules, value_range=self._declared.range_of(None if shape is None else len(shape)))

    def checked_inputs(self, x: Any) -> Any:
        """Return the batch `x` of a method, with lists and tables as arrays.

        Raises:
            InputError: `x` does not satisfy the rules.
        """
        rules = self.declared_rules()
        x = as_batch(rules, x)
        check_structure(rules, x)
        check_method_values(rules, x)
        return x

    def observe_reconstruction(
        self, target: Tensor, reconstruction: Tensor, weights: Tensor | None = None
    ) -> None:
        """Update the metrics given to `compile` with a reconstruction; for use in `compute_terms`."""
        self._metrics_of_user.update(target, reconstruction, weights)

    def check_batch(self, x: Any, sample_weight: Tensor | None = None) -> None:
        """Raise `InputError` if an eager batch contains nothing to learn from."""
        if isinstance(x, dict) and x.get("x") is not None and x.get("lengths") is not None:
            counted = counted_lengths(x["x"], x["lengths"], sample_weight)
            if counted.size and not counted.any():
                raise InputError(
                    "lengths must be positive for at least one example. "
                    f"Received: only zeros, in {len(counted)} examples of non-zero weight."
                )

    def players(self) -> list[Player]:
        """Return the players in the order of their updates; by default one, with all variables."""
        return [Player("model", lambda: self.trainable_variables)]

    def prepare(self, x: Any, y: Any, training: bool) -> tuple[Any, Any]:
        """Return `(x, y)` for all players of a step, such as frames computed once from waveforms."""
        return x, y

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Any]:
        """Return `{"loss": term, name: term, ...}` of a batch for the player named `player`.

        Each term is a `keras_ae.ops.terms.LossTerm` or a scalar.
        """
        name = type(self).__name__
        raise TypeError(f"{name} must define compute_terms(x, y, sample_weight, training, player)")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the model of `get_config()`; serialised layers, losses and schedules are restored first."""
        parts = config.get(KEY, {})
        settings = {name: _made(value) for name, value in config.items() if name != KEY}
        model = cls(**settings)
        quantize_parts(model, parts)
        return model

    def build_from_config(self, config: dict[str, Any]) -> None:
        super().build_from_config(config)
        quantize_missing_parts(self)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **config_of_quantized_parts(self)}
        if self._declared is None:
            return config
        return {**config, "preprocessing": self._declared.to_dict()}

    vars(get_config)["_is_default"] = True  # Keras generates the config of a subclass without one

    @property
    def preprocessing(self) -> Preprocessing | None:
        """Preprocessing from raw data to inputs: as declared, completed from the model's parts."""
        own = self.own_preprocessing()
        return own if self._declared is None else self._declared.filled_from(own)

    @preprocessing.setter
    def preprocessing(self, value: dict[str, Any] | Preprocessing | None) -> None:
        self._declared = Preprocessing.of(value)

    def own_preprocessing(self) -> Preprocessing | None:
        """Return what the parts of the model determine, such as the sample rate of a front end."""
        return front_end_preprocessing(self)

    def track_terms(self, *names: str) -> None:
        """Create the metrics of the loss terms `names`."""
        for name in names:
            self._terms[name] = TermMean(name=name)

    def track_stages(self, *stages: Stage) -> None:
        """Train in these stages, one after the other; creates the saved counter `training_step`."""
        check_stages(stages, [player.name for player in self.players()])
        self.stages = stages
        self._stage = stage_at(stages, 0)
        self.training_step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name="training_step",
        )

    @property
    def stage(self) -> str | None:
        """Name of the stage of the training; `None` for a model without stages."""
        return None if self._stage is None else self._stage.name

    # Keras' interface

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        *positional: Any,
        metrics: Any = None,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
        steps_per_execution: int = 1,
        **others: Any,
    ) -> None:
        """Set the optimisers; the objective belongs to the model.

        Args:
            optimizer: optimiser of the first player, or of the whole model if it has only one player.
            metrics: names, functions or `keras.metrics.Metric`s of (target, reconstruction), for models that
                reconstruct their input.
            run_eagerly, jit_compile, steps_per_execution: as in Keras.
            **others: `<player>_optimizer` of each further player; by default a fresh copy of `optimizer`.
        """
        further = [player.name for player in self.players()[1:]]
        if positional:
            others = {f"{positional[0]!r} as a positional argument": None, **others}
        if metrics and not self.input_rules().target:  # there is no reconstruction to measure
            others = {"metrics": metrics, **others}
        unknown = sorted(set(others) - {f"{name}_optimizer" for name in further})
        if unknown:
            expected = ", ".join(["optimizer", *(f"{name}_optimizer" for name in further)])
            raise TypeError(
                f"{type(self).__name__} owns its objective: the arguments of compile must be among "
                f"{expected}, run_eagerly, jit_compile, steps_per_execution. "
                f"Received: {', '.join(unknown)}. Choose the loss in the model's constructor."
            )
        self._metrics_of_user.set(metrics, self)
        optimizer = keras.optimizers.get(optimizer)
        for name in further:
            chosen = others.get(f"{name}_optimizer")
            chosen = optimizer.from_config(optimizer.get_config()) if chosen is None else chosen
            setattr(self, f"{name}_optimizer", self._scaled(keras.optimizers.get(chosen)))
        super().compile(
            optimizer=self._scaled(optimizer),
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=False,
        )
        # Bypasses Keras' attribute tracking, because `metrics` already lists the tracker.
        object.__setattr__(self, "_loss_tracker", TermMean(name="loss"))
        self._build_optimizers()

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        self._build_optimizers()  # an optimiser saved without its slots would also be loaded without them
        optimizers = {"optimizer": self.optimizer}
        for player in self.players()[1:]:
            optimizers[f"{player.name}_optimizer"] = self._optimizer_of(player)
        return {
            **{name: keras.saving.serialize_keras_object(value) for name, value in optimizers.items()},
            "run_eagerly": self.run_eagerly,
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
            **self._metrics_of_user.get_config(),
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Save the model, as in Keras.

        Raises:
            InputError: the model is not built, so that it has no weights yet.
        """
        self._check_built()
        return super().save(filepath, *args, **kwargs)

    def export(self, filepath: Any, *args: Any, input_signature: Any = None, **kwargs: Any) -> None:
        """Export the model's call, as in Keras; `keras_ae.export` writes and verifies all endpoints.

        Raises:
            InputError: the model is not built, so that it has no weights yet.
        """
        self._check_built()
        rules = self.input_rules()
        if input_signature is None and rules.shapes[rules.values] is not None:
            input_signature = rules.signature()
        return super().export(filepath, *args, input_signature=input_signature, **kwargs)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Quantise, as in Keras; optimisers keep their state for the variables that are still trained."""
        with quiet_about_own_layers(self):
            super().quantize(*args, **kwargs)
        for player in self.players() if self.compiled else ():
            name = self._optimizer_name(player)
            with self.distribute_strategy.scope():
                setattr(self, name, renewed_optimizer(getattr(self, name), player.variables()))

    def save_own_variables(self, store: Any) -> None:
        self._check_built()
        super().save_own_variables(store)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics of the terms and of the layers, and the metrics given to `compile`."""
        return [*super().metrics, *(self._metrics_of_user.metrics if self.compiled else ())]

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train the model, as in Keras; `y` may be omitted, also with `sample_weight`.

        Raises:
            InputError: `x`, `y`, `sample_weight` or `validation_data` do not satisfy `input_rules`;
                values are not finite, or not in the range of the likelihood.
        """
        given = FIT.bind(self, x, y, *args, **kwargs).arguments
        del given["self"]
        refuse_class_weight(given.get("class_weight"))
        x, y = self._checked_data("train", x, y, given.get("sample_weight"))
        given.update(x=x, y=y)
        if given.get("validation_data") is not None:
            given["validation_data"] = self._checked_validation(given["validation_data"])
        if self.stages:
            given["callbacks"] = with_switch(given.get("callbacks"))
        return super().fit(**given)

    @with_evaluation_draws
    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the model, as in Keras; `y` may be omitted.

        Random numbers, such as those of a sampled `z`, are the same in every evaluation, so that epochs are
        comparable. They do not advance the random generators of the training: `fit` gives the same weights
        with and without validation.

        Raises:
            InputError: as in `fit`.
        """
        given = EVALUATE.bind(self, x, y, *args, **kwargs).arguments
        del given["self"]
        given.update(given.pop("kwargs", {}))
        if not given.get("_use_cached_eval_dataset"):  # `fit` has already checked a cached data set
            x, y = self._checked_data("test", x, y, given.get("sample_weight"))
            given.update(x=x, y=y)
        return super().evaluate(**given)

    @with_evaluation_draws
    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the model on one batch, as in Keras, with the random numbers of `evaluate`."""
        return super().test_on_batch(*args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return predictions for `x`, as in Keras.

        Raises:
            InputError: `x` does not satisfy `input_rules`.
        """
        return super().predict(checked_data(self, x, training=False)[0], *args, **kwargs)

    def _checked_validation(self, data):
        x, y, weight = (data, None, None) if is_stream(data) else keras.utils.unpack_x_y_sample_weight(data)
        x, y = self._checked_data("test", x, y, weight)
        return x if is_stream(x) else (x, y, weight)

    def _checked_data(self, mode, x, y, sample_weight):
        """Return checked `(x, y)` for Keras; the batches of a stream are checked at their first use."""
        x, y = checked_data(self, x, y, sample_weight)
        self._first_batches.expect(mode, is_stream(x))
        return x, target_for_keras(x, y, sample_weight)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._build_on(x)
        x, y = finite_where_weightless((x, y), sample_weight)
        prepared = self.prepare(x, y, training=True)
        for player, updates in self._moves():
            for _ in range(updates):
                self._record(self._update(player, *prepared, sample_weight), x, player)
        if self.stages and self.trainable:
            self.training_step.assign_add(1)
        return self._step_logs()

    def make_train_function(self, force: bool = False) -> None:
        """Build the training function, as in Keras; it is rebuilt when a new stage has begun."""
        if self.stages:
            # TensorFlow's function: the one of keras.ops returns a mirrored variable unchanged.
            step = int(tf.convert_to_tensor(self.training_step.value))
            before, self._stage = self._stage, stage_at(self.stages, step)
            force = force or before != self._stage
        function = self.train_function
        super().make_train_function(force=force)
        if self.train_function is not function:
            self.train_function = self._first_batches.guard(self.train_function, self, "train")

    def make_test_function(self, force: bool = False) -> None:
        """Build the test function, as in Keras, with the check of the first batches."""
        function = self.test_function
        super().make_test_function(force=force)
        if self.test_function is not function:
            self.test_function = self._first_batches.guard(self.test_function, self, "test")

    def test_step(self, data: Any) -> dict[str, Tensor]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._build_on(x)
        x, y = finite_where_weightless((x, y), sample_weight)
        prepared = self.prepare(x, y, training=False)
        for player in self.players():
            terms = self.compute_terms(*prepared, sample_weight, training=False, player=player.name)
            self._record(terms, x, player)
        return self._step_logs()

    # Parts of the training step

    def _moves(self):
        """Return `(player, number of updates)` of each player of the training step, in order."""
        players = self.players()
        if not self.stages:
            return [(player, player.updates) for player in players]
        by_name = {player.name: player for player in players}
        return [(by_name[name], updates) for name, updates in self._stage.players.items()]

    def _step_logs(self):
        tell_metrics_apart(self)
        logs = self.get_metrics_result()
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Keras reduces the logs of several workers over axis 0 (keras#20585).
            return {name: ops.reshape(value, (1,)) for name, value in logs.items()}
        return logs

    def _update(self, player, x, y, sample_weight):
        optimizer, variables = self._optimizer_of(player), player.variables()
        with tf.GradientTape() as tape:
            terms = self.compute_terms(x, y, sample_weight, training=True, player=player.name)
            loss = optimizer.scale_loss(LossTerm.of(terms["loss"]).value / num_replicas())
        if variables:
            gradients = [_dense(gradient) for gradient in tape.gradient(loss, variables)]
            optimizer.apply(gradients, variables)
        return terms

    def _record(self, terms, x, player):
        if player.name != self.players()[0].name:  # `loss` is what the first player minimises
            terms = {name: value for name, value in terms.items() if name != "loss"}
        examples = ops.shape(next(leaf for leaf in keras.tree.flatten(x) if leaf is not None))[0]
        examples = sum_over_replicas(ops.cast(examples, "float32"))
        for name, term in terms.items():
            tracker = self._loss_tracker if name == "loss" else self._terms[name]
            tracker.update_state(term, sample_weight=examples)

    def _optimizer_of(self, player):
        return getattr(self, self._optimizer_name(player))

    def _optimizer_name(self, player):
        return "optimizer" if player.name == self.players()[0].name else f"{player.name}_optimizer"

    def _scaled(self, optimizer):
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not scaled:
            return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        return optimizer

    def _build_optimizers(self):
        # inside compile: a model that is loaded finds all slots, and a replica creates no variable in a step
        if self.built and self.compiled:
            for player in self.players():
                optimizer = self._optimizer_of(player)
                if not optimizer.built:
                    optimizer.build(player.variables())

    def _check_built(self):
        if not self.built:
            raise InputError(
                "A model must be built before it is saved or exported. Received: "
                f"{type(self).__name__} with parts that were never called and have no weights. "
                "Call the model on a batch first."
            )

    def _build_on(self, x):
        if not self.built:
            with tf.init_scope():
                self.build(keras.tree.map_structure(lambda leaf: (None, *leaf.shape[1:]), x))
                self._build_optimizers()


def _made(value):
    """Return the object of a serialised one, also within a list; any other value unchanged."""
    if isinstance(value, list):
        return [_made(item) for item in value]
    serialized = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if serialized else value


def _dense(gradient):
    """Return the gradient of an embedding as one dense tensor.

    Keras' Adam adds the square of each slice to its second moment, not the square of their sum: a row
    that is looked up n times in a batch would move up to sqrt(n) times too far, and replicas would differ.
    """
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
