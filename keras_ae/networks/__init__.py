"""Ready encoders and decoders, plain Keras."""

from keras_ae.networks.image import image_decoder, image_encoder

__all__ = ["image_decoder", "image_encoder"]
