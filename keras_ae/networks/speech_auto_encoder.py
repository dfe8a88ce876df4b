"""Encoder from a waveform to codes of 20 ms, and decoder from codes and a speaker to mel bands."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_ae.layers.add_condition import AddCondition
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D
from keras_ae.layers.masked.repeat_frames import RepeatFrames
from keras_ae.layers.speech.time_jitter import TimeJitter


def front_end(parts: Sequence[keras.layers.Layer], name: str = "front_end") -> keras.Model:
    """Return layers in sequence as a model: `(batch, samples)` -> `(batch, frames, channels)`.

    The first layer is typically a `LogMelSpectrogram`.
    """
    inputs = x = keras.Input((None,), name="x")
    for layer in parts:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def frame_encoder(
    parts: Sequence[keras.layers.Layer],
    output_dim: int = 64,
    *,
    filters: int = 128,
    residual_blocks: int = 2,
    name: str = "encoder",
) -> keras.Model:
    """Return an encoder with one vector for every two frames.

    `(batch, samples)` -> `(batch, ceil(frames / 2), output_dim)`.

    Two convolutions of 3 frames, one of 4 frames and stride 2, then residual blocks of 3 frames and the
    same number of 1 frame, and a linear map to `output_dim`. Frames of 10 ms become codes of 20 ms, and
    with two blocks the receptive field of a vector is about 15 frames.

    Args:
        parts: the front end: layers, applied in sequence, from the waveform to `(batch, frames,
            channels)`.
        output_dim: number of channels of the result.
        filters: number of hidden channels (768 in the paper).
        residual_blocks: number of residual blocks of each kind.
        name: name of the model.

    Reference:
        Chorowski et al., 2019, https://arxiv.org/abs/1901.08810.
    """
    inputs = x = keras.Input((None,), name="x")
    for layer in parts:
        x = layer(x)
    x = _residual(MaskedConv1D(filters, 3)(x), filters, 3)
    x = MaskedConv1D(filters, 4, strides=2)(layers.ReLU()(x))
    for kernel_size in (3, 1):
        for _ in range(residual_blocks):
            x = _residual(x, filters, kernel_size)
    return keras.Model(inputs, layers.Dense(output_dim)(layers.ReLU()(x)), name=name)


def frame_decoder(
    num_mels: int,
    input_dim: int,
    num_speakers: int,
    *,
    filters: int = 128,
    residual_blocks: int = 2,
    speaker_dim: int = 64,
    jitter: float = 0.12,
    seed: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Return a decoder conditioned on the speaker.

    `[(batch, codes, input_dim), speaker (batch,)]` -> `(batch, 2 codes, num_mels)`.

    In training the embedding is jittered in time. Residual blocks, each conditioned on a learned speaker
    vector, operate at 20 ms and, after repeating every frame, at 10 ms. Because the decoder is
    conditioned on the speaker, the codes need not represent it.

    Args:
        num_mels: number of mel bands of the result.
        input_dim: number of channels of the embedding.
        num_speakers: number of speakers in the table of learned vectors.
        filters: number of hidden channels.
        residual_blocks: number of residual blocks at 20 ms, and again at 10 ms.
        speaker_dim: size of a speaker vector.
        jitter: probability that a frame is replaced by its left neighbour, and the same for its right
            one; see `layers.TimeJitter`.
        seed: seed of the jitter.
        name: name of the model.
    """
    embedding = keras.Input((None, input_dim), name="embedding")
    speaker = keras.Input((), dtype="int32", name="speaker")
    voice = layers.Embedding(num_speakers, speaker_dim, name="speakers")(speaker)
    x = TimeJitter(jitter, seed=seed)(embedding) if jitter else embedding
    x = MaskedConv1D(filters, 3)(x)
    for _ in range(residual_blocks):
        x = _residual(x, filters, 3, voice)
    x = RepeatFrames(2)(layers.ReLU()(x))
    for _ in range(residual_blocks):
        x = _residual(x, filters, 3, voice)
    x = MaskedConv1D(num_mels, 3)(layers.ReLU()(x))
    outputs = layers.Activation("linear", dtype="float32", name="reconstruction")(x)
    return keras.Model([embedding, speaker], outputs, name=name)


def _residual(x, filters, kernel_size, voice=None):
    """Return `x + conv(relu(x))`, plus a linear map of the speaker vector if given."""
    y = layers.Add()([x, MaskedConv1D(filters, kernel_size)(layers.ReLU()(x))])
    return y if voice is None else AddCondition()(y, voice)
