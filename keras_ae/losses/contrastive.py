"""Bounds on mutual information from the scores of all pairs of a batch, as losses.

Row `n` of the scores belongs to the vector of example `n`, entry `[m, l]` to location `l` of example `m`:
`n = m` is a matched pair, `n != m` a mismatched one. All three losses are in nats; a batch without a
mismatched pair gives no information, and its loss is 0.
"""

import math

from keras import ops

from keras_ae.ops.core import Tensor, where_counted

ABSENT = -1e9  # logarithm of a zero weight: its exp is 0 in float32, and so is the gradient


def contrastive_prediction(positive: Tensor, negatives: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the InfoNCE loss: cross-entropy of picking the positive among the negatives.

    ```
    loss = -log( exp u / (exp u + sum_n exp v_n) ),    I >= log C - E[loss],    C = 1 + number of negatives
    ```

    Args:
        positive: `u`, `(...)`, the scores of the true frames.
        negatives: `v`, `(..., negatives)`, the scores of other frames.
        mask: broadcasts to `negatives`, 0 = excluded; `None`: all are included.

    Returns:
        `(...)` in nats, float32, at least 0, one loss per prediction; 0 if all negatives are excluded.

    Reference:
        van den Oord et al., 2018, equation 4, https://arxiv.org/abs/1807.03748.

    Example:

    >>> losses = contrastive_prediction(ops.zeros((2,)), ops.zeros((2, 3)))
    >>> [round(float(loss), 4) for loss in losses]
    [1.3863, 1.3863]
    """
    positive, negatives = ops.cast(positive, "float32"), _present(negatives, mask)
    return ops.softplus(ops.logsumexp(negatives, axis=-1) - positive)


def prediction_accuracy(positive: Tensor, negatives: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return 1 where the positive scores above every negative, else 0; a tie counts as 0.

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


def jensen_shannon_mi(scores: Tensor, mask: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Return the Jensen-Shannon loss: cross-entropy of matched against mismatched pairs, less `2 log 2`.

    ```
    loss = mean_n mean_l softplus(-u[n, n, l]) + mean_{m != n} mean_l softplus(u[n, m, l]) - 2 log 2
    ```

    The two means have equal weight, however many mismatched pairs there are. The minimum of the loss is
    `-2 JSD(p(x, z) || p(x) p(z))`, between `-2 log 2` and 0.

    Args:
        scores: `u`, `(examples, examples, locations)` or `(examples, examples)`, any real numbers.
        mask: `(examples, locations)`, 1 = real location; `None`: all are real.
        weights: `(examples,)`, weight of each example; `None`: all equal.

    Returns:
        scalar.

    Reference:
        Nowozin et al., 2016, https://arxiv.org/abs/1606.00709;
        Hjelm et al., 2019, equation 4, https://arxiv.org/abs/1808.06670.

    Example:

    >>> round(float(jensen_shannon_mi(ops.zeros((4, 4)))), 6)
    0.0
    """
    pairs = _Pairs(scores, mask, weights)
    matched = ops.sum(pairs.matched_share * ops.softplus(-pairs.matched))
    mismatched = ops.sum(pairs.mismatched_share * ops.softplus(pairs.scores))
    return (matched + mismatched - 2.0 * math.log(2.0)) * pairs.any_mismatched


def info_nce(scores: Tensor, mask: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Return the InfoNCE loss of picking an example's own location among locations of other examples.

    ```
    loss = -mean_n mean_l log( exp u[n, n, l] / (exp u[n, n, l] + sum_{m != n, k} exp u[n, m, k]) )
    I >= log C - loss,    C = 1 + number of locations of the other examples
    ```

    The other locations of the same example are not candidates. The bound cannot exceed `log C`: it
    requires large batches.

    Args:
        scores, mask: as in `jensen_shannon_mi`.
        weights: `(examples,)`; a candidate is weighted by its example.

    Returns:
        scalar, at least 0.

    Reference:
        van den Oord et al., 2018, equation 4, https://arxiv.org/abs/1807.03748;
        Hjelm et al., 2019, equation 5, https://arxiv.org/abs/1808.06670.

    Example:

    >>> round(float(info_nce(ops.zeros((8, 8)))), 4) == round(math.log(8), 4)
    True
    """
    pairs = _Pairs(scores, mask, weights)
    candidates = pairs.scores + _log(pairs.mismatched_weight)
    others = ops.logsumexp(ops.reshape(candidates, (ops.shape(candidates)[0], -1)), axis=1)
    return ops.sum(pairs.matched_share * ops.softplus(others[:, None] - pairs.matched))


def donsker_varadhan(scores: Tensor, mask: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """Return the negative Donsker-Varadhan bound: matched mean against log-mean-exp of the mismatched.

    ```
    loss = -( mean_n mean_l u[n, n, l] - log mean_{m != n} mean_l exp u[n, m, l] ),    I >= -loss
    ```

    The mean inside of the logarithm is over all mismatched pairs of the batch: its gradient is biased in
    small batches.

    Args:
        scores, mask, weights: as in `jensen_shannon_mi`.

    Returns:
        scalar.

    Reference:
        Belghazi et al., 2018, https://arxiv.org/abs/1801.04062;
        Hjelm et al., 2019, equation 2, https://arxiv.org/abs/1808.06670.

    Example:

    >>> abs(round(float(donsker_varadhan(ops.ones((4, 4)))), 6))
    0.0
    """
    pairs = _Pairs(scores, mask, weights)
    matched = ops.sum(pairs.matched_share * pairs.matched)
    mismatched = ops.logsumexp(ops.reshape(pairs.scores + _log(pairs.mismatched_share), (-1,)))
    return ops.where(pairs.any_mismatched > 0, mismatched - matched, 0.0)


def _log(weight):
    real = weight > 0
    return ops.where(real, ops.log(ops.where(real, weight, 1.0)), ABSENT)


class _Pairs:
    """Scores of a batch with the weights of their means.

    Attributes:
        scores: `(n, m, l)` float32.
        matched: `(n, l)`, the scores with `n = m`.
        matched_share: `(n, l)`, sums to 1 in total; an example's weight is divided equally among its
            locations.
        mismatched_weight: `(n, m, l)`, 0 where `n = m`: weight of example `m` where its location is real.
        mismatched_share: `(n, m, l)`, sums to 1 in total.
        any_mismatched: 1.0 if there is a mismatched pair, else 0.0.
    """

    def __init__(self, scores, mask, weights):
        scores = ops.cast(scores, "float32")
        scores = scores[:, :, None] if len(scores.shape) == 2 else scores
        examples, _, locations = ops.shape(scores)
        mask = ops.ones((examples, locations), "float32") if mask is None else ops.cast(mask, "float32")
        weights = ops.ones((examples,), "float32") if weights is None else ops.reshape(weights, (-1,))
        weights = ops.cast(weights, "float32")
        same = ops.eye(examples, dtype="float32")[:, :, None]
        own = ops.divide_no_nan(mask, ops.sum(mask, axis=1, keepdims=True)) * weights[:, None]
        other = weights[:, None, None] * (1.0 - same)
        total = ops.sum(other * own[None])
        self.any_mismatched = ops.cast(total > 0, "float32")
        self.matched_share = ops.divide_no_nan(own, ops.sum(own)) * self.any_mismatched
        # each candidate has its own weight; that of the choosing example is part of the share of its row
        self.mismatched_weight = ops.where(other > 0, (mask * weights[:, None])[None], 0.0)
        self.mismatched_share = ops.divide_no_nan(other * own[None], total)
        self.matched = where_counted(ops.sum(where_counted(scores, same), axis=1), own)
        self.scores = where_counted(scores, self.mismatched_share)


def context_masks(
    document: Tensor,
    position: Tensor,
    sentence: Tensor | None = None,
    candidates: tuple[Tensor, Tensor, Tensor | None] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return masks of the candidates that are neighbours of each sentence, and of those that take part.

    ```
    neighbour[i, k] = document_i == document_k  and  |position_i - position_k| == 1
    part[i, k]      = k is a neighbour, or neither i itself nor equal to one of i's neighbours
    ```

    A sentence elsewhere in the batch that equals a neighbour would be a false negative.

    Args:
        document: int `(sentences,)`.
        position: int `(sentences,)`, position in the document.
        sentence: int `(sentences,)`, at least 0, equal for equal sentences; `None`: all sentences differ.
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
    others: tuple[Tensor, ...] = (document, position, sentence) if candidates is None else candidates
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


def context_prediction(scores: Tensor, neighbour: Tensor, part: Tensor) -> Tensor:
    """Return the cross-entropy of picking the neighbours among the candidates, one for each sentence.

    ```
    loss_i = -mean_{j in neighbours of i} log( exp u_ij / sum_{k takes part} exp u_ik )
    ```

    Args:
        scores: `u`, `(sentences, candidates)`.
        neighbour: bool of the same shape.
        part: bool of the same shape: the candidates that take part, including the neighbours.

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


def context_accuracy(scores: Tensor, neighbour: Tensor, part: Tensor) -> Tensor:
    """Return 1 where the best candidate is a neighbour, else 0, one for each sentence; a tie counts as 0.

    Chance level is 2 in (candidates - 1). It corresponds to the sum of the accuracies for the next and
    the previous sentence published for Quick-Thought.

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


def chance_loss(part: Tensor) -> Tensor:
    """Return the `context_prediction` of equal scores: the logarithm of the number of candidates.

    Args:
        part: as in `context_prediction`.

    Returns:
        `(sentences,)` in nats, float32; 0 for a sentence without candidates.

    Example:

    >>> [round(float(loss), 4) for loss in chance_loss(ops.ones((1, 3), "bool"))]
    [1.0986]
    """
    return ops.log(ops.maximum(ops.sum(ops.cast(part, "float32"), axis=1), 1.0))
