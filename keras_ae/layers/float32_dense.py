"""Dense layer that stays float32 under every dtype policy and quantisation."""

import keras


@keras.saving.register_keras_serializable(package="keras_ae")
class Float32Dense(keras.layers.Dense):
    """`keras.layers.Dense` in float32, which `model.quantize` does not change.

    For maps whose rounding changes the result: the codes of a quantiser, the variance of a
    Gaussian. They are small compared with the networks around them.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **{**kwargs, "dtype": "float32"})

    def quantize(self, mode=None, type_check=True, config=None):
        """Keep the weights in float32, whatever the mode."""
