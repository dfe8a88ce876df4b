"""Whether converted speech moves as much as recorded speech does."""

from collections.abc import Sequence

import numpy as np

from keras_ae.errors import InputError


def global_variance_ratio(converted: Sequence[np.ndarray], recorded: Sequence[np.ndarray]) -> float:
    """Variance of converted frames over time, relative to recordings of the target speaker.

    ```
    v_m   = mean over recordings of var_t y[t, m]
    ratio = mean over conversions and bands m of var_t y_hat[t, m] / v_m
    ```

    Below 1: smoothed, as by an average of voices; 1 is what recordings have on average.

    Args:
        converted: log-mel frames `(frames, bands)` of each conversion to one speaker.
        recorded: log-mel frames of each recording of that speaker, of the same front end.

    Raises:
        InputError: nothing converted or recorded, other bands, a band that never moves in the recordings.

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
            "global_variance_ratio expects frames (frames, bands) of conversions and of recordings, with "
            f"equal bands. Received: {len(converted)} conversions, {len(recorded)} recordings, "
            f"bands {sorted(bands)}"
        )
    reference = np.mean([np.var(one, axis=0) for one in recorded], axis=0)
    if not (reference > 0).all():
        raise InputError(f"Recordings vary in every band. Received: none in {int((reference <= 0).sum())}")
    return float(np.mean([np.var(one, axis=0) / reference for one in converted]))
