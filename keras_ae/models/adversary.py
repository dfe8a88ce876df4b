"""A classifier that reads a label from an embedding, and what an encoder does against it."""

import keras
from keras import ops

from keras_ae.errors import InputError, integers_in
from keras_ae.layers.base import ScheduledVariable
from keras_ae.layers.gradient_reversal import GradientReversal
from keras_ae.losses.divergences import categorical_kl, categorical_kl_to_uniform
from keras_ae.ops.core import argmax
from keras_ae.ops.sequences import call_under_mask, combine, mask_of
from keras_ae.ops.terms import mean_term, weighted_mean

LOSSES = ("confusion", "entropy", "negative_cross_entropy", "gradient_reversal")


@keras.saving.register_keras_serializable(package="keras_ae")
class Adversary(keras.layers.Layer):
    """The two sides of a game about a label that an embedding `z` is not to tell.

    ```
    p = softmax(C(z))
    classifier_loss = CE(p, label),                  z held fixed
    encoder_loss    = KL(uniform || p)               "confusion": -mean_k log p_k - log K, at least 0
                    = KL(p || uniform)               "entropy": log K - H(p), in [0, log K]
                    = -CE(p, label)                  "negative_cross_entropy": without bound
                    = CE(softmax(C(R(z))), label)    "gradient_reversal": R turns the gradient round
    ```

    The encoder adds `weight * encoder_loss` to its own loss; the classifier is not changed by it. The
    last two give the encoder the same gradient. They can be won by a classifier that is confidently
    wrong, which still tells the label: their weights are small. The first two are won by a
    classifier that knows nothing. The gradient of "entropy" vanishes where the classifier is
    sure, as it is after a warm-up without an opponent; that of "confusion" is largest there.

    That this classifier fails proves nothing: only one that is trained afresh on the finished encoder's
    embeddings of other examples tells what is left (`evaluation.probe`).

    Args:
        classifier: a Keras model from the embedding to logits, `(batch, classes)`, or
            `(batch, ..., classes)` for a verdict at each position.
        loss: of the encoder, "confusion", "entropy", "negative_cross_entropy" or "gradient_reversal".
        weight: of the encoder's term; a float, or a `keras.optimizers.schedules` schedule of the
            training steps in which the encoder moves against the classifier.

    Raises:
        ValueError: an unknown loss, or a negative weight.
        InputError: a classifier of fewer than two classes.

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

    def __init__(self, classifier, *, loss: str = "confusion", weight=1.0, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        if loss not in LOSSES:
            raise ValueError(f"adversarial_loss is one of {list(LOSSES)}. Received: {loss!r}")
        self.classifier = classifier
        self.loss = loss
        self.weight = ScheduledVariable(weight, name="adversarial_weight")
        if self.weight.start < 0:
            raise ValueError(f"adversarial_weight is at least 0. Received: {weight!r}")
        # also where nothing is reversed: all gradients of the classifier meet here, and a sum of two, theirs
        # and the decoder's, is the same in either order
        self.reversal = GradientReversal(1.0 if loss == "gradient_reversal" else -1.0, name="reversal")

    def build(self, embedding_shape):
        if self.built:
            return
        embedding = keras.KerasTensor(embedding_shape, dtype="float32")
        shape = self.classifier(embedding).shape
        if len(shape) < 2 or shape[-1] is None or shape[-1] < 2:
            raise InputError(
                "The adversary returns logits (batch, classes) of at least two classes. "
                f"Received: shape {tuple(shape)}"
            )
        self.num_classes = shape[-1]
        self.built = True

    def logits(self, embedding, mask=None, training=False):
        """What the classifier says, float32, with its mask."""
        outputs = call_under_mask(self.classifier, embedding, mask, training)
        logits = ops.cast(outputs, "float32")
        if mask is not None and len(logits.shape) > 2:
            logits._keras_mask = mask_of(outputs)
        return logits

    def classifier_loss(self, embedding, labels, mask=None, sample_weight=None, training=True):
        """`(loss, accuracy)` of the classifier; no gradient reaches the embedding."""
        logits = self.logits(ops.stop_gradient(embedding), mask, training)
        labels, weights = _targets(logits, labels), combine(mask_of(logits), sample_weight)
        loss = _cross_entropy(labels, logits)
        hits = ops.cast(ops.equal(labels, argmax(logits)), "float32")
        return weighted_mean(loss, weights), weighted_mean(hits, weights)

    def encoder_loss(self, embedding, labels, mask=None, sample_weight=None):
        """The encoder's term, before its weight; the classifier is as in inference."""
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
    """A label for each verdict, `(batch, ...)` int32."""
    labels = integers_in("labels", labels, logits.shape[-1])
    labels = ops.reshape(labels, (-1, *[1] * (len(logits.shape) - 2)))
    return ops.broadcast_to(labels, ops.shape(logits)[:-1])


def _cross_entropy(labels, logits):
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
