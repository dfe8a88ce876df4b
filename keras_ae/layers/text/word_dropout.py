"""Word dropout."""

from typing import Any

import keras
from keras import ops

from keras_ae.text.vocabulary import PADDING, UNKNOWN


@keras.saving.register_keras_serializable(package="keras_ae")
class WordDropout(keras.layers.Layer):
    """Word dropout: replaces random words by the unknown word, in training only.

    A small corpus is memorised within an epoch or two; sentences that differ slightly each time are not.
    It also trains the vector of the unknown word, which occurs in few sentences otherwise.

    Args:
        rate: probability that a word is replaced.
        seed: seed of the draws.

    Input and output shape:
        int word ids `(batch, words)`; padding, 0, stays padding.

    Raises:
        ValueError: for a `rate` outside of [0, 1).

    Example:

    >>> WordDropout(0.5, seed=0)(ops.array([[5, 6, 0]]), training=False).numpy().tolist()
    [[5, 6, 0]]

    Reference:
        Iyyer et al., 2015, section 3, https://aclanthology.org/P15-1162.
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"WordDropout: rate must be at least 0 and below 1. Received: rate={rate}")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, ids: Any, training: bool | None = None) -> Any:
        if not training or not self.rate:
            return ids
        dropped = keras.random.uniform(ops.shape(ids), dtype="float32", seed=self.seed_generator) < self.rate
        return ops.where(ops.logical_and(dropped, ids != PADDING), ops.cast(UNKNOWN, ids.dtype), ids)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(self, ids: Any, training: bool | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype=ids.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
