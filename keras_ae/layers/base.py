"""Base classes and parts of layers: float32 arithmetic, metric names, schedules, quantised parts.

`keras.Model.quantize` quantises each `Dense` and `Embedding`, including those that a layer creates itself.
The configuration of the layer does not contain such a part: after loading, the part would be float, and the
weights in the file would not fit. `QuantizableLayer` restores it.
"""

import re
import weakref
from collections.abc import Callable
from typing import Any, Self

import keras
import tensorflow as tf
from keras import ops

from keras_ae.ops.terms import TAG


class Float32Layer(keras.layers.Layer):
    """Base class of layers whose arithmetic, state and metrics are float32 under every dtype policy.

    A subclass casts its inputs to float32, declares the dtype of its weights, and casts its outputs to
    `compute_dtype`. Masks are passed on.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "autocast": False})
        self.supports_masking = True

    @property
    def variable_dtype(self) -> str:
        """Compute dtype, although the weights are float32.

        Where the two differ, Keras reads every variable in the compute dtype during `call`, despite
        `autocast=False`: metrics would count in half precision, which represents all integers only up to 2048
        (float16) or 256 (bfloat16).
        """
        return self.compute_dtype

    def add_loss(self, loss: Any) -> None:
        # Keras adds the loss to others in `floatx`, and cannot add a float32 to a float64
        if keras.config.floatx() == "float64":
            parts = getattr(loss, TAG, None)
            loss = ops.cast(loss, "float64")
            if parts is not None:
                setattr(loss, TAG, parts)
        return super().add_loss(loss)

    def compute_mask(self, inputs: Any, previous_mask: Any | None) -> Any | None:
        return previous_mask


@keras.saving.register_keras_serializable(package="keras_ae")
class Float32Dense(keras.layers.Dense):
    """`keras.layers.Dense` in float32, which `model.quantize` does not change.

    For maps where rounding changes the result: the codes of a quantiser, the variance of a Gaussian. These
    maps are small compared with the networks around them.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(units, **{**kwargs, "dtype": "float32"})

    def quantize(self, mode: str | None = None, type_check: bool = True, config: Any = None) -> None:
        """Keep the weights in float32, whatever the mode."""


class ScheduledVariable(keras.layers.Layer):
    """Scalar `variable` that follows a schedule, with the saved step counter `step`.

    Args:
        value: float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        positive: whether to refuse a float that is not above 0.
    """

    def __init__(
        self,
        value: float | keras.optimizers.schedules.LearningRateSchedule,
        *,
        positive: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "autocast": False})
        schedule = value if isinstance(value, keras.optimizers.schedules.LearningRateSchedule) else None
        if schedule is None and (not isinstance(value, (int, float)) or (positive and value <= 0)):
            raise ValueError(
                f"{self.name} must be a {'positive ' if positive else ''}number or a "
                f"keras.optimizers.schedules schedule. Received: {self.name}={value!r}"
            )
        self.schedule = schedule
        self.start = float(value) if schedule is None else float(schedule(0))
        self.build(None)

    def build(self, input_shape: tuple[int | None, ...] | None) -> None:
        constant = keras.initializers.Constant(self.start)
        self.variable = self._scalar("value", constant, "float32")
        self.step = self._scalar("step", "zeros", "int32")
        self.built = True

    def _scalar(self, name, initializer, dtype):
        return self.add_weight(
            shape=(),
            initializer=initializer,
            dtype=dtype,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name=name,
        )

    def next(self, advance: bool = True) -> Any:
        """Return the value of this training step; count the step unless `advance` is false."""
        if self.schedule is None or not advance:
            return tf.convert_to_tensor(self.variable.value)  # keras.ops returns a variable unchanged
        value = ops.cast(self.schedule(self.step), "float32")
        self.variable.assign(value)
        self.step.assign_add(1)
        return value

    def get_value_config(self) -> float | dict[str, Any]:
        """Return the constructor's value, serialised."""
        return self.start if self.schedule is None else keras.saving.serialize_keras_object(self.schedule)

    @staticmethod
    def value_from_config(
        config: float | dict[str, Any],
    ) -> float | keras.optimizers.schedules.LearningRateSchedule:
        """Return the value that `get_value_config` serialised."""
        return keras.saving.deserialize_keras_object(config) if isinstance(config, dict) else config


class NamedMetrics:
    """Mixin for layers whose metric names must be distinct within a model.

    Keras logs metrics by name, and of two equal names one is lost. A layer with an explicit name prefixes its
    metrics with it. Among layers without one, the first in the model (in the order of its layers) has
    `usage`, the next `usage_1`, `usage_2`, ...: the numbers depend on the model alone, not on other
    objects of the process, and are the same after saving or cloning.

    A subclass defines `named_metrics` and calls `tell_metrics_apart` in its `call`.
    """

    name: str  # name of the layer
    _get_call_context: Callable[[], Any]

    def named_metrics(self) -> dict:
        """Return `{plain name: metric}` of the existing metrics."""
        return {}

    @property
    def has_automatic_name(self) -> bool:
        """Whether Keras generated the layer's name."""
        automatic = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        return re.fullmatch(rf"{automatic}(_\d+)?", self.name) is not None

    def metric_name(self, name: str) -> str:
        """Return the name of a metric in the logs: with the layer's name or number where needed."""
        if not self.has_automatic_name:
            return f"{self.name}_{name}"
        numbers = vars(self).get("_metric_numbers", {})
        number = numbers.get(name, numbers.get("usage", 0))
        return f"{name}_{number}" if number else name

    def tell_metrics_apart(self) -> None:
        """Rename metrics whose names occur twice in the called model; for use inside `call`."""
        root = getattr(self._get_call_context(), "entry_layer", self)
        known = vars(self).get("_metrics_named_in")
        if root is not self and (known is None or known() is not root):
            tell_metrics_apart(root)
            vars(self)["_metrics_named_in"] = weakref.ref(root)


def tell_metrics_apart(model: keras.Layer) -> None:
    """Give distinct names to the metrics of the layers of `model` that have no explicit name."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, NamedMetrics)]
    layers = [layer for layer in layers if layer.has_automatic_name]
    counts: dict[str, int] = {}
    numbers = []
    for layer in layers:
        names = list(layer.named_metrics())
        numbers.append({name: counts.get(name, 0) for name in names})
        counts.update({name: counts.get(name, 0) + 1 for name in names})
    for layer, own in zip(layers, numbers, strict=True):
        vars(layer)["_metric_numbers"] = own  # not with setattr: Keras would track the dictionary
        for name, metric in layer.named_metrics().items():
            metric.name = layer.metric_name(name)


KEY = "quantized_parts"


def config_of_quantized_parts(owner: keras.Layer) -> dict:
    """Return `{KEY: {place: {"dtype":, "quantization_config":}}}` of the quantised parts; may be empty.

    A place is the path of indices through the parts and their sub-parts: names would differ between objects.
    """
    parts = {place: _quantization(part) for place, part in _leaves(owner) if part.quantization_mode}
    return {KEY: parts} if parts else {}


def quantize_parts(owner: keras.Layer, config: dict) -> None:
    """Quantise the parts of `owner` that `config` lists, as `config_of_quantized_parts` returns it.

    Parts that do not exist yet are quantised by `quantize_missing_parts`, after `owner` is built.
    """
    config, leaves = dict(config), dict(_leaves(owner))
    for place in sorted(set(config) & set(leaves)):
        settings = keras.saving.deserialize_keras_object(config.pop(place))
        part = leaves[place]
        if part.quantization_mode is None:
            part.quantization_config = settings["quantization_config"]
            part.dtype_policy = settings["dtype"]  # a built part is converted
    if config:
        owner._missing_parts = config


def quantize_missing_parts(owner: keras.Layer) -> None:
    """Quantise the parts that did not exist at the time of `quantize_parts`."""
    quantize_parts(owner, owner._missing_parts or {})


class QuantizableLayer(keras.layers.Layer):
    """Base class of layers that save, load and clone the parts that `model.quantize` has quantised."""

    _missing_parts = None  # quantised parts of the configuration that do not exist yet

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **config_of_quantized_parts(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        parts = config.pop(KEY, {})
        layer = super().from_config(config)
        quantize_parts(layer, parts)
        return layer

    def build_from_config(self, config: dict[str, Any]) -> None:
        super().build_from_config(config)
        quantize_missing_parts(self)


def _quantization(part):
    settings = {"dtype": part.dtype_policy, "quantization_config": getattr(part, "quantization_config", None)}
    return keras.saving.serialize_keras_object(settings)


def _leaves(owner, place=""):
    """Yield `(place, layer)` of all layers in `owner` that have no parts of their own."""
    # no public function lists the parts of a layer
    for number, part in enumerate(owner._flatten_layers(include_self=False, recursive=False)):
        here = f"{place}{number}"
        inside = list(_leaves(part, f"{here}/"))
        yield from inside or [(here, part)]
