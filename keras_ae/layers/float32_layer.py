"""Float32 inside, whatever the dtype policy."""

import keras
from keras import ops

from keras_ae.ops.terms import TAG


class Float32Layer(keras.layers.Layer):
    """Base of layers whose arithmetic, state and metrics are float32 under every dtype policy.

    A subclass casts its inputs to float32, names the dtype of its weights, and casts what
    it returns to `compute_dtype`. Masks are handed on.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        self.supports_masking = True

    @property
    def variable_dtype(self):
        """The compute dtype, although the weights are float32.

        Where the two differ, Keras reads every variable in the compute dtype during
        `call`, in spite of `autocast=False`: metrics would count in half precision, whose
        whole numbers end at 2048 (float16) or 256 (bfloat16).
        """
        return self.compute_dtype

    def add_loss(self, loss):
        # Keras adds it to losses in `floatx`, and does not add a float32 to a float64
        if keras.config.floatx() == "float64":
            parts = getattr(loss, TAG, None)
            loss = ops.cast(loss, "float64")
            if parts is not None:
                setattr(loss, TAG, parts)
        return super().add_loss(loss)

    def compute_mask(self, inputs, previous_mask):
        return previous_mask
