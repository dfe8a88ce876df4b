"""Generative model of a discrete auto-encoder and a prior over its codes."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.models._input_rules import InputRules
from keras_ae.models._wrapped_auto_encoder import WrappedAutoEncoder
from keras_ae.models.base import BaseModel, Player
from keras_ae.models.discrete.code_prior import CodePrior
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.terms import LossTerm, scalars

PARTS = ("auto_encoder", "prior", "bottom_prior")


@keras.saving.register_keras_serializable(package="keras_ae")
class GenerativeAutoEncoder(WrappedAutoEncoder):
    """Trained discrete auto-encoder with a prior over its codes; only the prior is trained.

    ```
    codes ~ prior,   x = decode(codes)
    loss  = -mean log prior(encode(x)) / number of codes,   nats per code
    ```

    With a `TwoLevelAutoEncoder`, `prior` models the top codes and `bottom_prior` the
    bottom codes given the top ones; the loss is the mean of both over all codes.

    Args:
        auto_encoder: a trained `AutoEncoder` with a discrete bottleneck, or a trained
            `TwoLevelAutoEncoder`. Its weights and statistics are not changed.
        prior: a `CodePrior` over its codes, or its top codes.
        bottom_prior: a `CodePrior` over its bottom codes, conditioned on the top ones.

    Inputs of `fit`, `evaluate`:
        x: inputs of the auto-encoder; if the priors have labels,
            `{"x":, "labels": (batch,)}`.
        sample_weight: `(batch,)`.

    Metrics:
        `loss` in nats per code, `accuracy`; with two levels also both for each level, with the prefixes
        `top_` and `bottom_`.

    Raises:
        ValueError: the auto-encoder is not discrete, or values and shape of a prior are not those of its
            codes.

    Example:

    >>> from keras_ae.layers import VectorQuantizer
    >>> from keras_ae.models import AutoEncoder
    >>> from keras_ae.networks import image_decoder, image_encoder
    >>> networks = image_encoder((8, 8, 1), 4), image_decoder((8, 8, 1), 4)
    >>> auto_encoder = AutoEncoder(*networks, VectorQuantizer(16))
    >>> model = GenerativeAutoEncoder.from_auto_encoder(auto_encoder, dim=16, depth=1)
    >>> model.sample(3, seed=0).shape
    TensorShape([3, 8, 8, 1])
    """

    discrete = True

    def __init__(
        self, auto_encoder: BaseModel, prior: CodePrior, bottom_prior: CodePrior | None = None, **kwargs: Any
    ):
        _check_parts(auto_encoder, prior, bottom_prior)
        super().__init__(auto_encoder, **kwargs)
        self.prior = prior
        self.bottom_prior = bottom_prior
        levels = ("top_", "bottom_") if bottom_prior is not None else ()
        self.track_terms("accuracy", *(f"{level}{term}" for level in levels for term in ("loss", "accuracy")))
        self.sample_shape = auto_encoder.sample_shape
        self.built = True

    @classmethod
    def from_auto_encoder(cls, auto_encoder: BaseModel, **settings: Any) -> "GenerativeAutoEncoder":
        """Return the model with an untrained `CodePrior` for each level of codes of an auto-encoder.

        Args:
            auto_encoder: as in the constructor.
            **settings: `dim`, `depth`, `num_attention_heads`, `dropout` and `num_labels` of each `CodePrior`.
        """
        levels, priors = code_levels(auto_encoder), []
        for number, (values, shape) in enumerate(levels):
            above = levels[number - 1] if number else (None, None)
            condition: dict[str, Any] = {"condition_values": above[0], "condition_shape": above[1]}
            priors.append(CodePrior(values, shape, **settings, **condition))
        return cls(auto_encoder, *priors)

    def players(self) -> list[Player]:
        return [Player("prior", lambda: [v for prior in self.priors for v in prior.trainable_variables])]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics of the prior; the auto-encoder is not trained and has none."""
        return [self._loss_tracker, *self._terms.values()] if self.compiled else []

    def input_rules(self) -> InputRules:
        shapes, trained_on = dict(self.auto_encoder.input_rules().shapes), ()
        if any(prior.settings["num_labels"] for prior in self.priors):
            shapes["labels"], trained_on = (None,), ("labels",)
        labels = [prior.settings["num_labels"] for prior in self.priors if prior.settings["num_labels"]]
        sizes = {"labels": min(labels, default=None)}
        return InputRules(shapes, trained_on=trained_on, sizes=sizes, ignores_y=True)

    def inputs_of_auto_encoder(self, x: Any) -> Any:
        return {name: part for name, part in x.items() if name != "labels"} if isinstance(x, dict) else x

    def score(self, x: Any) -> Any:
        """Return `-log p(codes of x) / number of codes` in nats, `(batch,)`: the loss of each example.

        Args:
            x: inputs as in `fit`, with labels if the priors have them.
        """
        x = self.checked_inputs(x)
        labels = x.get("labels") if isinstance(x, dict) else None
        return -self.log_prob(self.encode(x), labels=labels) / self._num_codes()

    def log_prob(self, codes: Any, *, labels: Any = None) -> Any:
        """Return `log p(codes)` in nats, `(batch,)`."""
        inputs = self._prior_inputs(codes, labels)
        parts = [
            prior.log_prob(one["x"], labels=one.get("labels"), condition=one.get("condition"))
            for prior, one in zip(self.priors, inputs, strict=True)
        ]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    # codes have one size, and the decoder has no further inputs
    def sample(  # type: ignore[override]
        self,
        num: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        labels: Any = None,
    ) -> Any:
        """Draw `num` examples: `decode(sample_codes(num, ...))`."""
        codes = self.sample_codes(num, temperature=temperature, top_k=top_k, seed=seed, labels=labels)
        return self.decode(codes)

    def sample_codes(  # type: ignore[override]
        self,
        num: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int | None = None,
        labels: Any = None,
    ) -> Any:
        """Draw codes; arguments as in `CodePrior.sample`."""
        settings: dict[str, Any] = {"temperature": temperature, "top_k": top_k}
        # One seed for each level: equal seeds would give both levels the same noise.
        seeds = (seed, seed) if seed is None else np.random.default_rng(seed).integers(2**31, size=2)
        first = self.prior.sample(num, seed=seeds[0], labels=_labels_for(self.prior, labels), **settings)
        if self.bottom_prior is None:
            return first
        given = {"labels": _labels_for(self.bottom_prior, labels), "condition": first}
        return {"top": first, "bottom": self.bottom_prior.sample(num, seed=seeds[1], **given, **settings)}

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Any, training: bool, player: str
    ) -> dict[str, Any]:
        x = x if isinstance(x, dict) else {"x": x}
        codes = keras.tree.map_structure(ops.stop_gradient, self.encode(x["x"]))
        inputs = self._prior_inputs(codes, x.get("labels"))
        terms = [
            prior.compute_terms(one, None, sample_weight, training, player)
            for prior, one in zip(self.priors, inputs, strict=True)
        ]
        if len(terms) == 1:
            return terms[0]
        shares = [prior.num_codes / self._num_codes() for prior in self.priors]
        joint = {
            name: sum(share * LossTerm.of(term[name]) for share, term in zip(shares, terms, strict=True))
            for name in terms[0]
        }
        for level, term in zip(("top_", "bottom_"), terms, strict=True):
            joint.update({f"{level}{name}": value for name, value in term.items()})
        return scalars(joint)

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the auto-encoder's endpoints, `score` in nats per code, and `sample` from uniform noise."""
        table = self.auto_encoder.endpoints()
        encode = table["encode"]
        labels, count = self.prior.condition_specs(), self.prior.settings["num_labels"]
        ranges = {"noise": (0, 1), "labels": (0, (count or 1) - 1)}
        noise = tf.TensorSpec((None, self._num_codes()), tf.float32, name="noise")
        score = Endpoint(
            self._score_endpoint,
            {**encode.inputs, **labels},
            sample=self.prior.random_codes,
            margin=lambda x, **_: encode.margin(x=x),
            value_ranges=ranges,
        )
        sample = Endpoint(
            lambda **inputs: self._draw(**inputs)[0],
            {"noise": noise, **labels},
            sample=self.prior.random_codes,
            margin=lambda **inputs: self._draw(**inputs)[1],
            value_ranges=ranges,
        )
        return {**table, "score": score, "sample": sample}

    def _score_endpoint(self, x, labels=None):
        log_prob = self.log_prob(self.encode(x), labels=labels)
        return {"log_prob": log_prob, "score": -log_prob / self._num_codes()}

    def _draw(self, noise, labels=None):
        """Return `({"reconstruction", codes}, gap)` for uniform noise `(batch, number of codes)`."""
        split = self.prior.num_codes
        labels_of = {"labels": _labels_for(self.prior, labels)}
        codes, gap = self.prior.codes_of_noise(noise[:, :split], **labels_of)
        if self.bottom_prior is None:
            return {"reconstruction": self.decode(codes), "codes": codes}, gap
        given = {"labels": _labels_for(self.bottom_prior, labels), "condition": codes}
        bottom, bottom_gap = self.bottom_prior.codes_of_noise(noise[:, split:], **given)
        outputs = {"reconstruction": self.decode({"top": codes, "bottom": bottom})}
        return {**outputs, "top_codes": codes, "bottom_codes": bottom}, ops.minimum(gap, bottom_gap)

    @property
    def priors(self) -> list[CodePrior]:
        """The prior, or the priors of the top and of the bottom codes."""
        return [prior for prior in (self.prior, self.bottom_prior) if prior is not None]

    def _num_codes(self):
        return sum(prior.num_codes for prior in self.priors)

    def _prior_inputs(self, codes, labels):
        """Return the inputs of each prior's `fit`."""
        levels = [{"x": codes}]
        if self.bottom_prior is not None:
            levels = [{"x": codes["top"]}, {"x": codes["bottom"], "condition": codes["top"]}]
        for prior, inputs in zip(self.priors, levels, strict=True):
            given = _labels_for(prior, labels)
            if given is not None:
                inputs["labels"] = given
        return levels

    def get_config(self) -> dict[str, Any]:
        serialized = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in PARTS}
        return {**super().get_config(), **serialized}


def _labels_for(prior, labels):
    return labels if prior.settings["num_labels"] else None


def _check_parts(auto_encoder, prior, bottom_prior):
    expected = code_levels(auto_encoder)
    given = [one for one in (prior, bottom_prior) if one is not None]
    received = [(one.num_values, one.code_shape) for one in given]
    conditions = [(p.settings["condition_values"], p.settings["condition_shape"]) for p in given]
    wanted = [(None, None), *expected][: len(expected)]
    if received != expected or conditions != wanted:
        raise ValueError(
            f"The priors must have the (values, shape) of the codes, {expected}, conditioned on {wanted}. "
            f"Received: {received}, conditioned on {conditions}"
        )


def code_levels(auto_encoder: BaseModel) -> list[tuple[int, tuple[int, ...]]]:
    """Return `(number of values, shape)` of the codes of each level of an auto-encoder, the top level first.

    Raises:
        ValueError: the auto-encoder is not built, or has no discrete bottleneck.
    """
    if not getattr(auto_encoder, "discrete", False) or not auto_encoder.built:
        raise ValueError(
            "auto_encoder must be a built auto-encoder with a discrete bottleneck. "
            f"Received: {type(auto_encoder).__name__}"
        )
    if hasattr(auto_encoder, "bottlenecks"):
        layers = auto_encoder.bottlenecks
        return [(layer.num_values, auto_encoder.code_shapes[level]) for level, layer in layers.items()]
    return [(auto_encoder.bottleneck.num_values, auto_encoder.code_shape)]
