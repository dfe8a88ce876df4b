"""Networks for contrastive predictive coding: frames from a waveform, a context from frames."""

import keras
from keras import layers

from keras_ae.layers import AddChannel, LogMelSpectrogram, MaskedConv1D
from keras_ae.layers.text.packed_gru import GRU


def waveform_encoder(
    dim: int = 256,
    *,
    kernels: tuple[int, ...] = (10, 8, 4, 4, 4),
    strides: tuple[int, ...] = (5, 4, 2, 2, 2),
    filters: tuple[int, ...] | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Return strided convolutions on samples: `(batch, samples)` -> `(batch, frames, dim)`.

    ```
    h = relu(normalize(conv(h)))        each convolution; normalize over the channels of one frame
    frames = ceil(samples / hop),  hop = product of strides: 160 samples, 10 ms at 16 kHz
    ```

    The receptive field of frame `t` is the 465 samples starting at `160 t - 159`. For 8 kHz use
    `kernels=(10, 8, 4, 4)`, `strides=(5, 4, 2, 2)`: a hop of 80 samples, also 10 ms. Nothing is
    normalised over time or batch, which would give a frame information about later frames.

    Args:
        dim: number of channels of the frames.
        kernels: number of samples or frames under each kernel.
        strides: stride of each convolution.
        filters: number of channels of each convolution except the last; `None`: `dim`.
        name: name of the model.

    Raises:
        ValueError: unless there are as many kernels as strides, and one fewer filters.

    Example:

    >>> import numpy as np
    >>> waveform_encoder(8)(np.zeros((2, 1600), "float32")).shape
    TensorShape([2, 10, 8])

    Reference:
        van den Oord et al., 2018, section 3.1, https://arxiv.org/abs/1807.03748; normalisation:
        Riviere et al., 2020, https://arxiv.org/abs/2002.02848.
    """
    filters = (dim,) * (len(kernels) - 1) if filters is None else tuple(filters)
    if not len(kernels) == len(strides) == len(filters) + 1:
        raise ValueError(
            "waveform_encoder: strides must have the length of kernels, and filters must have one entry "
            "less, because the last layer has dim filters. "
            f"Received: kernels={kernels!r}, strides={strides!r}, filters={filters!r}"
        )
    inputs = keras.Input((None,), name="waveform")
    x = AddChannel()(inputs)
    for size, kernel, stride in zip((*filters, dim), kernels, strides, strict=True):
        x = MaskedConv1D(size, kernel, strides=stride)(x)
        x = layers.ReLU()(layers.LayerNormalization(epsilon=1e-5)(x))
    return keras.Model(inputs, x, name=name)


def log_mel_encoder(
    dim: int = 128,
    *,
    sample_rate: int = 16_000,
    mels: int = 40,
    kernels: tuple[int, ...] = (3, 3),
    name: str = "encoder",
) -> keras.Model:
    """Return convolutions on log-mel frames: `(batch, samples)` -> `(batch, 1 + samples / hop, dim)`.

    ```
    h = log_mel(waveform)                        25 ms every 10 ms
    h = relu(normalize(conv(h)))                 each convolution; normalize over the channels of one frame
    ```

    With only minutes of training speech it performs better than `waveform_encoder`, which has to learn a
    spectrum first. The receptive field of frame `t` extends 12.5 ms of waveform beyond the frames of all
    kernels around it. Nothing is normalised over time or batch.

    Args:
        dim: number of channels of the frames.
        sample_rate: sample rate of the waveforms, Hz.
        mels: number of bands of the spectrogram.
        kernels: number of frames under each kernel.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> log_mel_encoder(8)(np.zeros((2, 1600), "float32")).shape
    TensorShape([2, 11, 8])

    Reference:
        van Niekerk et al., 2020, https://arxiv.org/abs/2005.09409: contrastive predictive coding of log-mel
        frames.
    """
    inputs = keras.Input((None,), name="waveform")
    hop = sample_rate // 100
    x = LogMelSpectrogram(mels, sample_rate=sample_rate, window_length=5 * hop // 2, hop=hop)(inputs)
    for kernel in kernels:
        x = MaskedConv1D(dim, kernel)(x)
        x = layers.ReLU()(layers.LayerNormalization(epsilon=1e-5)(x))
    return keras.Model(inputs, x, name=name)


def recurrent_context(
    input_dim: int, units: int = 256, *, depth: int = 1, name: str = "context"
) -> keras.Model:
    """Return a causal GRU over frames: `(batch, frames, input_dim)` -> `(batch, frames, units)`.

    Args:
        input_dim: number of channels of the frames.
        units: size of the context.
        depth: number of GRU layers.
        name: name of the model.

    Example:

    >>> import numpy as np
    >>> recurrent_context(8, 16)(np.zeros((2, 10, 8), "float32")).shape
    TensorShape([2, 10, 16])

    Reference:
        van den Oord et al., 2018, section 3.1, https://arxiv.org/abs/1807.03748.
    """
    inputs = keras.Input((None, input_dim), name="frames")
    x = inputs
    for _ in range(depth):
        x = GRU(units, return_sequences=True)(x)
    return keras.Model(inputs, x, name=name)
