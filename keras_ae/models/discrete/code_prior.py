"""Autoregressive prior over the codes of a discrete model, for generation."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import check_integers, integers_in
from keras_ae.models._data_checks import checked_array
from keras_ae.models._input_rules import InputRules
from keras_ae.models.base import BaseModel
from keras_ae.models.discrete._code_network import CodeNetwork
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import Tensor, argmax
from keras_ae.ops.terms import mean_term, scalars, take_losses

SAMPLED_AT_ONCE = 256  # examples per batch; bounds the memory of the keys and values


@keras.saving.register_keras_serializable(package="keras_ae")
class CodePrior(BaseModel):
    """Causal transformer over a grid of codes: `p(codes) = prod_i p(code_i | earlier codes)`.

    ```
    loss = -mean_i log p(code_i | code_1 ... code_(i-1) [, label] [, condition]),   nats per code
    ```

    The codes are processed in memory order: row by row, and at each position all its heads, levels or
    bits. The label precedes the first code, and so does a condition, another grid of codes. Every code is
    conditioned on the whole condition, and in addition on the condition's code at its own place, scaled
    from grid to grid.

    Args:
        num_values: number of values of a code (`bottleneck.num_values`).
        code_shape: shape of the codes of one example (`model.code_shape`).
        dim: number of features of each position in the transformer.
        depth: number of transformer blocks.
        num_attention_heads: number of attention heads, a divisor of `dim`.
        dropout: dropout rate in training.
        num_labels: number of classes to condition on; `None`: no labels.
        condition_values, condition_shape: number of values and shape of the grid of codes to
            condition on, such as the top codes of a two-level model; `None`: no condition.

    Inputs of `fit`, `evaluate`:
        x: codes `(batch, *code_shape)`, integers below `num_values`; with labels or a
            condition `{"x": codes, "labels": (batch,), "condition": (batch, *condition_shape)}`.
        sample_weight: `(batch,)`.

    Metrics:
        `loss` in nats per code (`/ log(2)`: bits), `accuracy` of the most probable code.

    Raises:
        ValueError: sizes are not valid for the network; codes are not integers, out of range or of another
            shape; a label or condition is missing, not expected or out of range. In a graph,
            values out of range are clamped.

    Example:

    >>> codes = np.zeros((6, 2, 2), "int32")
    >>> prior = CodePrior(num_values=8, code_shape=(2, 2), dim=16, depth=1)
    >>> prior.compile("adam")
    >>> history = prior.fit(codes, verbose=0)
    >>> prior.sample(3, seed=0).shape, prior.log_prob(codes).shape
    (TensorShape([3, 2, 2]), TensorShape([6]))

    Reference:
        Prior over codes: van den Oord et al., 2017, https://arxiv.org/abs/1711.00937;
        prior over two levels: Razavi et al., 2019, https://arxiv.org/abs/1906.00446.
    """

    def __init__(
        self,
        num_values: int,
        code_shape: tuple[int, ...],
        *,
        dim: int = 128,
        depth: int = 4,
        num_attention_heads: int = 4,
        dropout: float = 0.0,
        num_labels: int | None = None,
        condition_values: int | None = None,
        condition_shape: tuple[int, ...] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {
            "num_values": num_values,
            "code_shape": tuple(code_shape),
            "dim": dim,
            "depth": depth,
            "num_attention_heads": num_attention_heads,
            "dropout": dropout,
            "num_labels": num_labels,
            "condition_values": condition_values,
            "condition_shape": None if condition_shape is None else tuple(condition_shape),
        }
        _check_settings(**self.settings)
        self.num_values = num_values
        self.code_shape = tuple(code_shape)
        self.num_codes = math.prod(self.code_shape)
        self.network = CodeNetwork(**self.settings, dtype=self.dtype_policy, name="network")
        self.track_terms("accuracy")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        if not self.built:
            self.network.build()
            self.built = True

    def input_rules(self) -> InputRules:
        shapes = {"x": (None, *self.code_shape)}
        if self.settings["num_labels"]:
            shapes["labels"] = (None,)
        if self.settings["condition_shape"]:
            shapes["condition"] = (None, *self.settings["condition_shape"])
        sizes = {"x": self.num_values, "labels": self.settings["num_labels"]}
        sizes["condition"] = self.settings["condition_values"]
        trained_on = tuple(name for name in shapes if name != "x")
        return InputRules(shapes, trained_on=trained_on, sizes=sizes, dtype="int32", ignores_y=True)

    def call(self, x: Any, training: bool | None = None) -> Tensor:
        """Return float32 logits of each code given the earlier ones, `(batch, *code_shape, num_values)`."""
        logits = self.network(*self._unpack(x), training=training)
        return ops.reshape(logits, (-1, *self.code_shape, self.num_values))

    def log_prob(
        self, codes: Tensor, *, labels: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Return `log p(codes)` in nats, `(batch,)`."""
        inputs = self._unpack({"x": checked_array("codes", codes), "labels": labels, "condition": condition})
        return -ops.sum(_cross_entropy(inputs[0], self.network(*inputs, training=False)), axis=-1)

    @property
    def generative(self) -> bool:
        """Whether `sample` draws new codes."""
        return True

    def score(self, x: Any) -> Tensor:
        """Return `-log p(codes) / number of codes` in nats, `(batch,)`: the loss of each example.

        Args:
            x: codes, or a dictionary with labels and condition, as in `fit`.
        """
        x = self.checked_inputs(x)
        x = x if isinstance(x, dict) else {"x": x}
        log_prob = self.log_prob(x["x"], labels=x.get("labels"), condition=x.get("condition"))
        return -log_prob / self.num_codes

    def bits_per_code(
        self, codes: Tensor, *, labels: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Return `-log2 p(codes) / number of codes`, `(batch,)`; `log2(num_values)` for a uniform prior."""
        log_prob = self.log_prob(codes, labels=labels, condition=condition)
        return -log_prob / (self.num_codes * math.log(2))

    # codes have one size, and are not decoded
    def sample(  # type: ignore[override]
        self,
        num: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        labels: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Draw codes `(num, *code_shape)`, int32.

        Args:
            num: number of examples.
            temperature: divisor of the logits; below 1, probable codes are drawn more often.
            top_k: number of most probable codes to draw from; `None`: all.
            seed: seed of the draws; `None`: different draws in each call.
            labels: integer class, or one for each example, `(num,)`.
            condition: codes `(num, *condition_shape)`.
        """
        if num < 1 or not temperature > 0 or not (top_k is None or 1 <= top_k <= self.num_values):
            raise ValueError(
                "num must be at least 1, temperature positive, and top_k from 1 to num_values or None. "
                f"Received: num={num}, temperature={temperature}, top_k={top_k}"
            )
        noise = np.random.default_rng(seed).random((num, self.num_codes), "float32")
        given = {"labels": labels, "condition": condition}
        given = {name: np.asarray(value) for name, value in given.items() if value is not None}
        sizes = {"labels": self.settings["num_labels"], "condition": self.settings["condition_values"]}
        for name in given:
            check_integers(name, given[name], sizes[name] or 1)
        given = {name: value.astype("int32") for name, value in given.items()}
        if "labels" in given:
            given["labels"] = np.broadcast_to(given["labels"], (num,))
        parts = []
        for start in range(0, num, SAMPLED_AT_ONCE):
            part = slice(start, start + SAMPLED_AT_ONCE)
            tensors = {name: tf.constant(value[part]) for name, value in given.items()}
            temperature = tf.constant(temperature, tf.float32)  # each Python float would cause a retracing
            parts.append(self._traced(tf.constant(noise[part]), temperature, top_k, **tensors))
        return ops.concatenate(parts, axis=0)

    def codes_of_noise(
        self,
        noise: Tensor,
        *,
        labels: Tensor | None = None,
        condition: Tensor | None = None,
        temperature: Tensor | float = 1.0,
        top_k: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return `(codes, gap)`: the draw determined by uniform `noise` `(batch, number of codes)`.

        The function is deterministic and can be traced and exported. `gap` `(batch,)` is the
        distance of the noise from the nearest value that gives another code.
        """
        noise = ops.convert_to_tensor(noise)
        labels, condition = self._conditions(labels, condition)
        aligned = self.network.align(condition)
        places = ops.arange(self.num_codes, dtype="int32")

        def body(index, logits, codes, gap, caches):
            code, nearest = code_at_quantile(logits, tf.gather(noise, index, axis=1), temperature, top_k)
            codes = ops.where(places == index, code[:, None], codes)
            # There is no position after the last code; the result for it is not used.
            following = ops.minimum(index + 1, self.num_codes - 1)
            logits, caches = self.network.step(code, following, caches, aligned)
            return index + 1, logits, codes, ops.minimum(gap, nearest), caches

        logits, caches = self.network.start(noise, labels, condition)
        codes = ops.zeros_like(noise, dtype="int32")
        state = (ops.convert_to_tensor(0), logits, codes, ops.ones_like(noise[:, 0]), caches)

        _, _, codes, gap, _ = ops.while_loop(lambda index, *_: index < self.num_codes, body, state)
        return ops.reshape(codes, (-1, *self.code_shape)), gap

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        inputs = self._unpack(x)
        logits = self.network(*inputs, training=training)
        added = take_losses(self.network)
        loss = mean_term(_cross_entropy(inputs[0], logits), sample_weight)
        right = mean_term(ops.cast(ops.equal(argmax(logits), inputs[0]), "float32"), sample_weight)
        return scalars({"loss": loss + added, "accuracy": right})

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints `score`, from codes to nats per code, and `sample`, from noise to codes.

        `score` also returns `log_prob`. The noise is uniform, `(batch, number of codes)`.
        """
        codes = {"codes": tf.TensorSpec((None, *self.code_shape), tf.int32, name="codes")}
        noise = {"noise": tf.TensorSpec((None, self.num_codes), tf.float32, name="noise")}
        sizes = {name: size for name, size in self._sizes().items() if size}
        ranges = {"noise": (0, 1), **{name: (0, size - 1) for name, size in sizes.items()}}
        scored, drawn = ({**specs, **self.condition_specs()} for specs in (codes, noise))
        return {
            "serving_default": Endpoint(
                self._score_endpoint,
                scored,
                ("saved_model",),
                sample=self.random_codes,
                value_ranges=ranges,
            ),
            "score": Endpoint(self._score_endpoint, scored, sample=self.random_codes, value_ranges=ranges),
            "sample": Endpoint(
                self._sample_endpoint,
                drawn,
                sample=self.random_codes,
                margin=self._margin_endpoint,
                value_ranges=ranges,
            ),
        }

    def condition_specs(self) -> dict[str, tf.TensorSpec]:
        """Return the inputs `labels` and `condition` of the endpoints, if the prior has them."""
        shapes = {"labels": self.settings["num_labels"] and (None,)}
        shape = self.settings["condition_shape"]
        shapes["condition"] = shape and (None, *shape)
        return {name: tf.TensorSpec(shape, tf.int32, name=name) for name, shape in shapes.items() if shape}

    def _sizes(self):
        """Return `{input: number of values}`; `None` for an input that the prior does not have."""
        settings = self.settings
        return {
            "codes": self.num_values,
            "labels": settings["num_labels"],
            "condition": settings["condition_values"],
        }

    def random_codes(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the `inputs` of an endpoint with random codes, labels and condition in their ranges."""
        rng, sizes = np.random.default_rng(0), self._sizes()
        drawn = {name: rng.integers(0, sizes[name], inputs[name].shape) for name in sizes if name in inputs}
        return {**inputs, **drawn}

    def _score_endpoint(self, codes, **given):
        log_prob = self.log_prob(codes, **given)
        return {"log_prob": log_prob, "score": -log_prob / self.num_codes}

    def _sample_endpoint(self, noise, **given):
        return {"codes": self.codes_of_noise(noise, **given)[0]}

    def _margin_endpoint(self, noise, **given):
        return self.codes_of_noise(noise, **given)[1]

    @property
    def _traced(self):
        """Return `codes_of_noise` as a graph, traced once."""
        if "_sample_function" not in vars(self):

            def draw(noise, temperature, top_k, **given):
                return self.codes_of_noise(noise, temperature=temperature, top_k=top_k, **given)[0]

            self._sample_function = tf.function(draw, reduce_retracing=True, autograph=False)
        return self._sample_function

    def _unpack(self, x):
        """Return flat codes `(batch, codes)`, labels and flat condition of the inputs of `fit`."""
        x = x if isinstance(x, dict) else {"x": x}
        codes = _integers(x["x"], self.code_shape, "codes", self.num_values)
        return (codes, *self._conditions(x.get("labels"), x.get("condition")))

    def _conditions(self, labels, condition):
        wanted = {"labels": self.settings["num_labels"], "condition": self.settings["condition_values"]}
        for name, value in (("labels", labels), ("condition", condition)):
            if (value is None) != (wanted[name] is None):
                expected = "must be None" if wanted[name] is None else "must be given"
                received = "None" if value is None else "an array"
                raise ValueError(f"{name} {expected} for this CodePrior. Received: {name}={received}")
        if labels is not None:
            labels = ops.reshape(integers_in("labels", labels, wanted["labels"]), (-1,))
        if condition is not None:
            shape, values = self.settings["condition_shape"], wanted["condition"]
            condition = _integers(condition, shape, "condition", values)
        return labels, condition

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        return (*shape, self.num_values)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}


def _integers(codes, shape, name, num_values):
    """Return checked codes `(batch, *shape)` below `num_values` as flat int32 `(batch, number of codes)`."""
    codes = ops.convert_to_tensor(codes)
    if keras.backend.is_float_dtype(codes.dtype) or tuple(codes.shape[1:]) != tuple(shape):
        raise ValueError(
            f"{name} must be integers of the shape {('batch', *shape)}. "
            f"Received: {codes.dtype} {tuple(codes.shape)}"
        )
    return ops.reshape(integers_in(name, codes, num_values), (-1, math.prod(shape)))


def _cross_entropy(codes, logits):
    """Return `-log p(code_i | ...)` in nats, `(batch, codes)`."""
    return keras.losses.sparse_categorical_crossentropy(codes, logits, from_logits=True)


def _check_settings(num_values, code_shape, depth, num_labels, condition_values, condition_shape, **_):
    sizes = (num_values, depth, *code_shape, *(condition_shape or ()))
    sizes += tuple(size for size in (num_labels, condition_values) if size is not None)
    if not code_shape or any(size is None or size < 1 for size in sizes):
        raise ValueError(
            "All sizes must be at least 1, and code_shape must not contain None. "
            f"Received: num_values={num_values}, code_shape={code_shape}, depth={depth}, "
            f"num_labels={num_labels}, condition_values={condition_values}, condition_shape={condition_shape}"
        )
    if (condition_values is None) != (condition_shape is None):
        raise ValueError(
            "condition_values and condition_shape must be given together. "
            f"Received: condition_values={condition_values}, condition_shape={condition_shape}"
        )


def code_at_quantile(
    logits: Tensor, noise: Tensor, temperature: Tensor | float = 1.0, top_k: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return `(code, gap)`: the code whose part of the unit interval contains `noise`.

    The codes partition [0, 1] in their order into intervals whose lengths are their probabilities; for
    uniform noise the code is a draw from `softmax(logits / temperature)`.

    Args:
        logits: `(batch, num_values)` float32.
        noise: `(batch,)` in [0, 1).
        temperature: divisor of the logits; below 1, probable codes are drawn more often.
        top_k: number of most probable codes to draw from; `None`: all.

    Returns:
        the code `(batch,)` int32, and the distance of `noise` from the nearest border between two
        codes, `(batch,)`: if it is within rounding, two runtimes may return different codes.
    """
    logits = logits / temperature
    if top_k is not None:
        least = ops.top_k(logits, top_k)[0][:, -1:]
        logits = ops.where(logits >= least, logits, -1e9)
    borders = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # Keeps the place strictly below the last border, which rounding leaves only near 1, so that no code of
    # probability 0 is drawn.
    place = noise[:, None] * borders[:, -1:] * (1 - 1e-6)
    distance = borders[:, :-1] - place
    code = ops.sum(ops.cast(distance <= 0, "int32"), axis=-1)
    return code, ops.min(ops.abs(distance), axis=-1)
