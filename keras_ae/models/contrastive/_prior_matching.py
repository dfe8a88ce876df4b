"""Discriminator that makes the distribution of embeddings match a prior."""

import keras
from keras import ops

from keras_ae.layers.base import QuantizableLayer
from keras_ae.ops.terms import mean_term


@keras.saving.register_keras_serializable(package="keras_ae")
class PriorMatching(QuantizableLayer):
    """Discriminator between draws `v` of a prior and embeddings `z`, with the losses of both sides.

    ```
    discriminator_loss = mean softplus(-D(v)) + mean softplus(D(z)),    z held fixed
    encoder_loss       = mean softplus(-D(z)),                          the non-saturating term
    ```

    The encoder must not minimise `discriminator_loss`, which would help the discriminator.

    Args:
        prior: "uniform": the inputs of `D` are `sigmoid(z)` and draws from [0, 1); "gaussian": they are
            `z` and standard normal draws.
        units: sizes of the hidden layers.
        seed: seed of the draws.

    Input: `(batch, dim)`; output: logits `D`, `(batch,)`.

    Reference:
        Hjelm et al., 2019, equation 7, https://arxiv.org/abs/1808.06670;
        Goodfellow et al., 2014, section 3, https://arxiv.org/abs/1406.2661.

    Example:

    >>> matching = PriorMatching("gaussian", (8,))
    >>> round(float(matching.discriminator_loss(ops.zeros((2, 3)))), 1) > 0
    True
    """

    def __init__(self, prior="uniform", units=(1000, 200), *, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.prior = checked_prior(prior)
        self.units = tuple(units)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        own = {"dtype": self.dtype_policy}
        self.hidden = [keras.layers.Dense(size, activation="relu", **own) for size in self.units]
        self.logit = keras.layers.Dense(1, **own)

    def build(self, input_shape):
        size = input_shape[-1]
        for layer in (*self.hidden, self.logit):
            layer.build((None, size))
            size = layer.units

    def call(self, embedding):
        hidden = ops.sigmoid(embedding) if self.prior == "uniform" else embedding
        return self._logits(hidden)

    def encoder_loss(self, embedding, weights=None):
        """Return the loss that the encoder minimises; it must not update the discriminator's variables."""
        return mean_term(ops.softplus(-self(embedding)), weights).value

    def discriminator_loss(self, embedding, weights=None):
        """Return the loss that the discriminator minimises; no gradient reaches the embedding."""
        logits = self(ops.stop_gradient(embedding))
        draw = keras.random.uniform if self.prior == "uniform" else keras.random.normal
        drawn = self._logits(draw(ops.shape(embedding), dtype=embedding.dtype, seed=self.seed_generator))
        both = mean_term(ops.softplus(-drawn), weights) + mean_term(ops.softplus(logits), weights)
        return both.value

    def _logits(self, hidden):
        for layer in self.hidden:
            hidden = layer(hidden)
        return ops.cast(self.logit(hidden)[:, 0], "float32")

    def get_config(self):
        return {**super().get_config(), "prior": self.prior, "units": list(self.units), "seed": self.seed}


def checked_prior(prior):
    """Return `prior`, checked even if the weight of its term is 0."""
    if prior not in ("uniform", "gaussian"):
        raise ValueError(f"prior must be 'uniform' or 'gaussian'. Received: prior={prior!r}")
    return prior
