"""Telling the frame that follows from others: InfoNCE with one positive and many negatives."""

from keras import ops

ABSENT = -1e9  # logarithm of no weight: exp of it is 0 in float32, and so is its gradient


def contrastive_prediction(positive, negatives, mask=None):
    """Cross-entropy of picking the positive among it and the negatives, one for each prediction.

    ```
    loss = -log( exp u / (exp u + sum_n exp v_n) ),    I >= log C - E[loss],    C = 1 + number of negatives
    ```

    Args:
        positive: `(...)`: `u`, the scores of the true frames.
        negatives: `(..., negatives)`: `v`, the scores of other frames.
        mask: broadcasts to `negatives`, 0 = takes no part; `None`: all do.

    Returns:
        `(...)` in nats, float32, at least 0; 0 where no negative takes part.

    Reference:
        van den Oord et al., 2018, equation 4, https://arxiv.org/abs/1807.03748.

    Example:

    >>> losses = contrastive_prediction(ops.zeros((2,)), ops.zeros((2, 3)))
    >>> [round(float(loss), 4) for loss in losses]
    [1.3863, 1.3863]
    """
    positive, negatives = ops.cast(positive, "float32"), _present(negatives, mask)
    return ops.softplus(ops.logsumexp(negatives, axis=-1) - positive)


def prediction_accuracy(positive, negatives, mask=None):
    """1 where the positive scores above every negative, else 0; a tie is no hit.

    Args:
        positive, negatives, mask: as in `contrastive_prediction`.

    Returns:
        `(...)` float32.

    Example:

    >>> prediction_accuracy(ops.array([2.0, 1.0]), ops.array([[1.0], [1.0]])).numpy().tolist()
    [1.0, 0.0]
    """
    positive, negatives = ops.cast(positive, "float32"), _present(negatives, mask)
    return ops.cast(positive > ops.max(negatives, axis=-1), "float32")


def _present(negatives, mask):
    negatives = ops.cast(negatives, "float32")
    return negatives if mask is None else ops.where(ops.cast(mask, "bool"), negatives, ABSENT)
