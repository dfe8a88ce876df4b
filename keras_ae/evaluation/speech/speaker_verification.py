"""Speaker verification: whether two embeddings belong to the same speaker."""

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError
from keras_ae.evaluation._checks import as_embedding, check_lengths


def equal_error_rate(embeddings: ArrayLike, speakers: ArrayLike) -> float:
    """Compute the equal error rate of verifying pairs of utterances by the cosine of their embeddings.

    ```
    miss(t)  = share of the pairs of one speaker with cos(z_i, z_j) < t
    alarm(t) = share of the pairs of two speakers with cos(z_i, z_j) >= t
    EER      = miss(t*) = alarm(t*)
    ```

    All pairs `i < j` are used. Between two neighbouring distinct thresholds, both shares are
    interpolated linearly. At 0, embeddings of the same speaker are nearer to each other than those of
    different speakers; chance is 0.5. Cosines depend on the origin: centre the embeddings by the
    mean of other recordings.

    Args:
        embeddings: `(utterances, ...)`.
        speakers: `(utterances,)`, integers or strings.

    Raises:
        InputError: the lengths differ, values are not finite, or all pairs are of one kind.

    Example:

    >>> equal_error_rate([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], [0, 0, 1, 1])
    0.0

    Reference:
        Martin et al., 1997, https://doi.org/10.21437/Eurospeech.1997-504.
    """
    z, speakers = as_embedding(embeddings, "embeddings").astype("float64"), np.asarray(speakers)
    check_lengths(embeddings=z, speakers=speakers)
    directions = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), np.finfo("float64").tiny)
    first, second = np.triu_indices(len(z), k=1)
    same = speakers[first] == speakers[second]
    if same.all() or not same.any():
        raise InputError(
            "speakers must contain at least two different speakers, and one of them twice. "
            f"Received: {int((~same).sum())} pairs of different speakers and {int(same.sum())} of the same"
        )
    # round, because equal directions must have equal cosines
    return _crossing(np.round((directions @ directions.T)[first, second], 12), same)


def _crossing(scores, same):
    """Return the point where the polygon through `(alarm, miss)` at all thresholds meets `alarm = miss`."""
    order = np.argsort(-scores, kind="stable")
    scores, same = scores[order], same[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # one threshold for equal scores
    miss = np.append(1.0, 1.0 - np.cumsum(same)[last] / same.sum())
    alarm = np.append(0.0, np.cumsum(~same)[last] / (~same).sum())
    after = int(np.argmax(alarm >= miss))
    gap = miss - alarm
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(miss[after - 1] + share * (miss[after] - miss[after - 1]))
