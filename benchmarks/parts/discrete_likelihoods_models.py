"""The two networks of the Gumbel-softmax paper's Table 1, and the ways to train them."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.layers import AugmentReinforceMerge, BinaryBottleneck, GumbelOneHot, ScoreFunction
from keras_ae.losses import bernoulli_log_prob
from keras_ae.models import BaseModel, DiscreteVariationalAutoEncoder
from keras_ae.ops.terms import weighted_mean

UNITS = 200  # 20 variables of 10 classes, or 200 bits
GROUPS = 20
# estimator: (how the categorical layer is made, how the binary one, who estimates the gradient)
LAYERS = {
    "score_function": ({}, {}, "score_function"),
    "straight_through": ({"estimator": "softmax"}, {"stochastic": True}, "pathwise"),
    "gumbel": ({"straight_through": False}, {"estimator": "gumbel", "straight_through": False}, "pathwise"),
    "st_gumbel": ({}, {"estimator": "gumbel"}, "pathwise"),
    "reinmax": ({"estimator": "reinmax"}, None, "pathwise"),
    "arm": (None, {}, "arm"),
}


def bottleneck(kind, estimator, temperature, **options):
    """`(layer, who estimates the gradient)`; the temperature is that of the relaxations."""
    categorical, binary, by = LAYERS[estimator]
    if estimator in ("gumbel", "st_gumbel", "reinmax"):
        options["temperature"] = temperature
    if kind == "categorical":
        return GumbelOneHot(num_groups=GROUPS, **categorical, **options), by
    return BinaryBottleneck(**binary, **options), by


def centred(mean, units, name):
    """A linear map of the pixels less their mean over the training images."""
    shift = keras.layers.Rescaling(1.0, offset=-mean)
    return keras.Sequential([keras.Input((len(mean),)), shift, keras.layers.Dense(units)], name=name)


def likelihood_map(units, mean, **options):
    """A linear map to the logits of pixels, which starts at the log-odds of their mean."""
    mean = np.clip(mean, 1e-4, 1 - 1e-4)
    start = keras.initializers.Constant(np.log(mean / (1 - mean)).tolist())
    return keras.layers.Dense(units, bias_initializer=start, **options)


def vae(kind, estimator, mean, seed, temperature=0.5, activation="relu"):
    """784-(20x10)-200-784 or 784-200-200-784: linear encoder, one hidden layer in the decoder."""
    layer, by = bottleneck(kind, estimator, temperature, prior="learned", seed=seed)
    hidden = keras.layers.Dense(UNITS, activation=activation)
    decoder = keras.Sequential([keras.Input((UNITS,)), hidden, likelihood_map(len(mean), mean)])
    return DiscreteVariationalAutoEncoder(centred(mean, UNITS, "encoder"), decoder, layer, estimator=by)


class StochasticBeliefNetwork(BaseModel):
    """392-200-200-392: `p(y|x) = E_(h1 ~ p(h1|x), h2 ~ p(h2|h1)) p(y|h2)`, without an inference network.

    `loss = -log 1/S sum_s p(y|h_s)` by pathwise estimators, whose gradient passes the
    samples; `-mean_s log p(y|h_s)` by the others.
    """

    def __init__(self, kind, estimator, mean, seed, temperature=0.5, num_samples=1):
        super().__init__()
        upper, lower = np.split(np.asarray(mean), 2)
        made = [bottleneck(kind, estimator, temperature, seed=2 * seed + level) for level in (0, 1)]
        self.layers_of_units, by = [layer for layer, _ in made], made[0][1]
        self.maps = [centred(upper, UNITS, "first"), keras.layers.Dense(UNITS)]
        self.head = likelihood_map(len(lower), lower)
        estimators = {"score_function": ScoreFunction, "arm": AugmentReinforceMerge}
        self.estimator = estimators[by]() if by in estimators else None
        self.num_samples = max(2, num_samples) if by == "score_function" else num_samples
        self.build((None, len(upper)))

    def build(self, input_shape):
        values = keras.KerasTensor(input_shape)
        for dense, layer in zip(self.maps, self.layers_of_units, strict=True):
            values = layer(dense(values))
        self.head(values)
        self.built = True

    def call(self, x, training=None):
        for dense, layer in zip(self.maps, self.layers_of_units, strict=True):
            x = layer(dense(x), training=training)
        return ops.sigmoid(self.head(x))

    def compute_terms(self, x, y, sample_weight, training, player):
        if training and isinstance(self.estimator, AugmentReinforceMerge):
            losses = self._by_pairs(x, y)
        elif training and self.estimator is not None:
            losses = ops.mean(self.estimator(*self._scored(x, y), training=True), axis=0)
        else:
            losses = -self._bound(x, y, training)
        for layer in self.layers_of_units:
            layer._clear_losses()  # their KL is measured, and not part of this objective
        return {"loss": weighted_mean(losses, sample_weight)}

    def nll(self, x, y, num_samples):
        """`-log 1/S sum_s p(y|h_s)` with hard samples, `(batch,)`."""
        logits = self.maps[0](x)

        def more(left, total):
            return left - 1, ops.logaddexp(total, self._log_likelihood(y, self._draw_from(logits)))

        start = (ops.convert_to_tensor(num_samples, "int32"), ops.full(ops.shape(x)[:1], -1e30))
        _, total = tf.while_loop(lambda left, _: left > 0, more, start, parallel_iterations=1)
        return math.log(num_samples) - total

    def _bound(self, x, y, training):
        logits, y = self._repeated(self.maps[0](x)), self._repeated(y)
        if training:
            h = self.layers_of_units[0](logits, training=True)
            h = self.layers_of_units[1](self.maps[1](h), training=True)
        else:
            h = self._draw_from(logits)
        each = ops.reshape(self._log_likelihood(y, h), (self.num_samples, -1))
        return ops.logsumexp(each, axis=0) - math.log(self.num_samples)

    def _scored(self, x, y):
        logits, y = self._repeated(self.maps[0](x)), self._repeated(y)
        first, second = self.layers_of_units
        codes = first.draw(logits)
        next_logits = self.maps[1](first.decode(codes))
        next_codes = second.draw(next_logits)
        losses = -self._log_likelihood(y, second.decode(next_codes))
        log_probs = first.log_prob(logits, codes) + second.log_prob(next_logits, next_codes)
        return [ops.reshape(each, (self.num_samples, -1)) for each in (losses, log_probs)]

    def _by_pairs(self, x, y):
        """One pair of samples of the first layer, and one of the second given one of these."""
        first, second = self.layers_of_units
        logits = self.maps[0](x)
        codes, uniform = self.estimator.draw(logits)
        losses = [-self._log_likelihood(y, self._next(first.decode(codes[i]))) for i in (0, 1)]
        of_first = self.estimator(ops.stack(losses), logits, uniform)
        next_logits = self.maps[1](first.decode(codes[0]))
        next_codes, uniform = self.estimator.draw(next_logits)
        losses = [-self._log_likelihood(y, second.decode(next_codes[i])) for i in (0, 1)]
        of_second = self.estimator(ops.stop_gradient(ops.stack(losses)), next_logits, uniform)
        return of_first + of_second - ops.stop_gradient(of_second)

    def _draw_from(self, logits):
        first = self.layers_of_units[0]
        return self._next(first.decode(first.draw(logits)))

    def _next(self, h):
        second = self.layers_of_units[1]
        return second.decode(second.draw(self.maps[1](h)))

    def _log_likelihood(self, y, h):
        return ops.sum(bernoulli_log_prob(self.head(h), y), axis=-1)

    def _repeated(self, x):
        return ops.concatenate([x] * self.num_samples) if self.num_samples > 1 else x
