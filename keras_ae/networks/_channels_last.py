"""Keras layers with channels last, whatever `keras.config.image_data_format()` is.

The models, their masks and their local maps require the channels on the last axis.
"""

from functools import partial

from keras import layers

Conv2D = partial(layers.Conv2D, data_format="channels_last")
Conv2DTranspose = partial(layers.Conv2DTranspose, data_format="channels_last")
Cropping2D = partial(layers.Cropping2D, data_format="channels_last")
Flatten = partial(layers.Flatten, data_format="channels_last")
GlobalAveragePooling1D = partial(layers.GlobalAveragePooling1D, data_format="channels_last")
