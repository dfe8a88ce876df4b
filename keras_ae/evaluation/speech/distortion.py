"""Distances between converted speech and recordings: mel cepstral distortion, global variance ratio."""

import math
from collections.abc import Sequence

import numpy as np

from keras_ae.errors import InputError

DECIBELS = 10.0 * math.sqrt(2.0) / math.log(10.0)


def mel_cepstral_distortion(a: np.ndarray, b: np.ndarray, *, num_coefficients: int = 12) -> float:
    """Compute the mean distance in dB of the cepstra of two utterances along the best alignment.

    ```
    c[t, k] = 2 / M sum_m cos(pi k (m + 1/2) / M) y[t, m],   k = 1, ..., num_coefficients
    d[i, j] = 10 sqrt(2) / ln 10 |c_a[i] - c_b[j]|
    MCD     = 1 / |P| sum_{(i, j) in P} d[i, j],   P = argmin_P sum_P d
    ```

    `P` is a path from the first frames to the last frames by steps of one in either or both utterances
    (dynamic time warping). The loudness `c[t, 0]` is ignored. Results with different front ends are not
    comparable.

    Args:
        a, b: `y`, natural logarithms of *magnitudes* in mel bands, `(frames, M)`: `LogMelSpectrogram` with
            `power=1.0`. Logarithms of energies must be halved.
        num_coefficients: number of cepstral coefficients, less than `M`.

    Raises:
        InputError: the numbers of bands differ, there are no frames, values are not finite, or there are
            too many coefficients.

    Example:

    >>> frames = np.random.default_rng(0).normal(size=(20, 40))
    >>> mel_cepstral_distortion(frames, np.repeat(frames, 2, axis=0))
    0.0

    Reference:
        Kubichek, 1993, https://doi.org/10.1109/PACRIM.1993.407206; Sakoe and Chiba, 1978,
        https://doi.org/10.1109/TASSP.1978.1163055.
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    _check(a, b, num_coefficients)
    bands = a.shape[1]
    angles = np.outer(np.arange(bands) + 0.5, np.arange(1, num_coefficients + 1)) * np.pi / bands
    basis = np.cos(angles) * (2.0 / bands)
    # subtract first: |a|^2 + |b|^2 - 2ab would not be exactly zero for equal frames, due to rounding
    distances = np.linalg.norm((a @ basis)[:, None] - (b @ basis)[None], axis=-1)
    path = _best_path(distances)
    return float(DECIBELS * np.mean([distances[step] for step in path]))


def _check(a, b, num_coefficients):
    fine = a.ndim == b.ndim == 2 and a.shape[1] == b.shape[1] and len(a) and len(b)
    if not fine or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError(
            "a and b must be finite frames (frames, bands) with equal bands. "
            f"Received: shapes {a.shape} and {b.shape}"
        )
    if not 1 <= num_coefficients < a.shape[1]:
        raise InputError(
            f"num_coefficients must be from 1 to {a.shape[1] - 1} for {a.shape[1]} bands. "
            f"Received: {num_coefficients=}"
        )


def _best_path(distances):
    """Return the cells `(i, j)` of the alignment with the least total distance, last cell first."""
    total = _least_totals(distances)
    i, j = distances.shape[0] - 1, distances.shape[1] - 1
    path = [(i, j)]
    while i or j:
        steps = [(i - 1, j - 1), (i, j - 1), (i - 1, j)]
        # row 0 and column 0 of `total` precede the first frames
        i, j = min(steps, key=lambda step: total[step[0] + 1, step[1] + 1])
        path.append((i, j))
    return path


def _least_totals(distances):
    """Return `total[i + 1, j + 1]`, the least sum of distances on a path from `(0, 0)` to `(i, j)`."""
    rows, columns = distances.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):  # cells of a diagonal do not depend on each other
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.minimum(np.minimum(total[i, j], total[i + 1, j]), total[i, j + 1])
        total[i + 1, j + 1] = distances[i, j] + before
    return total


def global_variance_ratio(converted: Sequence[np.ndarray], recorded: Sequence[np.ndarray]) -> float:
    """Compute the variance of converted frames over time, relative to recordings of the target speaker.

    ```
    v_m   = mean over recordings of var_t y[t, m]
    ratio = mean over conversions and bands m of var_t y_hat[t, m] / v_m
    ```

    Values below 1 mean that the frames are smoothed, as by an average of voices. Recordings have a
    ratio of 1 on average.

    Args:
        converted: log-mel frames `(frames, bands)` of each conversion to one speaker.
        recorded: log-mel frames of each recording of that speaker, from the same front end.

    Raises:
        InputError: there are no conversions or no recordings, the numbers of bands differ, or a band is
            constant in the recordings.

    Example:

    >>> frames = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(global_variance_ratio([0.5 * frames], [frames]), 6)
    0.25

    Reference:
        Toda et al., 2007, https://doi.org/10.1109/TASL.2007.907344.
    """
    bands = {np.shape(one)[1:] for one in [*converted, *recorded]}
    if not len(converted) or not len(recorded) or len(bands) != 1:
        raise InputError(
            "converted and recorded must each contain at least one array of frames (frames, bands), with "
            f"equal bands. Received: {len(converted)} conversions, {len(recorded)} recordings, "
            f"bands {sorted(bands)}"
        )
    reference = np.mean([np.var(one, axis=0) for one in recorded], axis=0)
    if not (reference > 0).all():
        raise InputError(
            f"recorded must vary in every band. Received: {int((reference <= 0).sum())} constant bands"
        )
    return float(np.mean([np.var(one, axis=0) / reference for one in converted]))
