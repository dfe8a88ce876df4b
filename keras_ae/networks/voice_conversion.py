"""Content encoder, speaker encoder and decoder with the speaker only through AdaIN."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_ae.layers.add_condition import AddCondition
from keras_ae.layers.masked.adain import AdaIN
from keras_ae.layers.masked.instance_normalization import InstanceNormalization
from keras_ae.layers.masked.masked_average_pooling1d import MaskedAveragePooling1D
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D
from keras_ae.layers.masked.pixel_shuffle1d import PixelShuffle1D
from keras_ae.layers.masked.repeat_frames import RepeatFrames
from keras_ae.networks._channels_last import GlobalAveragePooling1D


def content_encoder(
    num_mels: int,
    output_dim: int,
    *,
    filters: int = 128,
    bank: int = 8,
    strides: Sequence[int] = (1, 2, 1, 2),
    parts: Sequence[keras.layers.Layer] = (),
    instance_norm: bool = True,
    name: str = "content_encoder",
) -> keras.Model:
    """Return a content encoder whose instance normalisation removes speaker statistics.

    `(batch, frames, num_mels)` -> `(batch, ceil(frames / product of strides), output_dim)`.

    ```
    h = relu(norm(W [bank(y), y]))                     bank: convolutions of 1, 2, ... `bank` frames
    h = relu(norm(conv(relu(norm(conv h))))) + mean of `stride` frames of h         a block for each stride
    output = W h
    ```

    `norm` is `InstanceNormalization` without weights: at every depth it removes mean and deviation of
    each channel over the utterance, which are the same for everything a speaker says. It is applied
    before the activation, and the skip path is not normalised again.

    Args:
        num_mels: number of mel bands of the frames.
        output_dim: number of channels of the result: for `models.AdaINVoiceConverter` twice that of the
            content, for mean and log variance.
        filters: number of hidden channels.
        bank: the longest convolution of the bank, in frames; 0: no bank.
        strides: number of frames merged into one by each block. Short utterances need small strides: a
            deviation over 5 codes is mostly noise.
        parts: layers applied to the frames first, in sequence, such as `CepstralCoefficients`, which
            remove the pitch, or `SpectralPerturbation`.
        instance_norm: whether to normalise; `False` for comparison.
        name: name of the model.

    Reference:
        Chou et al., 2019, https://arxiv.org/abs/1904.05742.
    """
    norm = _normalized if instance_norm else _identity
    frames = x = keras.Input((None, num_mels), name="frames")
    for layer in parts:
        x = layer(x)
    x = layers.ReLU()(norm(MaskedConv1D(filters, 1)(conv_bank(x, filters, bank))))
    for stride in strides:
        y = layers.ReLU()(norm(MaskedConv1D(filters, 5)(x)))
        y = layers.ReLU()(norm(MaskedConv1D(filters, 5, strides=stride)(y)))
        x = layers.Add()([y, MaskedAveragePooling1D(stride)(x) if stride > 1 else x])
    return keras.Model(frames, layers.Dense(output_dim)(x), name=name)


def speaker_encoder(
    num_mels: int,
    speaker_dim: int,
    *,
    filters: int = 128,
    bank: int = 8,
    strides: Sequence[int] = (1, 2, 1, 2),
    dense_blocks: int = 2,
    name: str = "speaker_encoder",
) -> keras.Model:
    """Return a speaker encoder: `(batch, frames, num_mels)` -> `(batch, speaker_dim)`.

    As `content_encoder`, without normalisation; then the mean over the real frames, and dense residual
    blocks.

    Args:
        num_mels: number of mel bands of the frames.
        speaker_dim: size of the result.
        filters: number of hidden channels.
        bank: the longest convolution of the bank, in frames; 0: no bank.
        strides: number of frames merged into one by each block.
        dense_blocks: number of dense blocks after the mean.
        name: name of the model.

    Reference:
        Chou et al., 2019, https://arxiv.org/abs/1904.05742.
    """
    frames = keras.Input((None, num_mels), name="frames")
    x = MaskedConv1D(filters, 1, activation="relu")(conv_bank(frames, filters, bank))
    for stride in strides:
        y = MaskedConv1D(filters, 5, activation="relu")(x)
        y = MaskedConv1D(filters, 5, strides=stride, activation="relu")(y)
        x = layers.Add()([y, MaskedAveragePooling1D(stride)(x) if stride > 1 else x])
    x = GlobalAveragePooling1D()(x)
    for _ in range(dense_blocks):
        y = layers.Dense(filters, activation="relu")(layers.Dense(filters, activation="relu")(x))
        x = layers.Add()([x, y])
    return keras.Model(frames, layers.Dense(speaker_dim)(x), name=name)


def adain_decoder(
    num_mels: int,
    content_dim: int,
    speaker_dim: int,
    *,
    filters: int = 128,
    strides: Sequence[int] = (2, 1, 2, 1),
    normalize_content: bool = True,
    adain: bool = True,
    name: str = "decoder",
) -> keras.Model:
    """Return a decoder in which the voice sets the channel statistics by AdaIN.

    `[content (batch, codes, content_dim), voice (batch, speaker_dim)]` -> `(batch, frames, num_mels)`.

    ```
    h = relu(IN(W content))
    g = relu(AdaIN(conv h, voice))
    h = relu(AdaIN(shuffle(conv g), voice)) + h, each frame repeated       a block for each stride
    y = W h
    ```

    The voice sets deviation and mean of every channel, twice in each block, and has no other effect.
    `frames = codes * product of strides`.

    Args:
        num_mels: number of mel bands of the result.
        content_dim: number of channels of the content.
        speaker_dim: size of the voice vector.
        filters: number of hidden channels.
        strides: number of frames that each block makes of one: those of the content encoder, in any
            order.
        normalize_content: whether to use the first normalisation. Without it, the skip path carries the
            content's own mean and deviation past AdaIN. In an utterance of one word they are a large part
            of the word's content, which the voice vector does not contain.
        adain: whether to use AdaIN; `False` adds a linear map of the voice instead, for comparison.
        name: name of the model.

    Reference:
        Chou et al., 2019, https://arxiv.org/abs/1904.05742.
    """
    content = keras.Input((None, content_dim), name="content")
    voice = keras.Input((speaker_dim,), name="voice")
    tell = AdaIN if adain else AddCondition
    x = MaskedConv1D(filters, 1)(content)
    x = layers.ReLU()(_normalized(x) if normalize_content else x)
    for stride in strides:
        y = layers.ReLU()(tell()(MaskedConv1D(filters, 5)(x), voice))
        y = MaskedConv1D(filters * stride, 5)(y)
        y = layers.ReLU()(tell()(PixelShuffle1D(stride)(y) if stride > 1 else y, voice))
        x = layers.Add()([y, RepeatFrames(stride)(x) if stride > 1 else x])
    # float32: the output that is compared with the target must not be rounded
    outputs = layers.Dense(num_mels, dtype="float32", name="reconstruction")(x)
    return keras.Model([content, voice], outputs, name=name)


def conv_bank(x: keras.KerasTensor, filters: int, bank: int) -> keras.KerasTensor:
    """Return `x` concatenated with convolutions of 1 to `bank` frames: `bank * filters` more channels."""
    seen = [MaskedConv1D(filters, size, activation="relu")(x) for size in range(1, bank + 1)]
    return layers.Concatenate()([*seen, x]) if seen else x


def _normalized(x):
    return InstanceNormalization(center=False, scale=False)(x)


def _identity(x):
    return x
