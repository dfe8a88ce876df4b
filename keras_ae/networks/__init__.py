"""Ready-made encoders and decoders, plain Keras models."""

from keras_ae.networks.adversarial_voice_conversion import (
    conv_bank_encoder,
    patch_discriminator,
    speaker_classifier,
    speaker_decoder,
    table_adain_decoder,
)
from keras_ae.networks.deep_info_max import deep_info_max_decoder, deep_info_max_encoder
from keras_ae.networks.dense import dense_decoder, dense_encoder
from keras_ae.networks.image import image_decoder, image_encoder, spatial_broadcast_decoder
from keras_ae.networks.sentence_encoder import bag_of_words_encoder, recurrent_sentence_encoder
from keras_ae.networks.speech_auto_encoder import frame_decoder, frame_encoder, front_end
from keras_ae.networks.speech_encoder import log_mel_encoder, recurrent_context, waveform_encoder
from keras_ae.networks.two_level import two_level_networks
from keras_ae.networks.voice_conversion import adain_decoder, content_encoder, speaker_encoder
from keras_ae.numpy_scalars import with_plain_arguments

__all__ = [
    "adain_decoder",
    "bag_of_words_encoder",
    "content_encoder",
    "conv_bank_encoder",
    "deep_info_max_decoder",
    "deep_info_max_encoder",
    "dense_decoder",
    "dense_encoder",
    "frame_decoder",
    "frame_encoder",
    "front_end",
    "image_decoder",
    "image_encoder",
    "log_mel_encoder",
    "patch_discriminator",
    "recurrent_context",
    "recurrent_sentence_encoder",
    "spatial_broadcast_decoder",
    "speaker_encoder",
    "speaker_classifier",
    "speaker_decoder",
    "table_adain_decoder",
    "two_level_networks",
    "waveform_encoder",
]

# the wrapped functions accept NumPy scalars as sizes, which the layers of Keras refuse
globals().update({name: with_plain_arguments(globals()[name]) for name in __all__})
