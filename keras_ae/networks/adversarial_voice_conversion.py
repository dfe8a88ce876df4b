"""Networks for adversarial voice conversion: content encoder, decoder, classifier, discriminator."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_ae.layers.add_condition import AddCondition
from keras_ae.layers.masked.instance_normalization import InstanceNormalization
from keras_ae.layers.masked.masked_average_pooling1d import MaskedAveragePooling1D
from keras_ae.layers.masked.masked_batch_normalization import MaskedBatchNormalization
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D
from keras_ae.layers.masked.masked_conv1d_transpose import MaskedConv1DTranspose
from keras_ae.layers.masked.repeat_frames import RepeatFrames
from keras_ae.layers.masked.segment_means import SegmentMeans
from keras_ae.networks._channels_last import Flatten, GlobalAveragePooling1D
from keras_ae.networks.voice_conversion import adain_decoder

SLOPE = 0.01  # negative slope of the leaky rectifiers
MOMENTUM = 0.95  # momentum of batch normalisation


def conv_bank_encoder(
    num_mels: int,
    output_dim: int = 16,
    *,
    parts: Sequence[keras.layers.Layer] = (),
    filters: int = 64,
    bank: int = 4,
    halvings: int = 2,
    residual_blocks: int = 2,
    dropout: float = 0.0,
    standardize: bool = False,
    seed: int | None = None,
    name: str = "content_encoder",
) -> keras.Model:
    """Return a content encoder with a convolution bank and instance normalisation.

    `(batch, frames, num_mels)` -> `(batch, ceil(frames / 2^halvings), output_dim)`.

    A bank of convolutions of 1, 2, ... `bank` frames, concatenated with the frames themselves; blocks
    that halve the time resolution and residual blocks, all instance-normalised; a linear map. Normalising
    over time removes mean and deviation of an utterance, which carry much of the speaker. The recurrent
    layer of the paper is omitted.

    Args:
        num_mels: number of mel bands of the frames.
        output_dim: number of channels of the result, which trades conversion against copying (512 in the
            paper).
        parts: layers applied to the frames first, such as `SpectralPerturbation`.
        filters: number of hidden channels (512 in the paper).
        bank: widest convolution of the bank, in frames (7 in the paper).
        halvings: number of blocks that halve the time resolution (3 in the paper); for utterances of half
            a second use at most 2.
        residual_blocks: number of residual blocks after them.
        dropout: dropout rate after each block, in training (0.5 in the paper).
        standardize: whether to batch-normalise the result. Its channels then keep their deviation, so
            that noise in the decoder has a fixed relative size; an adversary could shrink them otherwise.
        seed: seed of the dropout.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> conv_bank_encoder(20, 4, filters=8)(np.zeros((2, 50, 20), "float32")).shape
    TensorShape([2, 13, 4])

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812.
    """
    inputs = x = keras.Input((None, num_mels), name="frames")
    for layer in parts:
        x = layer(x)
    widths = range(1, bank + 1)
    x = layers.Concatenate()([x, *(_activated(MaskedConv1D(filters // 2, width)(x)) for width in widths)])
    x = _activated(MaskedConv1D(filters, 1)(x))
    for block in range(halvings + residual_blocks):
        stride = 2 if block < halvings else 1
        y = _activated(MaskedConv1D(filters, 5, strides=stride)(x))
        y = _activated(MaskedConv1D(filters, 5)(y))
        y = _dropped(InstanceNormalization()(y), dropout, seed, block)
        x = layers.Add()([MaskedAveragePooling1D(2)(x) if stride == 2 else x, y])
    x = layers.Dense(output_dim)(x)
    if standardize:
        x = MaskedBatchNormalization(momentum=MOMENTUM, affine=False)(x)
    return keras.Model(inputs, x, name=name)


def speaker_decoder(
    num_mels: int,
    input_dim: int = 16,
    *,
    num_speakers: int | None = None,
    speaker_dim: int = 64,
    filters: int = 64,
    halvings: int = 2,
    residual_blocks: int = 2,
    starts_at_zero: bool = False,
    name: str = "decoder",
) -> keras.Model:
    """Return a decoder conditioned on the speaker in every layer.

    `[content (batch, codes, input_dim), speaker]` -> `(batch, 2^halvings codes, num_mels)`.

    A linear map of the speaker vector is added before every layer. Because the decoder is conditioned on
    the speaker, the content need not represent it. The paper's decoder normalises over time, which
    removes what is constant within a single word; this one does not.

    Args:
        num_mels: number of mel bands of the result.
        input_dim: number of channels of the content.
        num_speakers: number of rows of the table of learned vectors; the speaker is then an integer id
            `(batch,)`. `None`: the speaker is a vector `(batch, speaker_dim)`, from a speaker encoder.
        speaker_dim: size of the speaker vector.
        filters: number of hidden channels.
        halvings: number of halvings in the encoder: as many blocks double the time resolution.
        residual_blocks: number of residual blocks before them.
        starts_at_zero: whether the untrained result is 0, as suits a generator whose result is added to
            frames.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> decoder = speaker_decoder(20, 4, num_speakers=3, filters=8)
    >>> decoder([np.zeros((2, 13, 4), "float32"), np.array([0, 2])]).shape
    TensorShape([2, 52, 20])

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812.
    """
    content = keras.Input((None, input_dim), name="content")
    if num_speakers is None:
        speaker = voice = keras.Input((speaker_dim,), name="speaker")
    else:
        speaker = keras.Input((), dtype="int32", name="speaker")
        voice = layers.Embedding(num_speakers, speaker_dim, name="speakers")(speaker)
    x = _activated(MaskedConv1D(filters, 3)(AddCondition()(content, voice)))
    for _ in range(residual_blocks):
        y = _activated(MaskedConv1D(filters, 3)(AddCondition()(x, voice)))
        y = MaskedConv1D(filters, 3)(AddCondition()(y, voice))
        x = layers.Add()([x, y])
    for _ in range(halvings):
        y = _activated(MaskedConv1DTranspose(filters, 4, strides=2)(AddCondition()(x, voice)))
        y = _activated(MaskedConv1D(filters, 3)(AddCondition()(y, voice)))
        x = layers.Add()([RepeatFrames(2)(x), y])
    start = "zeros" if starts_at_zero else "glorot_uniform"
    x = MaskedConv1D(num_mels, 1, kernel_initializer=start)(AddCondition()(x, voice))
    outputs = layers.Activation("linear", dtype="float32", name="reconstruction")(x)
    return keras.Model([content, speaker], outputs, name=name)


def table_adain_decoder(
    num_mels: int,
    input_dim: int = 16,
    *,
    num_speakers: int | None = None,
    speaker_dim: int = 8,
    filters: int = 64,
    halvings: int = 2,
    noise: float = 0.0,
    seed: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Return an `adain_decoder`, optionally with a table of speaker vectors and noise on the content.

    `[content (batch, codes, input_dim), speaker]` -> `(batch, 2^halvings codes, num_mels)`.

    In `networks.adain_decoder` the channels take mean and deviation from the speaker vector; here the
    content is not normalised first, so that its own mean and deviation pass along the skip path.

    Args:
        num_mels: number of mel bands of the result.
        input_dim: number of channels of the content.
        num_speakers: number of rows of the table of learned vectors; the speaker is then an integer id
            `(batch,)`. `None`: the speaker is a vector `(batch, speaker_dim)`, from a speaker encoder.
        speaker_dim: size of the speaker vector.
        filters: number of hidden channels.
        halvings: number of halvings in the encoder: as many blocks double the time resolution.
        noise: standard deviation of the noise added to the content in training, inside of the decoder:
            the adversary sees the content without noise, as a probe does, and components smaller than the
            noise do not help the decoder.
        seed: seed of the noise.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> decoder = table_adain_decoder(20, 4, num_speakers=3, filters=8)
    >>> decoder([np.zeros((2, 13, 4), "float32"), np.array([0, 2])]).shape
    TensorShape([2, 52, 20])
    """
    content = x = keras.Input((None, input_dim), name="content")
    if num_speakers is None:
        speaker = voice = keras.Input((speaker_dim,), name="speaker")
    else:
        speaker = keras.Input((), dtype="int32", name="speaker")
        start = keras.initializers.RandomNormal(stddev=1.0)  # AdaIN's map of the voice is small at first
        table = layers.Embedding(num_speakers, speaker_dim, embeddings_initializer=start, name="speakers")
        voice = table(speaker)
    if noise:
        x = layers.GaussianNoise(noise, seed=seed)(x)
    strides = (2,) * halvings
    options: dict[str, Any] = {"filters": filters, "strides": strides, "normalize_content": False}
    decoder = adain_decoder(num_mels, input_dim, speaker_dim, name="adain_decoder", **options)
    return keras.Model([content, speaker], decoder([x, voice]), name=name)


def speaker_classifier(
    input_dim: int,
    num_speakers: int,
    *,
    units: int = 256,
    segments: int = 8,
    heads: int = 2,
    standardize: bool = True,
    dropout: float = 0.0,
    seed: int | None = None,
    name: str = "classifier",
) -> keras.Model:
    """Return a speaker classifier of segment means, the adversary of the content.

    `(batch, codes, input_dim)` of any length -> logits `(batch, heads, num_speakers)`.

    The means of the codes over equal parts of the utterance are standardised and classified by several
    perceptrons, in parallel and from different initial weights, with one prediction each. These are the
    inputs of a probe on such means, so that a speaker cannot be hidden in channels of small deviation.
    The paper's convolutions normalise over time, which would hide mean and deviation of the codes from
    the classifier, and require a fixed length.

    Args:
        input_dim: number of channels of the content.
        num_speakers: number of classes.
        units: number of units in the hidden layer of a perceptron.
        segments: number of parts of the utterance.
        heads: number of perceptrons.
        standardize: whether to standardise the means. The statistics are those of the batch: examples
            whose `sample_weight` is 0 are included, as in every batch normalisation.
        dropout: dropout rate before each dense layer, in training.
        seed: seed of the dropout.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> speaker_classifier(4, 6)(np.zeros((2, 13, 4), "float32")).shape
    TensorShape([2, 2, 6])
    """
    inputs = keras.Input((None, input_dim), name="content")
    means = Flatten()(SegmentMeans(segments)(inputs))
    if standardize:
        means = MaskedBatchNormalization(momentum=MOMENTUM, affine=False)(means)
    verdicts = []
    for head in range(heads):
        x = _activated(layers.Dense(units)(_dropped(means, dropout, seed, 2 * head)))
        x = layers.Dense(num_speakers)(_dropped(x, dropout, seed, 2 * head + 1))
        verdicts.append(layers.Reshape((1, num_speakers))(x))
    outputs = layers.Concatenate(axis=1)(verdicts) if heads > 1 else verdicts[0]
    outputs = layers.Activation("linear", dtype="float32", name="logits")(outputs)
    return keras.Model(inputs, outputs, name=name)


def patch_discriminator(
    num_mels: int,
    num_speakers: int,
    *,
    filters: int = 64,
    blocks: int = 3,
    name: str = "discriminator",
) -> keras.Model:
    """Return a discriminator of patches of frames that also classifies the speaker.

    `(batch, frames, num_mels)` -> `[score (batch,), speaker logits (batch, num_speakers)]`.

    Strided convolutions over time score each patch of frames, over all bands; the mean over the real
    patches is the score of the utterance: high for real frames. There is no normalisation, since the
    gradient penalty requires each utterance to be scored independently, and the paper's two-dimensional
    convolutions are replaced by one-dimensional ones.

    Args:
        num_mels: number of mel bands of the frames.
        num_speakers: number of classes of the second output.
        filters: number of channels of the first convolution; each further one doubles it.
        blocks: number of convolutions of 5 frames and stride 2.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> score, speaker = patch_discriminator(20, 3, filters=8)(np.zeros((2, 50, 20), "float32"))
    >>> score.shape, speaker.shape
    (TensorShape([2]), TensorShape([2, 3]))

    Reference:
        Chou et al., 2018, section 2.3, https://arxiv.org/abs/1804.02812.
    """
    inputs = x = keras.Input((None, num_mels), name="frames")
    for block in range(blocks):
        x = _activated(MaskedConv1D(filters * 2**block, 5, strides=2)(x))
    patches = MaskedConv1D(1 + num_speakers, 1)(x)
    verdict = layers.Activation("linear", dtype="float32")(GlobalAveragePooling1D()(patches))
    score = layers.Reshape((), name="score")(verdict[:, :1])
    return keras.Model(inputs, [score, verdict[:, 1:]], name=name)


def _activated(x):
    return layers.LeakyReLU(negative_slope=SLOPE)(x)


def _dropped(x, rate, seed, number):
    return layers.Dropout(rate, seed=None if seed is None else seed + number)(x) if rate else x
