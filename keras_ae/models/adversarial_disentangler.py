"""Auto-encoder with an adversary that removes the information about a label from the embedding."""

from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, embedding_rows, integers_in
from keras_ae.models._data_checks import checked_array
from keras_ae.models.adversary import Adversary
from keras_ae.models.auto_encoder import AutoEncoder
from keras_ae.models.base import Player
from keras_ae.models.endpoint import Endpoint, with_labels
from keras_ae.models.stages import Stage, check_loss, check_reconstruction
from keras_ae.ops.core import Tensor, where_counted
from keras_ae.ops.sequences import (
    call_conditioned,
    call_masked,
    combine,
    crop,
    input_mask,
    mask_of,
    sequence_mask,
    unpack_inputs,
)
from keras_ae.ops.terms import LossTerm, mean_term, scalars, take_losses


@keras.saving.register_keras_serializable(package="keras_ae")
class AdversarialDisentangler(AutoEncoder):
    """Auto-encoder with an embedding from which a given label cannot be predicted.

    The decoder is conditioned on the label, and an adversary tries to predict it from the embedding.

    ```
    z     = encoder(x)                                          # should contain all but the label
    x_hat = decoder(z, label)
    loss  = mean reconstruction_loss(x, x_hat) + adversarial_weight * Adversary.encoder_loss(z, label)
    adversary_loss = CE(softmax(adversary(z)), label)           # z held fixed
    ```

    Encoder and decoder minimise `loss`, and the adversary minimises `adversary_loss`, in alternating
    updates. One `fit` runs through the stages "auto_encoder" (no adversary), "adversary" (only the
    adversary) and "joint" (both).

    Args:
        encoder: any `keras.Model`; one tensor in, one out.
        decoder: a Keras model from `[embedding, label (batch,)]` to the reconstruction. Without the label
            as an input, the embedding would have to contain it.
        adversary: a Keras model from the embedding to logits, see `models.Adversary`.
        label: name of the label in the inputs, integers `(batch,)`.
        adversarial_loss: "confusion", "entropy", "negative_cross_entropy" or "gradient_reversal", see
            `models.Adversary`.
        adversarial_weight: a float, or a `keras.optimizers.schedules` schedule of the joint steps: let
            it rise from 0, and keep the term small compared with the reconstruction loss.
        adversary_updates: number of updates of the adversary in each joint step, before the update of
            encoder and decoder.
        autoencoder_steps, adversary_steps: length of the first two stages in training steps; 0: the stage
            is skipped.
        reconstruction_loss: as in `AutoEncoder`.

    Inputs of `fit`, `evaluate`:
        x: `{"x": (batch, ...), label: (batch,)}`, with `"lengths": (batch,)` for padded sequences.
            `encode` and `embed` need no label.
        y, sample_weight: as in `AutoEncoder`; weights every term.

    Metrics:
        `loss`, `reconstruction_loss`, `adversarial_loss` (the encoder's term before its weight),
        `adversary_loss`, `adversary_accuracy`. The last two do not show how much of the label the
        embedding contains: measure this with `evaluation.probe`.

    Raises:
        ValueError: an unknown `adversarial_loss`, a weight or a number of steps below 0.
        InputError: the shapes of the networks do not match, or the inputs contain no label.

    Example:

    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    >>> z, label = keras.Input((2,)), keras.Input((), dtype="int32")
    >>> known = keras.layers.Concatenate()([z, keras.layers.Embedding(3, 4)(label)])
    >>> decoder = keras.Model([z, label], keras.layers.Dense(8)(known))
    >>> adversary = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> model = AdversarialDisentangler(encoder, decoder, adversary)
    >>> model.decode(model.encode(ops.ones((5, 8))), label=ops.zeros(5, "int32")).shape
    TensorShape([5, 8])

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812.
    """

    term_names = ("reconstruction_loss", "adversarial_loss", "adversary_loss", "adversary_accuracy")
    takes_tables = False

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Model,
        adversary: keras.Model,
        *,
        label: str = "label",
        adversarial_loss: str = "confusion",
        adversarial_weight: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        adversary_updates: int = 5,
        autoencoder_steps: int = 0,
        adversary_steps: int = 0,
        reconstruction_loss: Any = "mse",
        **kwargs: Any,
    ):
        if adversary_updates < 1:
            raise ValueError(f"adversary_updates must be at least 1. Received: {adversary_updates=}")
        super().__init__(encoder, decoder, reconstruction_loss=reconstruction_loss, **kwargs)
        self.adversary = Adversary(
            adversary, loss=adversarial_loss, weight=adversarial_weight, name="adversary"
        )
        self.label = label
        self.adversary_updates = adversary_updates
        self.autoencoder_steps, self.adversary_steps = autoencoder_steps, adversary_steps
        self.track_stages(
            Stage("auto_encoder", {"model": 1}, autoencoder_steps),
            Stage("adversary", {"adversary": 1}, adversary_steps),
            Stage("joint", {"adversary": adversary_updates, "model": 1}),
        )
        self._build_on_encoder()

    def _build_on_encoder(self):
        if hasattr(self, "adversary"):  # a built model accepts no further parts: wait for the last one
            super()._build_on_encoder()

    def input_shapes(self) -> dict[str, tuple[int | None, ...] | None]:
        return {**super().input_shapes(), self.label: (None,)}

    def input_rules(self) -> Any:
        sizes = {self.label: getattr(self.adversary, "num_classes", None)}
        return replace(super().input_rules(), trained_on=(self.label,), sizes=sizes)

    def build(self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]) -> None:
        if self.built:
            return
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        self.sample_shape = tuple(shape[1:])
        embedding = self.build_embedding(
            self.encoder(keras.KerasTensor((None, *self.sample_shape), dtype="float32"))
        )
        label = keras.KerasTensor((None,), dtype="int32")
        self.reconstruction_shape = tuple(self.decoder([embedding, label]).shape)
        check_reconstruction(self.reconstruction_shape, self.sample_shape)
        check_loss(self.reconstruction_loss, self.sample_shape)
        self.adversary.build(embedding.shape)
        self.built = True

    def players(self) -> list[Player]:
        """Return two players: encoder and decoder together, and the adversary."""
        return [
            Player("model", lambda: self.encoder.trainable_variables + self.decoder.trainable_variables),
            Player("adversary", lambda: self.adversary.trainable_variables, self.adversary_updates),
        ]

    # the decoder is conditioned on a label
    def decode(  # type: ignore[override]
        self, codes: Tensor, lengths: Tensor | None = None, *, label: Tensor
    ) -> Tensor:
        """Return the reconstruction from an embedding and the label `(batch,)`.

        `lengths` `(batch,)` counts the real codes of padded sequences.
        """
        embedding = ops.convert_to_tensor(checked_array("codes", codes))
        mask = None if lengths is None else sequence_mask(lengths, ops.shape(embedding)[1])
        return self._decoded(embedding, label, mask, training=False)

    def reconstruct(self, x: Any) -> Tensor:
        """Return the reconstruction of `{"x":, label:[, "lengths":]}` with the given label."""
        return self.call(self.checked_inputs(x), training=False)

    def decoder_output(self, embedding: Tensor, x: Any, training: bool | None) -> Tensor:
        return self._decoded(embedding, self.labels(x), mask_of(embedding), training)

    def decoder_conditions(self, x: Any) -> dict[str, Any]:
        return {"label": x.get(self.label) if isinstance(x, dict) else None}

    def labels(self, x: Any) -> Tensor:
        """Return the label of each example of the inputs `x`."""
        labels = x.get(self.label) if isinstance(x, dict) else None
        if labels is None:
            raise InputError(
                f'x must contain "{self.label}", which decoder and adversary require. '
                f"Received: {sorted(x) if isinstance(x, dict) else 'x alone'}. "
                f'Pass {{"x":, "{self.label}": (batch,) integers}}.'
            )
        return labels

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        values, lengths = unpack_inputs(x)
        embedding = call_masked(self.encoder, values, input_mask(values, lengths), training)
        added = take_losses(self.encoder)
        mask = mask_of(embedding)
        if player == "adversary":
            loss, accuracy = self.adversary.classifier_loss(
                embedding, self.labels(x), mask, sample_weight, training
            )
            loss = LossTerm.of(loss) + take_losses(self.adversary)
            return scalars({"loss": loss, "adversary_loss": loss, "adversary_accuracy": accuracy})
        terms = self._reconstruction_terms(embedding, x, y, sample_weight, training)
        loss = terms["reconstruction_loss"] + added + take_losses(self.decoder)
        if training and self.stage == "auto_encoder":
            return scalars({"loss": loss, **terms})
        term = LossTerm.of(self.adversary.encoder_loss(embedding, self.labels(x), mask, sample_weight))
        take_losses(self.adversary)  # drops the regularisers of the classifier, which belong to its own loss
        weight = self.adversary.weight.next(advance=bool(training) and self.trainable)
        return scalars({"loss": loss + weight * term, "adversarial_loss": term, **terms})

    def _reconstruction_terms(self, embedding, x, y, sample_weight, training):
        values, lengths = unpack_inputs(x)
        target = values if y is None else y
        reconstruction = self.decoder_output(embedding, x, training)
        weights = combine(input_mask(values, lengths), sample_weight)
        target = where_counted(target, weights)
        self.observe_reconstruction(target, crop(reconstruction, target), weights)
        return {"reconstruction_loss": mean_term(self.element_losses(target, reconstruction), weights)}

    def _decoded(self, embedding, label, mask, training):
        label = integers_in(self.label, label, embedding_rows(self.decoder))
        return call_conditioned(self.decoder, embedding, label, mask, training)

    # Exports

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `AutoEncoder`; all but `encode` take the label."""
        table = super().endpoints()
        encode = table["encode"]
        inputs = {name: spec for name, spec in encode.inputs.items() if name != self.label}
        table["encode"] = replace(encode, inputs=inputs)
        known = (embedding_rows(self.decoder), getattr(self.adversary, "num_classes", None))
        return with_labels(table, self.label, min((n for n in known if n is not None), default=None))

    def input_specs(self) -> dict[str, tf.TensorSpec]:
        return {**super().input_specs(), self.label: self._label_spec()}

    def code_specs(self) -> dict[str, tf.TensorSpec]:
        return {**super().code_specs(), self.label: self._label_spec()}

    def _label_spec(self):
        return tf.TensorSpec((None,), tf.int32, name=self.label)

    def _decode_endpoint(self, embedding, code_lengths=None, **label):
        return {"reconstruction": self.decode(embedding, code_lengths, label=label[self.label])}

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return self.reconstruction_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("bottleneck")
        names = ("label", "adversary_updates", "autoencoder_steps", "adversary_steps")
        return {
            **config,
            "adversary": keras.saving.serialize_keras_object(self.adversary.classifier),
            "adversarial_loss": self.adversary.loss,
            "adversarial_weight": self.adversary.weight.get_value_config(),
            **{name: getattr(self, name) for name in names},
        }
