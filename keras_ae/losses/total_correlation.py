"""The KL of a Gaussian posterior, taken apart into what a code is penalised for."""

import math
from typing import NamedTuple

from keras import ops

from keras_ae.ops.core import gather_over_replicas, where_counted
from keras_ae.ops.terms import weighted_mean

SAMPLINGS = ("weighted", "stratified")


class KLDecomposition(NamedTuple):
    """Three parts of `E_x KL(q(z|x) || p(z))` in nats per example, scalars; their sum is that KL."""

    index_code_mi: object
    total_correlation: object
    dimension_wise_kl: object


def kl_decomposition(
    z, mean, log_variance, dataset_size=None, *, sample_weight=None, sampling="weighted"
) -> KLDecomposition:
    """What the code says of the example, how its dimensions depend, how far each is from the prior.

    ```
    index_code_mi     = E log q(z|x) - log q(z)
    total_correlation = E log q(z) - sum_d log q(z_d)
    dimension_wise_kl = E sum_d log q(z_d) - log p(z_d)
    ```

    with `p = N(0, I)`, one sample `z` of each example's `q(z|x) = N(mean, exp(log_variance))`,
    and `q(z) = E_x q(z|x)` estimated from the `M` examples of the batch, of a data set of `N`:

    ```
    weighted:   q(z_i) = mean over j of q(z_i|x_j)
    stratified: q(z_i) = q(z_i|x_i) / N  +  (N - 1) / N * mean over j != i of q(z_i|x_j)
    ```

    Weighted is the paper's minibatch-weighted sampling without its factor `1 / N`, which adds
    constants to the parts; the index-code MI is then at most `log M`. Stratified is the
    paper's appendix C.2 averaged over the order of the batch: unbiased for the density, exact
    where the batch is the data set. But where codes tell more than `log M` nats, its total
    correlation is negative by far, and a model that is paid for that makes it more so.

    Under replicas the batch is the global batch: posteriors are gathered, and the terms and
    their gradients are those of one device.

    Args:
        z, mean, log_variance: `(batch, dimensions)`.
        dataset_size: `N`, for `"stratified"`.
        sample_weight: `(batch,)`, the weight of each example, both as `i` and as `j`.
        sampling: `"weighted"` or `"stratified"`.

    Raises:
        ValueError: an unknown `sampling`, or `"stratified"` without `dataset_size`.

    Example:

    >>> mean = ops.array([[-1.0], [1.0]])
    >>> parts = kl_decomposition(mean, mean, ops.zeros((2, 1)))
    >>> abs(float(parts.total_correlation)) < 1e-6  # of one dimension there is none
    True

    Reference:
        Chen et al., 2018, https://arxiv.org/abs/1802.04942.
    """
    check_sampling(sampling, dataset_size)
    counted = None if sample_weight is None else ops.reshape(sample_weight, (-1,))
    z, mean, log_variance = (
        where_counted(ops.cast(tensor, "float32"), counted) for tensor in (z, mean, log_variance)
    )
    means, log_variances, log_weights = _columns(z, mean, log_variance, dataset_size, sample_weight, sampling)
    densities = gaussian_log_density(z[:, None], means[None], log_variances[None])  # (i, j, dimensions)
    joint = ops.logsumexp(ops.sum(densities, axis=2) + log_weights, axis=1)
    marginals = ops.sum(ops.logsumexp(densities + log_weights[:, :, None], axis=1), axis=1)
    conditional = ops.sum(gaussian_log_density(z, mean, log_variance), axis=1)
    prior = ops.sum(gaussian_log_density(z, ops.zeros_like(z), ops.zeros_like(z)), axis=1)
    return KLDecomposition(
        weighted_mean(conditional - joint, sample_weight),
        weighted_mean(joint - marginals, sample_weight),
        weighted_mean(marginals - prior, sample_weight),
    )


def check_sampling(sampling, dataset_size):
    """Raise a `ValueError` for what `kl_decomposition` cannot do."""
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling is one of {SAMPLINGS}. Received: sampling={sampling!r}")
    if sampling == "stratified" and not (dataset_size and dataset_size >= 1):
        raise ValueError(
            "Stratified sampling needs the number of training examples. "
            f"Received: dataset_size={dataset_size!r}"
        )


def gaussian_log_density(z, mean, log_variance):
    """`log N(z; mean, exp(log_variance))` in nats, elementwise.

    Example:

    >>> round(float(gaussian_log_density(ops.zeros(()), ops.zeros(()), ops.zeros(()))), 4)
    -0.9189
    """
    squared = ops.square(z - mean) * ops.exp(-log_variance)
    return -0.5 * (squared + log_variance + math.log(2.0 * math.pi))


def _columns(z, mean, log_variance, dataset_size, sample_weight, sampling):
    """All posteriors of the global batch, and the log-weight of each in `q(z_i)`: `(i, j)`."""
    weights = ops.ones_like(z[:, 0])
    if sample_weight is not None:
        weights = ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
    local = ops.concatenate([mean, log_variance, weights[:, None]], axis=1)
    everywhere, first = gather_over_replicas(local)
    dimensions = z.shape[1]
    means, log_variances = everywhere[:, :dimensions], everywhere[:, dimensions : 2 * dimensions]
    weights = everywhere[:, -1]
    places = [ops.arange(ops.shape(rows)[0], dtype="int32") for rows in (z, weights)]
    own = places[0][:, None] + first == places[1][None]
    own = ops.cast(own, "float32")
    return means, log_variances, ops.log(_shares(weights, own, dataset_size, sampling) + 1e-30)


def _shares(weights, own, dataset_size, sampling):
    """Weight of the posterior of example j in the aggregate posterior at `z_i`, `(i, j)`."""
    if sampling == "weighted":
        return ops.divide_no_nan(weights, ops.sum(weights))[None] + ops.zeros_like(own)
    others = weights[None] * (1.0 - own)
    others = ops.divide_no_nan(others, ops.sum(others, axis=1, keepdims=True))
    return own / dataset_size + (dataset_size - 1.0) / dataset_size * others
