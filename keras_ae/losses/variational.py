"""Terms of variational objectives: importance-weighted bound, maximum mean discrepancy, free bits."""

import math

from keras import ops

from keras_ae.ops.core import Tensor, gather_over_replicas, num_replicas, sum_over_replicas, where_counted
from keras_ae.ops.terms import LossTerm, weighted_mean

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # squared bandwidths of the kernels by dimensions: narrow and wide ones


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Return `log 1/K sum_k w_k` of the importance weights `w_k = p(x, z_k) / q(z_k|x)`, nats.

    For `z_k ~ q(z|x)` its expectation is a lower bound of `log p(x)`, which increases with `K` towards it.
    With `K = 1` it is one sample of the evidence lower bound.

    Args:
        log_weights: `(K, ...)`, `log w_k`.

    Returns:
        `(...)`.

    Example:

    >>> round(float(importance_weighted_bound(ops.log(ops.array([1.0, 3.0]))) - math.log(2.0)), 4)
    0.0

    Reference:
        Burda et al., 2016, https://arxiv.org/abs/1509.00519, equation 8.
    """
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def maximum_mean_discrepancy(z: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """Return the squared maximum mean discrepancy between the vectors of a batch and `N(0, I)`, a scalar.

    ```
    MMD^2 = mean over i != j of k(z_i, z_j) - 2 mean_i E k(z_i, e) + E k(e, e'),   e, e' ~ N(0, I)
    k(z, z')   = mean over s of exp(-|z - z'|^2 / (2 v)),   v = s * dimensions,   s in (1/4, 1/2, 1, 2, 4)
    E k(z, e)  = mean over s of (v / (v + 1))^(dimensions / 2) exp(-|z|^2 / (2 (v + 1)))
    E k(e, e') = mean over s of (v / (v + 2))^(dimensions / 2)
    ```

    It is 0 for vectors of the distribution `N(0, I)`, and positive for others. The estimate is unbiased,
    and therefore may be negative. The expectations over the normal distribution are exact, so that no
    samples of it are drawn. A batch with a single vector has no pairs: the result is 0 and does not count
    in the mean of an epoch.

    Under `tf.distribute` the batch is the global batch: vectors are gathered, and the term and its gradient
    are those of one device.

    Args:
        z: `(batch, dimensions)`.
        sample_weight: `(batch,)`, the weight of each vector; pairs have the product of two weights.

    Example:

    >>> import keras
    >>> z = keras.random.normal((400, 2), seed=0)
    >>> abs(float(maximum_mean_discrepancy(z))) < 0.01 < float(maximum_mean_discrepancy(z + 1.0))
    True

    Reference:
        Gretton et al., 2012, https://jmlr.org/papers/v13/gretton12a.html, lemma 6; Zhao et al., 2019
        (InfoVAE), https://arxiv.org/abs/1706.02262; Tolstikhin et al., 2018 (Wasserstein auto-encoders),
        https://arxiv.org/abs/1711.01558.
    """
    weights = None if sample_weight is None else ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
    z = where_counted(ops.cast(z, "float32"), weights)
    weights = ops.ones_like(z[:, 0]) if weights is None else weights
    everywhere, first = gather_over_replicas(ops.concatenate([z, weights[:, None]], axis=1))
    others, other_weights = everywhere[:, :-1], everywhere[:, -1]
    rows, columns = (ops.arange(ops.shape(one)[0], dtype="int32") for one in (z, others))
    distinct = ops.cast(rows[:, None] + first != columns[None], "float32")
    total = ops.sum(other_weights)
    pairs = ops.square(total) - ops.sum(ops.square(other_weights))  # sum of w_i w_j over i != j
    within = ops.sum(_kernel(_squared_distances(z, others), z.shape[1]) * distinct * other_weights, axis=1)
    within = within * ops.divide_no_nan(total, pairs)
    drawn = _kernel(ops.zeros_like(weights), z.shape[1], 2)
    values = within - 2.0 * _kernel(_squared_norms(z), z.shape[1], 1) + drawn
    return weighted_mean(values, weights * ops.cast(pairs > 0, "float32"))


def free_bits_kl(kl: Tensor, free_bits: float, sample_weight: Tensor | None = None) -> Tensor:
    """Return `sum_d max(free_bits, mean over examples of KL_d)`, nats, a scalar.

    A dimension whose mean KL over the batch is below `free_bits` gets no gradient, so that it is not
    pushed to the prior before it is of use. Under `tf.distribute` the mean is that of the global batch.

    Args:
        kl: `(batch, dimensions)`, the KL of each example and dimension.
        free_bits: smallest cost of a dimension, in nats; 0 gives the mean of the KL.
        sample_weight: `(batch,)`, the weight of each example.

    Example:

    >>> float(free_bits_kl(ops.array([[0.0, 3.0], [0.2, 1.0]]), 0.5))
    2.5

    Reference:
        Kingma et al., 2016, https://arxiv.org/abs/1606.04934, equation 15.
    """
    kl = ops.cast(kl, "float32")
    weights = ops.ones_like(kl[:, 0]) if sample_weight is None else ops.reshape(sample_weight, (-1,))
    weights = ops.cast(weights, "float32")
    count = sum_over_replicas(ops.sum(weights))
    share = ops.divide_no_nan(ops.sum(where_counted(kl, weights) * weights[:, None], axis=0), count)
    above = sum_over_replicas(ops.stop_gradient(share)) > free_bits
    # the mean over replicas is the sum of their shares, as in `mean_term`
    cost = ops.where(above, share * num_replicas(), ops.ones_like(share) * free_bits)
    return LossTerm([(ops.sum(cost), count)]).value


def _squared_norms(z):
    return ops.sum(ops.square(z), axis=-1)


def _squared_distances(z, others):
    products = ops.matmul(z, ops.transpose(others))
    return ops.maximum(_squared_norms(z)[:, None] - 2.0 * products + _squared_norms(others)[None], 0.0)


def _kernel(squared, dimensions, drawn=0):
    """Return the mean kernel of vectors at a `squared` distance from each other.

    With `drawn` independent normal vectors added to their difference, it is the expectation.
    """
    values = []
    for scale in SCALES:
        variance = scale * dimensions
        log_factor = 0.5 * dimensions * math.log(variance / (variance + drawn))
        values.append(ops.exp(log_factor - squared / (2.0 * (variance + drawn))))
    return sum(values) / len(SCALES)
