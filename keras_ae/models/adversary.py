"""Adversarial classifier of a label, with the losses of the classifier and of the encoder."""

from typing import Any

import keras
from keras import ops

from keras_ae.errors import InputError, integers_in
from keras_ae.layers.base import ScheduledVariable
from keras_ae.layers.gradient_reversal import GradientReversal
from keras_ae.losses.divergences import categorical_kl, categorical_kl_to_uniform
from keras_ae.ops.core import Tensor, argmax
from keras_ae.ops.sequences import call_under_mask, combine, mask_of
from keras_ae.ops.terms import mean_term, weighted_mean

LOSSES = ("confusion", "entropy", "negative_cross_entropy", "gradient_reversal")


@keras.saving.register_keras_serializable(package="keras_ae")
class Adversary(keras.layers.Layer):
    """Classifier that predicts a label from an embedding `z`, and the encoder's loss against it.

    ```
    p = softmax(C(z))
    classifier_loss = CE(p, label),                  z held fixed
    encoder_loss    = KL(uniform || p)               "confusion": -mean_k log p_k - log K, at least 0
                    = KL(p || uniform)               "entropy": log K - H(p), in [0, log K]
                    = -CE(p, label)                  "negative_cross_entropy": not bounded
                    = CE(softmax(C(R(z))), label)    "gradient_reversal": R reverses the gradient
    ```

    The encoder adds `weight * encoder_loss` to its own loss; this does not change the classifier. The
    last two losses give the encoder the same gradient. They are also minimised by making the classifier
    confidently wrong, which still reveals the label: use small weights. The first two are minimised when
    the classifier's output is uniform. The gradient of "entropy" vanishes where the classifier is certain,
    as it is after a warm-up without the encoder's loss; the gradient of "confusion" is largest there.

    A failure of this classifier proves nothing: only a classifier that is newly trained on the finished
    encoder's embeddings, and evaluated on other examples, measures what is left (`evaluation.probe`).

    Args:
        classifier: a Keras model from the embedding to logits, `(batch, classes)`, or
            `(batch, ..., classes)` for a prediction at each position.
        loss: loss of the encoder: "confusion", "entropy", "negative_cross_entropy" or "gradient_reversal".
        weight: weight of the encoder's term; a float, or a `keras.optimizers.schedules` schedule of the
            training steps in which the encoder is updated against the classifier.

    Raises:
        ValueError: the loss is unknown, or the weight is negative.
        InputError: the classifier has fewer than two classes.

    Example:

    >>> classifier = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, kernel_initializer="zeros")])
    >>> adversary = Adversary(classifier)
    >>> float(adversary.encoder_loss(ops.ones((3, 2)), ops.array([0, 1, 2])))
    0.0

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812; confusion: Tzeng et al., 2015,
        https://arxiv.org/abs/1510.02192; gradient reversal: Ganin and Lempitsky, 2015,
        https://arxiv.org/abs/1409.7495.
    """

    built: bool

    def __init__(
        self,
        classifier: keras.Model,
        *,
        loss: str = "confusion",
        weight: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "autocast": False})
        if loss not in LOSSES:
            raise ValueError(
                f"adversarial_loss must be one of {list(LOSSES)}. Received: adversarial_loss={loss!r}"
            )
        self.classifier = classifier
        self.loss = loss
        self.weight = ScheduledVariable(weight, name="adversarial_weight")
        if self.weight.start < 0:
            raise ValueError(
                f"adversarial_weight must be at least 0. Received: adversarial_weight={weight!r}"
            )
        # Used also without reversal: all gradients of the classifier are summed in this layer first. What
        # remains is a sum of two, theirs and the decoder's, which is the same in either order.
        self.reversal = GradientReversal(1.0 if loss == "gradient_reversal" else -1.0, name="reversal")

    def build(self, embedding_shape: tuple[int | None, ...]) -> None:
        if self.built:
            return
        embedding = keras.KerasTensor(embedding_shape, dtype="float32")
        shape = self.classifier(embedding).shape
        if len(shape) < 2 or shape[-1] is None or shape[-1] < 2:
            raise InputError(
                "The adversary must return logits (batch, classes) of at least two classes. "
                f"Received: shape {tuple(shape)}"
            )
        self.num_classes = shape[-1]
        self.built = True

    def logits(self, embedding: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Return the classifier's logits in float32, with their mask."""
        outputs = call_under_mask(self.classifier, embedding, mask, training)
        logits = ops.cast(outputs, "float32")
        if mask is not None and len(logits.shape) > 2:
            logits._keras_mask = mask_of(outputs)
        return logits

    def classifier_loss(
        self,
        embedding: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Return `(loss, accuracy)` of the classifier; no gradient reaches the embedding."""
        logits = self.logits(ops.stop_gradient(embedding), mask, training)
        labels, weights = _targets(logits, labels), combine(mask_of(logits), sample_weight)
        loss = _cross_entropy(labels, logits)
        hits = ops.cast(ops.equal(labels, argmax(logits)), "float32")
        return weighted_mean(loss, weights), weighted_mean(hits, weights)

    def encoder_loss(
        self,
        embedding: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the encoder's term before its weight; the classifier runs in inference mode."""
        logits = self.logits(self.reversal(embedding), mask)
        weights = combine(mask_of(logits), sample_weight)
        if self.loss == "entropy":
            return weighted_mean(categorical_kl_to_uniform(logits), weights)
        if self.loss == "confusion":
            uniform = ops.zeros_like(logits)
            return weighted_mean(categorical_kl(uniform, logits), weights)
        loss = mean_term(_cross_entropy(_targets(logits, labels), logits), weights)
        return (loss if self.loss == "gradient_reversal" else -loss).value


def _targets(logits, labels):
    """Return a label for each prediction, `(batch, ...)` int32."""
    labels = integers_in("labels", labels, logits.shape[-1])
    labels = ops.reshape(labels, (-1, *[1] * (len(logits.shape) - 2)))
    return ops.broadcast_to(labels, ops.shape(logits)[:-1])


def _cross_entropy(labels, logits):
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
