"""Contrastive predictive coding of sequences."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers.step_predictors import StepPredictors
from keras_ae.losses.contrastive import contrastive_prediction, prediction_accuracy
from keras_ae.models._data_checks import counted_lengths
from keras_ae.models._input_rules import InputRules
from keras_ae.models.base import BaseModel
from keras_ae.models.contrastive._negative_frames import (
    SOURCES,
    all_candidates,
    drawn_candidates,
    first_number,
    joined,
)
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.sequences import (
    call_masked,
    call_under_mask,
    input_mask,
    mask_of,
    samples_per_frame,
    sequence_mask,
    unpack_inputs,
    zero_padding,
)
from keras_ae.ops.terms import mean_term, scalars, take_losses

LONGEST = 2**24  # positions: an encoder that returns no frames for this length never returns any


@keras.saving.register_keras_serializable(package="keras_ae")
class ContrastivePredictiveCoding(BaseModel):
    """Contrastive predictive coding: future frames are picked out of distractors, without a decoder.

    ```
    z = encoder(x)                                        # frames
    c = context(z)                                        # context at frame t, from frames <= t
    u[b, t, k, n] = z_n . (c[b, t] W_k) / temperature     # score of frame n, k steps after t
    loss = -mean_{b, t, k} log( exp u[t + k] / (exp u[t + k] + sum_n exp u[n]) )
    ```

    The negatives `n` are frames from the source `negatives`, never padding, and never the true frame
    `t + k` itself. Features that negatives share with the positive cannot help to distinguish them:
    with negatives from the same sequence, `c` represents what is said; with negatives from the whole batch,
    also who says it.

    Args:
        encoder: any model from `(batch, samples)` or `(batch, length, features)` to frames
            `(batch, frames, dim)`, such as `networks.waveform_encoder`. It must not normalise over time or
            batch: each frame would then contain information about later frames.
        context: any causal model from frames to `(batch, frames, context_dim)`, such as
            `networks.recurrent_context`.
        steps: distance of the farthest predicted frame, in frames.
        first_step: distance of the nearest predicted frame; above 1 where receptive fields of neighbouring
            frames overlap.
        negatives: "same_sequence", "same_speaker" (needs `speaker`) or "batch"; or several of them, whose
            frames are used together.
        num_negatives: number of negatives drawn for each example in each step, shared by its frames; with
            several `negatives`, the number from each of them, or a sequence of one number for each;
            `None`: all existing ones.
        temperature: divisor of the scores; `None`: the square root of `dim`.
        perturbation: any layer of `(x, mask=None, training=None)` that keeps shape and timing, such as
            `layers.VoicePerturbation`; used in training only. The context is computed from one draw, and the
            frames to be distinguished from another, so that the perturbed property, the voice, does not
            help the prediction and disappears from `z` and `c`.
        seed: seed of the draws.

    Inputs of `fit`, `evaluate`:
        x: `(batch, samples)`, or `{"x":, "lengths": (batch,), "speaker": (batch,)}`; padded frames
            are neither predicted nor negatives.
        sample_weight: `(batch,)`; weights the predictions of an example.

    Metrics:
        `loss`; `accuracy`, the share of predictions in which the true frame has the highest score;
        `accuracy_<k>` for each step.

    Raises:
        ValueError: unknown `negatives`; steps, number of negatives or temperature out of range.
        InputError: encoder or context does not return frames; no `speaker` with "same_speaker".

    Example:

    >>> from keras_ae.networks import recurrent_context, waveform_encoder
    >>> model = ContrastivePredictiveCoding(waveform_encoder(8), recurrent_context(8, 16), steps=4)
    >>> model.compile("adam")
    >>> model.encode(ops.ones((2, 1600))).shape
    TensorShape([2, 10, 16])

    Reference:
        van den Oord et al., 2018, https://arxiv.org/abs/1807.03748; perturbation: Kharitonov et al., 2020,
        https://arxiv.org/abs/2007.00991.
    """

    discrete = False

    def __init__(
        self,
        encoder: keras.Model,
        context: keras.Model,
        *,
        steps: int = 12,
        first_step: int = 1,
        negatives: str | tuple[str, ...] = "same_sequence",
        num_negatives: int | tuple[int, ...] | None = 128,
        temperature: float | None = None,
        perturbation: keras.Layer | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sources = (negatives,) if isinstance(negatives, str) else tuple(negatives)
        if isinstance(num_negatives, int | None):
            self.counts: tuple[int | None, ...] = (num_negatives,) * len(self.sources)
        else:
            self.counts = tuple(num_negatives)
        _check(steps, first_step, self.sources, self.counts, temperature)
        self.encoder, self.context = encoder, context
        self.steps, self.first_step = steps, first_step
        self.negatives, self.num_negatives = negatives, num_negatives
        self.temperature = temperature
        self.perturbation = perturbation
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._least = None  # length of an input with a frame to predict, once known
        self.track_terms("accuracy", *(f"accuracy_{k}" for k in self._ahead()))
        if getattr(encoder, "built", False) and getattr(encoder, "input_shape", None) is not None:
            self.build(encoder.input_shape)

    def build(self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]) -> None:
        if self.built:
            return
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        self.sample_shape = (None, *shape[2:])
        frames = self.encoder(keras.KerasTensor((None, *self.sample_shape), dtype="float32"))
        _check_frames(frames, "encoder")
        context = self.context(keras.KerasTensor(frames.shape, dtype=frames.dtype))
        _check_frames(context, "context")
        self.dim, self.context_dim = frames.shape[-1], context.shape[-1]
        count = self.steps - self.first_step + 1
        self.predictors = StepPredictors(count, self.dim, name="predictors", dtype=self.dtype_policy)
        self.predictors.build((None, None, self.context_dim))
        self.built = True

    def input_rules(self) -> InputRules:
        shape = getattr(self, "sample_shape", None)
        shapes = {"x": None if shape is None else (None, *shape), "lengths": (None,), "speaker": (None,)}
        needed = ("speaker",) if "same_speaker" in self.sources else ()
        return InputRules(shapes, trained_on=needed, sizes={"speaker": None}, ignores_y=True)

    def check_batch(self, x: Any, sample_weight: Any = None) -> None:
        super().check_batch(x, sample_weight)
        values, lengths, _ = _unpack(x)
        counted = counted_lengths(values, lengths, sample_weight)
        least = self._least_length(int(values.shape[1]))
        if not (counted >= least).any():
            raise InputError(
                f"x must contain clips of at least {least} positions, which give more than "
                f"first_step={self.first_step} frames: one to predict, and one to predict it from. "
                f"Received: 0 usable clips of {len(counted)}, the longest of {counted.max(initial=0)}."
            )

    def _least_length(self, start):
        """Return the length of the shortest input with a frame to predict; searched once, from `start`."""
        if self._least is None:
            self._least = self._sought_length(start)
        return self._least

    def _sought_length(self, start):
        def enough(length):
            try:
                frames = self.encoder.compute_output_shape((1, length, *self.sample_shape[1:]))[1]
            except ValueError:  # shorter than a kernel
                return False
            return frames > self.first_step

        high = max(1, start)
        while not enough(high) and high < LONGEST:
            high *= 2
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    def encode(self, x: Any) -> Any:
        """Return the context `c` of `x`, `(batch, frames, context_dim)`; 0 where padded."""
        return self.call(self.checked_inputs(x))

    def embed(self, x: Any) -> Any:
        """Return the context `c` of `x`, `(batch, frames, context_dim)`; 0 where padded."""
        return self.encode(x)

    def features(self, x: Any) -> Any:
        """Return the frames `z` of `x`, `(batch, frames, dim)`; 0 where padded."""
        values, lengths, _ = _unpack(self.checked_inputs(x))
        mask = input_mask(values, lengths)
        frames = call_masked(self.encoder, values, mask)
        return zero_padding(frames, mask_of(frames))

    def frames(self, x: Any, lengths: Any = None, training: bool | None = False) -> tuple[Any, Any, Any]:
        """Return `(z (batch, frames, dim), c (batch, frames, context_dim), mask (batch, frames) or None)`."""
        z = call_masked(self.encoder, x, input_mask(x, lengths), training)
        mask = mask_of(z)
        return z, call_masked(self.context, z, mask, training), mask

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the context `c` of `x`; 0 where padded."""
        values, lengths, _ = _unpack(x)
        _, context, mask = self.frames(values, lengths, training)
        return zero_padding(context, mask)

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Any, training: bool, player: str
    ) -> dict[str, Any]:
        values, lengths, speaker = _unpack(x)
        z, c, mask = self._seen_frames(values, lengths, training)
        added = take_losses(self.encoder) + take_losses(self.context)
        real = real_frames(z, mask)
        z, c = (zero_padding(part, mask) for part in (z, c))
        predictions = ops.cast(self.predictors(c), "float32") / (self.temperature or self.dim**0.5)
        z = ops.cast(z, "float32")
        candidates = self._candidates(z, counting(real, sample_weight), speaker, training)
        losses, hits = self._predict(predictions, z, candidates)
        weights = prediction_weights(self._ahead(), real, ops.shape(z)[1], sample_weight)
        terms = {"loss": mean_term(losses, weights) + added, "accuracy": mean_term(hits, weights)}
        for i, k in enumerate(self._ahead()):
            terms[f"accuracy_{k}"] = mean_term(hits[:, :, i], weights[:, :, i])
        return scalars(terms)

    def _seen_frames(self, values, lengths, training):
        """Return the result of `frames`; in training, `z` and `c` are from different perturbations."""
        if self.perturbation is None or not training:
            return self.frames(values, lengths, training)
        seen = input_mask(values, lengths)
        past, future = (call_under_mask(self.perturbation, values, seen, training) for _ in range(2))
        _, c, mask = self.frames(past, lengths, training)
        return call_masked(self.encoder, future, seen, training), c, mask

    def endpoints(self) -> dict[str, Endpoint]:
        """Return `encode` for the context (also as `serving_default`) and `features` for the frames."""
        inputs = {
            "x": tf.TensorSpec((None, *self.sample_shape), tf.float32, name="x"),
            "lengths": tf.TensorSpec((None,), tf.int32, name="lengths"),
        }
        unit = samples_per_frame(self.encoder)
        return {
            "serving_default": Endpoint(self._encode_endpoint, inputs, ("saved_model",), unit=unit),
            "encode": Endpoint(self._encode_endpoint, inputs, unit=unit),
            "features": Endpoint(self._features_endpoint, inputs, unit=unit),
        }

    def _encode_endpoint(self, x, lengths):
        _, context, mask = self.frames(x, lengths)
        return {"embedding": zero_padding(context, mask), "code_lengths": count_real(mask)}

    def _features_endpoint(self, x, lengths):
        frames = call_masked(self.encoder, x, input_mask(x, lengths))
        mask = mask_of(frames)
        return {"features": zero_padding(frames, mask), "code_lengths": count_real(mask)}

    def _ahead(self):
        return range(self.first_step, self.steps + 1)

    def _candidates(self, z, lengths, speaker, training):
        if "same_speaker" in self.sources and speaker is None:
            raise InputError(
                'x must contain the "speaker" of each example for negatives="same_speaker". '
                'Received: no "speaker". Pass fit({"x":, "speaker": (batch,) integers}).'
            )
        seed = self.seed_generator if training else 0  # each validation uses the same negatives
        parts = [
            all_candidates(z, lengths, source, speaker)
            if count is None
            else drawn_candidates(z, lengths, source, count, seed, speaker)
            for source, count in zip(self.sources, self.counts, strict=True)
        ]
        return joined(parts, ops.shape(z)[0])

    def _predict(self, predictions, z, candidates):
        """Return the loss and the hit (0 or 1) of each prediction, both `(batch, frames, steps)`."""
        batch, length = ops.shape(z)[:2]
        ahead = (
            ops.arange(length, dtype="int32")[:, None]
            + ops.convert_to_tensor(list(self._ahead()), "int32")[None]
        )
        true = tf.gather(z, ops.minimum(ahead, length - 1), axis=1)
        positive = ops.sum(predictions * true, axis=-1)
        flat = ops.reshape(predictions, (batch, -1, self.dim))
        scores = ops.matmul(flat, ops.transpose(candidates.frames, (0, 2, 1)))
        scores = ops.reshape(scores, (*ops.shape(positive), -1))
        own = first_number(z)[:, :, None] + ahead[None]  # a positive is never its own negative
        others = own[..., None] != candidates.number[:, None, None]
        mask = ops.logical_and(others, candidates.real[:, None, None])
        return contrastive_prediction(positive, scores, mask), prediction_accuracy(positive, scores, mask)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        return (shape[0], None, self.context_dim)

    def get_config(self) -> dict[str, Any]:
        names = ("steps", "first_step", "temperature", "seed")
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "context": keras.saving.serialize_keras_object(self.context),
            "perturbation": keras.saving.serialize_keras_object(self.perturbation),
            **{name: _plain(getattr(self, name)) for name in ("negatives", "num_negatives")},
            **{name: getattr(self, name) for name in names},
        }


def _plain(value):
    """Return a tuple as a list, since JSON has no tuples; other values unchanged."""
    return list(value) if isinstance(value, tuple) else value


def _unpack(x):
    values, lengths = unpack_inputs(x)
    return values, lengths, x.get("speaker") if isinstance(x, dict) else None


def _check(steps, first_step, sources, counts, temperature):
    if not 1 <= first_step <= steps:
        raise ValueError(
            f"first_step must be from 1 to steps. Received: first_step={first_step!r}, steps={steps!r}"
        )
    if not sources or set(sources) - set(SOURCES):
        raise ValueError(f"negatives must be one or more of {list(SOURCES)}. Received: negatives={sources!r}")
    if len(counts) != len(sources) or any(count is not None and count < 1 for count in counts):
        raise ValueError(
            "num_negatives must be at least 1 or None, or contain one such number for each of the negatives. "
            f"Received: num_negatives={counts!r}, negatives={sources!r}"
        )
    if temperature is not None and not temperature > 0:
        raise ValueError(f"temperature must be positive or None. Received: temperature={temperature!r}")


def _check_frames(frames, name):
    if isinstance(frames, (list, tuple, dict)) or len(frames.shape) != 3 or frames.shape[-1] is None:
        received = type(frames).__name__ if not hasattr(frames, "shape") else f"shape {tuple(frames.shape)}"
        raise InputError(f"The {name} must return frames (batch, frames, channels). Received: {received}.")


def count_real(mask: Any) -> Any:
    """Return the number of real positions of each example, `(batch,)` int32."""
    return ops.sum(ops.cast(mask, "int32"), axis=1)


def real_frames(z: Any, mask: Any) -> Any:
    """Return the number of real frames, `(batch,)` int32."""
    if mask is not None:
        return count_real(mask)
    return ops.zeros((ops.shape(z)[0],), "int32") + ops.shape(z)[1]


def counting(lengths: Any, sample_weight: Any) -> Any:
    """Return the lengths, 0 for examples of weight 0, so that these are not negatives of others."""
    if sample_weight is None:
        return lengths
    return ops.where(ops.reshape(sample_weight, (-1,)) > 0, lengths, ops.zeros_like(lengths))


def prediction_weights(ahead: range, lengths: Any, frames: Any, sample_weight: Any) -> Any:
    """Return the weights `(batch, frames, steps)`: 1, or the example's weight, for real predicted frames."""
    real = ops.stack([sequence_mask(lengths - k, frames) for k in ahead], axis=2)
    weights = ops.cast(real, "float32")
    if sample_weight is None:
        return weights
    return weights * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1, 1))
