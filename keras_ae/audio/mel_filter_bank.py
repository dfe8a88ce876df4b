"""Triangular filters whose centres are evenly spaced on a mel scale."""

import numpy as np

_SLANEY_STEP = 200.0 / 3.0  # Hz a mel below the corner
_SLANEY_CORNER = 1000.0  # Hz; logarithmic above
_SLANEY_RATIO = np.log(6.4) / 27.0  # of log frequency, a mel


def mel_weights(
    num_mels: int,
    *,
    sample_rate: int,
    fft_length: int,
    min_frequency: float = 0.0,
    max_frequency: float | None = None,
    scale: str = "slaney",
    norm: str | None = "slaney",
) -> np.ndarray:
    """The matrix that sums the bins of a spectrum to mel bands.

    ```
    W[k, m] = a_m max(0, min((f_k - l_m) / (c_m - l_m), (r_m - f_k) / (r_m - c_m)))
    f_k = k sample_rate / fft_length
    ```

    The left edge `l`, centre `c` and right edge `r` of filter `m` are numbers `m`, `m + 1` and `m + 2` of
    `num_mels + 2` frequencies that are evenly spaced in mel; `a_m` is `2 / (r_m - l_m)` under the norm
    "slaney", so that white noise has equal power in all bands, and 1 under none.

    Args:
        num_mels: bands.
        sample_rate: in Hz.
        fft_length: samples under the transform.
        min_frequency: left edge of the first filter, Hz.
        max_frequency: right edge of the last filter, Hz; `None`: half of the sample rate.
        scale: "slaney" (linear up to 1 kHz, as in librosa) or "htk" (`2595 log10(1 + f / 700)`,
            as in TensorFlow).
        norm: "slaney" or `None`.

    Returns:
        `(fft_length // 2 + 1, num_mels)` float32.

    Raises:
        ValueError: an unknown scale or norm, frequencies out of order, or filters so narrow that
            no bin falls into them.

    Example:

    >>> mel_weights(40, sample_rate=16000, fft_length=512).shape
    (257, 40)

    Reference:
        Slaney, Auditory Toolbox, 1998; Young et al., The HTK Book, 2006.
    """
    high = sample_rate / 2 if max_frequency is None else max_frequency
    _check(num_mels, min_frequency, high, sample_rate, scale, norm)
    to_mel, to_hertz = _SCALES[scale]
    edges = to_hertz(np.linspace(to_mel(min_frequency), to_mel(high), num_mels + 2))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = np.arange(fft_length // 2 + 1)[:, None] * (sample_rate / fft_length)
    weights = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clip(0)
    if not weights.any(axis=0).all():
        raise ValueError(
            "the bins of the transform must be closer than the mel bands. "
            f"Received: {num_mels} bands over {fft_length // 2 + 1} bins, of which "
            f"{np.count_nonzero(~weights.any(axis=0))} are empty; take fewer bands or a longer transform"
        )
    return (weights * (2.0 / (right - left) if norm else 1.0)).astype("float32")


def _check(num_mels, low, high, sample_rate, scale, norm):
    if scale not in _SCALES or norm not in ("slaney", None):
        raise ValueError(
            f"a mel scale is one of {sorted(_SCALES)}, its norm is 'slaney' or None. "
            f"Received: scale={scale!r}, norm={norm!r}"
        )
    if num_mels < 1 or not 0 <= low < high <= sample_rate / 2:
        raise ValueError(
            "mel bands are at least one, between 0 and half of the sample rate. "
            f"Received: {num_mels} bands from {low} to {high} Hz at {sample_rate} Hz"
        )


def _slaney_mel(frequency):
    frequency = np.asarray(frequency, "float64")
    octaves = np.log(np.maximum(frequency, _SLANEY_CORNER) / _SLANEY_CORNER)
    return np.minimum(frequency, _SLANEY_CORNER) / _SLANEY_STEP + octaves / _SLANEY_RATIO


def _slaney_hertz(mel):
    corner = _SLANEY_CORNER / _SLANEY_STEP
    return _SLANEY_STEP * np.minimum(mel, corner) * np.exp(_SLANEY_RATIO * np.maximum(mel - corner, 0.0))


def _htk_mel(frequency):
    return 2595.0 * np.log10(1.0 + np.asarray(frequency, "float64") / 700.0)


def _htk_hertz(mel):
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


_SCALES = {"slaney": (_slaney_mel, _slaney_hertz), "htk": (_htk_mel, _htk_hertz)}
