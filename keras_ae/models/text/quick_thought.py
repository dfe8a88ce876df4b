"""Quick-thought: sentence embeddings trained by classification of neighbours, without a decoder."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # keras.ops has no custom gradients and no control dependencies
from keras import ops

from keras_ae.errors import InputError
from keras_ae.losses.contrastive import chance_loss, context_accuracy, context_masks, context_prediction
from keras_ae.models.text.sentence_model import SentenceModel
from keras_ae.ops.core import Tensor, assign_finite, gather_over_replicas
from keras_ae.ops.terms import mean_term, scalars, take_losses

SELF_MASKS = ("exclude", "zero")


@keras.saving.register_keras_serializable(package="keras_ae")
class QuickThought(SentenceModel):
    """Quick-thought vectors: the neighbours of a sentence are picked out of the sentences of the batch.

    ```
    u[i, k] = f(s_i) . g(s_k)
    loss    = -mean_i mean_{j = i - 1, i + 1} log( exp u[i, j] / sum_{k != i} exp u[i, k] )
    vector  = [f(s) ; g(s)]
    ```

    Batches are blocks of consecutive sentences, `training.datasets.sentence_blocks`: two sentences are
    neighbours if they follow each other in one document. Never shuffle sentences.
    Candidates that are equal to a neighbour are excluded, see `losses.context_masks`. The number of
    sentences in a batch determines how hard the task is: use hundreds.

    Args:
        encoder: `f`, any model from int32 `(batch, words)`, zero after the end of each sentence, to
            `(batch, dim)`, such as `networks.recurrent_sentence_encoder` or `bag_of_words_encoder`.
        context_encoder: `g`, another model with separate weights and the same `dim`.
        self_mask: "exclude": a sentence is not a candidate for itself; "zero": its own score is 0,
            as in the code of the authors.
        sub_batches: number of parts in which a batch is encoded. Intermediate values are recomputed for the
            gradients and not stored: the same gradients in less memory. `None`: all at once.
        vocabulary, max_words: see `SentenceModel`.

    Inputs of `fit`, `evaluate`:
        x: `{"ids": (batch, words), "lengths", "document", "position", "sentence": (batch,)}`, integers;
            `sentence`, equal integers for equal sentences, is optional.
        sample_weight: `(batch,)`; a sentence of weight 0 is not a candidate either.

    Metrics:
        `loss`; `gain`, the difference in nats between the loss of equal scores and `loss`: the loss of equal
        scores is log(candidates - 1) if no two sentences are equal; `context_accuracy`, the share of
        sentences whose best candidate is a neighbour (2 / (candidates - 1) by chance).

    Under replicas the candidates are the sentences of the global batch.

    Raises:
        ValueError: `self_mask` is unknown; `sub_batches` is below 1.
        InputError: the encoders do not return vectors of the same size; no `document` or `position`.

    Example:

    >>> from keras_ae.networks import bag_of_words_encoder
    >>> words = ["how", "much", "is", "this"]
    >>> model = QuickThought(bag_of_words_encoder(6, 4), bag_of_words_encoder(6, 4), vocabulary=words)
    >>> model.compile("adam")
    >>> model.encode(["How much is this?", "How much?"]).shape
    (2, 8)

    Reference:
        Logeswaran and Lee, 2018, https://arxiv.org/abs/1803.02893; gradients in parts: Gao et al., 2021,
        https://arxiv.org/abs/2101.06983.
    """

    def __init__(
        self,
        encoder: keras.Model,
        context_encoder: keras.Model,
        *,
        self_mask: str = "exclude",
        sub_batches: int | None = None,
        vocabulary: Any = None,
        max_words: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(vocabulary=vocabulary, max_words=max_words, **kwargs)
        if self_mask not in SELF_MASKS:
            raise ValueError(
                f"self_mask must be one of {list(SELF_MASKS)}. Received: self_mask={self_mask!r}"
            )
        if sub_batches is not None and sub_batches < 1:
            raise ValueError(f"sub_batches must be at least 1 or None. Received: sub_batches={sub_batches!r}")
        self.encoder, self.context_encoder = encoder, context_encoder
        self.self_mask = self_mask
        self.sub_batches = sub_batches
        self.track_terms("gain", "context_accuracy")
        if encoder.built and context_encoder.built:
            self.build()

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        ids = keras.KerasTensor((None, None), dtype="int32")
        shapes = [tuple(encoder(ids).shape) for encoder in (self.encoder, self.context_encoder)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"encoder and context_encoder must return vectors of the same size. Received: {shapes}."
            )
        super().build(input_shape)

    def input_rules(self) -> Any:
        made_by = "keras_ae.training.datasets.sentence_blocks"
        return replace(super().input_rules(), trained_on=("document", "position"), made_by=made_by)

    def check_batch(self, x: Any, sample_weight: Tensor | None = None) -> None:
        super().check_batch(x, sample_weight)
        rows = np.stack([np.asarray(x[name]).reshape(-1) for name in ("document", "position")], axis=1)
        if sample_weight is not None:
            rows = rows[np.asarray(sample_weight).reshape(-1) != 0]
        there = set(map(tuple, rows.tolist()))
        if not any((document, position + 1) in there for document, position in there):
            raise InputError(
                "x must contain consecutive sentences: equal `document`, `position` one apart. "
                f"Received: 0 of {len(rows)} sentences with a neighbour. Do not shuffle sentences; "
                "keras_ae.training.datasets.sentence_blocks returns such batches."
            )

    def vectors(self, ids: Tensor, training: bool | None = False) -> Tensor:
        return ops.concatenate(
            [encoder(ids, training=training) for encoder in (self.encoder, self.context_encoder)], axis=-1
        )

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        ids = self.padded_ids(x)
        rows, added = self._encoded(self.encoder, ids, training)
        columns, more = self._encoded(self.context_encoder, ids, training)
        scores = ops.matmul(rows, ops.transpose(gather_over_replicas(columns)[0]))
        neighbour, part, own = self._masks(x, sample_weight)
        hits = context_accuracy(scores, neighbour, part)
        if self.self_mask == "zero":
            scores, part = ops.where(own, 0.0, scores), ops.logical_or(part, own)
        weights = _weights(neighbour, sample_weight)
        loss = mean_term(context_prediction(scores, neighbour, part), weights)
        terms = {
            "gain": mean_term(chance_loss(part), weights) - loss,
            "context_accuracy": mean_term(hits, weights),
        }
        return scalars({"loss": loss + added + more, **terms})

    def _encoded(self, encoder, ids, training):
        """Return the vectors in float32, and the losses that the encoder adds."""
        if self.sub_batches is None or not training:
            vectors, added = encoder(ids, training=training), take_losses(encoder)
        else:
            vectors, added = encode_in_parts(encoder, ids, self.sub_batches)
        return ops.cast(vectors, "float32"), added

    def _masks(self, x, sample_weight):
        """Return `context_masks` of the batch among all sentences of the global batch that have a weight."""
        missing = [name for name in ("document", "position") if not isinstance(x, dict) or name not in x]
        if missing:
            raise InputError(
                'x must be {"ids":, "lengths":, "document":, "position":, "sentence":} of consecutive '
                f"sentences for QuickThought. Received: no {' and no '.join(missing)}. "
                "keras_ae.training.datasets.sentence_blocks returns such batches."
            )
        own = [x["document"], x["position"], x.get("sentence")]
        everyone = [_gathered(part) for part in own]
        neighbour, part, self_ = context_masks(*own, everyone)
        if sample_weight is not None:
            counts = _gathered(ops.reshape(sample_weight, (-1,))) > 0
            neighbour, part, self_ = (ops.logical_and(mask, counts) for mask in (neighbour, part, self_))
        return neighbour, part, self_

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "context_encoder": keras.saving.serialize_keras_object(self.context_encoder),
            "self_mask": self.self_mask,
            "sub_batches": self.sub_batches,
        }


def _gathered(part):
    return None if part is None else gather_over_replicas(ops.convert_to_tensor(part))[0]


def _weights(neighbour, sample_weight):
    """Return the weight of each sentence, 0 for sentences without neighbours."""
    weights = ops.cast(ops.any(neighbour, axis=1), "float32")
    if sample_weight is None:
        return weights
    return weights * ops.cast(ops.reshape(sample_weight, (-1,)), "float32")


def encode_in_parts(encoder: keras.Layer, ids: Tensor, parts: int) -> tuple[Tensor, Tensor]:
    """Return `encoder(ids, training=True)`, computed in `parts` sub-batches to save memory.

    Only the vectors are stored. For the gradients, each part is encoded again, with the same random numbers,
    and its gradients are added to those of the previous parts. The gradients are those of the whole batch,
    but intermediate values are in memory for one part at a time. An encoder whose examples depend on each
    other, such as by batch normalisation, uses the statistics of a part.

    Args:
        encoder: any built model or layer.
        ids: `(batch, ...)`.
        parts: number of sub-batches.

    Returns:
        the vectors `(batch, dim)`; the sum of the losses that the encoder adds, averaged over parts.

    Reference:
        Gao et al., 2021, https://arxiv.org/abs/2101.06983.
    """
    weights = [tf.convert_to_tensor(v.value) for v in encoder.trainable_variables]
    state = [tf.convert_to_tensor(v.value) for v in encoder.non_trainable_variables]
    rows = tf.shape(ids)[0]
    bounds = [rows * part // parts for part in range(parts + 1)]

    def encoded(part, weights, state):
        inputs = ids[bounds[part] : bounds[part + 1]]
        vectors, state, losses = encoder.stateless_call(
            weights, state, inputs, training=True, return_losses=True
        )
        return vectors, tf.add_n([0.0, *losses]) / parts, state

    @tf.custom_gradient
    def run(*weights):
        states, vectors, added = [state], [], []
        for part in range(parts):
            with tf.control_dependencies(vectors[-1:]):
                own, losses, after = encoded(part, weights, states[-1])
            vectors.append(own)
            added.append(losses)
            states.append(after)

        def gradient(of_vectors, of_added, *_):
            total = [tf.zeros_like(weight) for weight in weights]
            for part in range(parts):
                # Wait for the previous part and for the loss, so that only one part is in memory at a time.
                with tf.control_dependencies([of_vectors, *total]), tf.GradientTape() as tape:
                    tape.watch(weights)
                    own, losses, _ = encoded(part, weights, states[part])
                from_here = of_vectors[bounds[part] : bounds[part + 1]]
                gradients = tape.gradient([own, losses], weights, [from_here, of_added])
                total = [t if g is None else t + g for t, g in zip(total, gradients, strict=True)]
            return total

        return (tf.concat(vectors, 0), tf.add_n(added), *states[-1]), gradient

    vectors, added, *after = run(*weights)
    _keep(encoder.non_trainable_variables, after)
    return vectors, added


def _keep(variables, values):
    """Assign the state: seeds always, statistics only if all are finite."""
    pairs = list(zip(variables, values, strict=True))
    statistics = [pair for pair in pairs if keras.backend.is_float_dtype(pair[0].dtype)]
    for variable, value in pairs:
        if not keras.backend.is_float_dtype(variable.dtype):
            variable.assign(tf.stop_gradient(value))
    if statistics:
        assign_finite(*statistics)
