"""Picking the neighbours of a sentence among the sentences of a batch."""

from keras import ops

from keras_ae.losses.predictive_coding import ABSENT
from keras_ae.ops.core import where_counted


def context_masks(document, position, sentence=None, candidates=None):
    """Which candidates are neighbours of each sentence, and which take part at all.

    ```
    neighbour[i, k] = document_i == document_k  and  |position_i - position_k| == 1
    part[i, k]      = k is a neighbour, or neither i itself nor equal to one of i's neighbours
    ```

    A sentence that is equal to a neighbour, somewhere else in the batch, would be a false negative.

    Args:
        document: int `(sentences,)`.
        position: int `(sentences,)`, in the document.
        sentence: int `(sentences,)`, at least 0, equal numbers for equal sentences; `None`: no two are equal.
        candidates: `(document, position, sentence)` of the candidates; `None`: the sentences themselves.

    Returns:
        `neighbour`, `part`, `own`: bool `(sentences, candidates)`; `own` is the sentence itself.

    Example:

    >>> neighbour, part, _ = context_masks(ops.array([0, 0, 0, 1]), ops.array([0, 1, 2, 3]))
    >>> neighbour.numpy().astype(int).tolist()
    [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    >>> part.numpy().astype(int).tolist()
    [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]
    """
    others = (document, position, sentence) if candidates is None else candidates
    together = ops.equal(document[:, None], others[0][None])
    distance = others[1][None] - position[:, None]
    after, before, own = (ops.logical_and(together, ops.equal(distance, d)) for d in (1, -1, 0))
    neighbour = ops.logical_or(after, before)
    excluded = own
    if sentence is not None:
        for side in (after, before):
            its_sentence = ops.max(ops.where(side, others[2][None], -1), axis=1)
            excluded = ops.logical_or(excluded, ops.equal(its_sentence[:, None], others[2][None]))
    return neighbour, ops.logical_or(neighbour, ops.logical_not(excluded)), own


def context_prediction(scores, neighbour, part):
    """Cross-entropy of picking the neighbours among the candidates, one for each sentence.

    ```
    loss_i = -mean_{j in neighbours of i} log( exp u_ij / sum_{k takes part} exp u_ik )
    ```

    Args:
        scores: `(sentences, candidates)`: `u`.
        neighbour: bool of the same shape.
        part: bool of the same shape: the candidates that take part, neighbours among them.

    Returns:
        `(sentences,)` in nats, float32; 0 for a sentence without neighbours.

    Example:

    >>> neighbour, part, _ = context_masks(ops.zeros(4, "int32"), ops.arange(4))
    >>> [round(float(loss), 4) for loss in context_prediction(ops.zeros((4, 4)), neighbour, part)]
    [1.0986, 1.0986, 1.0986, 1.0986]

    Reference:
        Logeswaran and Lee, 2018, section 3, https://arxiv.org/abs/1803.02893.
    """
    scores = ops.cast(scores, "float32")
    weights = ops.cast(neighbour, "float32")
    count = ops.sum(weights, axis=1)
    of_neighbours = ops.divide_no_nan(ops.sum(where_counted(scores, neighbour), axis=1), count)
    normalizer = ops.logsumexp(ops.where(part, scores, ABSENT), axis=1)
    return ops.where(count > 0, normalizer - of_neighbours, 0.0)


def context_accuracy(scores, neighbour, part):
    """1 where the best candidate is a neighbour, else 0, one for each sentence; a tie is no hit.

    Chance is 2 in (candidates - 1). The accuracies of the next and of the previous sentence that are
    published of Quick-Thought add up to it.

    Args:
        scores, neighbour, part: as in `context_prediction`.

    Returns:
        `(sentences,)` float32.

    Example:

    >>> neighbour, part, _ = context_masks(ops.zeros(4, "int32"), ops.arange(4))
    >>> context_accuracy(ops.eye(4, k=1), neighbour, part).numpy().tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    scores = ops.cast(scores, "float32")
    best = ops.max(ops.where(neighbour, scores, ABSENT), axis=1)
    others = ops.where(ops.logical_and(part, ops.logical_not(neighbour)), scores, ABSENT)
    return ops.cast(best > ops.max(others, axis=1), "float32")


def chance_loss(part):
    """What `context_prediction` is where all candidates score alike: the logarithm of their number.

    Args:
        part: as in `context_prediction`.

    Returns:
        `(sentences,)` in nats, float32; 0 for a sentence without candidates.

    Example:

    >>> [round(float(loss), 4) for loss in chance_loss(ops.ones((1, 3), "bool"))]
    [1.0986]
    """
    return ops.log(ops.maximum(ops.sum(ops.cast(part, "float32"), axis=1), 1.0))
