"""Embedding as a one-hot vector, by the Gumbel-softmax."""

import keras
from keras import ops

from keras_ae.layers.bottleneck import Bottleneck, flatten_weights
from keras_ae.layers.scheduled_variable import ScheduledVariable
from keras_ae.losses.kl_to_uniform import categorical_kl_to_uniform
from keras_ae.metrics.code_counts import count_codes
from keras_ae.ops import argmax, straight_through, weighted_mean


@keras.saving.register_keras_serializable(package="keras_ae")
class GumbelOneHot(Bottleneck):
    """Turns logits into a one-hot embedding: the largest entry is 1, all others 0.

    ```
    training:   y = softmax((logits + g) / temperature),   g = -log(-log u),  u ~ U(0, 1)
                embedding = one_hot(argmax y) + y - sg[y]      (straight_through)
    inference:  embedding = one_hot(argmax logits)
    loss:       kl_weight * mean KL(softmax(logits) || uniform),  nats per position
    ```

    Args:
        temperature: float, or a `keras.optimizers.schedules.LearningRateSchedule` of
            the training steps, which are counted in a saved variable of the layer: a
            stock `fit` anneals it and a reload goes on where it was. The current value
            is the variable `layer.temperature`, which a callback may assign.
        straight_through: emit the hard one-hot in training too; else the soft sample.
        kl_weight: weight of the KL to the uniform prior (0: measured, not trained).
        seed: of the Gumbel noise.

    Call arguments:
        x: logits `(batch, ..., num_classes)`.
        mask: `(batch, ...)`, 1 = real.
        training: whether to train.
        return_codes: also return the codes.

    Output shape:
        embedding `(batch, ..., num_classes)`; codes int32 `(batch, ...)`: the sampled
        class in training, the largest logit otherwise.

    Metrics:
        `perplexity` and `usage` of the largest logits, `kl_loss`.

    Example:

    >>> layer = GumbelOneHot(temperature=0.5)
    >>> layer.encode(ops.array([[0.1, 2.0, -1.0]]))[0].numpy().item()
    1

    Reference:
        Jang et al., 2017, https://arxiv.org/abs/1611.01144; Maddison et al., 2017,
        https://arxiv.org/abs/1611.00712.
    """

    def __init__(
        self,
        *,
        temperature: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        straight_through: bool = True,
        kl_weight: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.straight_through = straight_through
        self.kl_weight = kl_weight
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.annealing = ScheduledVariable(temperature, name="temperature", positive=True)
        self.track_term("kl_loss")

    @property
    def temperature(self):
        """The variable that holds the current temperature."""
        return self.annealing.variable

    def build(self, input_shape):
        self.num_classes = input_shape[-1]
        if self.num_classes is None:
            raise ValueError(
                "GumbelOneHot expects logits of a known number of classes. "
                f"Received: shape={tuple(input_shape)}"
            )
        self.track_codes(self.num_classes)
        super().build(input_shape)

    def assign_codes(self, x):
        return argmax(x)

    def look_up(self, codes):
        return ops.one_hot(codes, self.num_classes, dtype="float32")

    def margin(self, x):
        """Gap of the two largest logits relative to their size."""
        best = ops.top_k(ops.cast(x, "float32"), 2)[0]
        return (best[..., 0] - best[..., 1]) / ops.maximum(ops.max(ops.abs(best), axis=-1), 1e-30)

    def train_call(self, x, weights):
        temperature = self.annealing.next(advance=self.trainable)
        soft = ops.softmax((x + self._gumbel(ops.shape(x))) / temperature, axis=-1)
        codes = argmax(soft)
        embedding = straight_through(soft, self.look_up(codes)) if self.straight_through else soft
        self.observe(x, embedding, argmax(x), weights)
        return embedding, codes

    def observe(self, x, embedding, codes, weights):
        terms = {"kl_loss": weighted_mean(categorical_kl_to_uniform(x), weights)}
        flat = ops.reshape(codes, (-1, 1))
        self.record_counts(count_codes(flat, flatten_weights(weights, x), self.num_classes))
        self.record_terms(terms, self.kl_weight * terms["kl_loss"] if self.kl_weight else None)

    def _gumbel(self, shape):
        # float32 uniforms in (0, 1): both logarithms stay finite
        uniform = keras.random.uniform(shape, 1e-7, 1.0 - 1e-7, dtype="float32", seed=self.seed_generator)
        return -ops.log(-ops.log(uniform))

    def compute_output_spec(self, x, mask=None, training=None, return_codes=False, sample_weight=None):
        embedding = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if not return_codes:
            return embedding
        return embedding, keras.KerasTensor(x.shape[:-1], dtype="int32")

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.annealing.get_value_config(),
            "straight_through": self.straight_through,
            "kl_weight": self.kl_weight,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "temperature": ScheduledVariable.value_from_config(config["temperature"])})
