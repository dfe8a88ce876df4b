"""Divergences and log-probabilities of categorical and Bernoulli variables (logits) and Gaussians.

The functions of discrete variables use `log_softmax` and `softplus`: results are finite for logits of any
size. Logits may be infinite: `-inf` excludes a class, or a bit of 1, and adds nothing to a divergence. A
pair `(G, K)` of axes is G variables of K classes, and an axis of bits is that number of Bernoulli
variables; all are independent, so their terms are added.
"""

import math
from typing import Any, NamedTuple

from keras import ops

from keras_ae.ops.core import Tensor, gather_over_replicas, where_counted
from keras_ae.ops.terms import weighted_mean


def categorical_kl(logits: Tensor, prior_logits: Tensor) -> Tensor:
    """Return `KL(softmax(logits) || softmax(prior_logits))` in nats, `(..., K)` -> `(...)`.

    Example:

    >>> round(float(categorical_kl(ops.array([50.0, 0.0]), ops.zeros(2)) / math.log(2.0)), 4)
    1.0
    >>> round(float(categorical_kl(ops.array([0.0, 0.0, -math.inf]), ops.zeros(3)) - math.log(1.5)), 4)
    0.0
    """
    log_q, log_p = ops.log_softmax(logits, axis=-1), ops.log_softmax(prior_logits, axis=-1)
    return ops.sum(expected_where_possible(ops.exp(log_q), log_q, log_p), axis=-1)


def bernoulli_kl(logits: Tensor, prior_logits: Tensor) -> Tensor:
    """Return `KL(sigmoid(logits) || sigmoid(prior_logits))` in nats, elementwise.

    `q log(q / p) + (1 - q) log((1 - q) / (1 - p))`, where `q = sigmoid(l)`, `log q = -softplus(-l)`.

    Example:

    >>> float(bernoulli_kl(ops.array(1.5), ops.array(1.5)))
    0.0
    """
    one = expected_where_possible(ops.sigmoid(logits), -ops.softplus(-logits), -ops.softplus(-prior_logits))
    zero = expected_where_possible(ops.sigmoid(-logits), -ops.softplus(logits), -ops.softplus(prior_logits))
    return one + zero


def expected_where_possible(probability: Tensor, log_q: Tensor, log_p: Tensor | float = 0.0) -> Tensor:
    """Return `probability * (log_q - log_p)`; 0 where the probability is 0, forward and backward."""
    possible = probability > 0
    # selected before the product: 0 * inf is NaN, and so would be its gradient
    difference = ops.where(possible, log_q, 0.0) - ops.where(possible, log_p, 0.0)
    return probability * difference


def categorical_log_prob(logits: Tensor, one_hot: Tensor) -> Tensor:
    """Return `log softmax(logits)_k` of the class of `one_hot`, `(..., K)` -> `(...)`.

    Example:

    >>> round(float(categorical_log_prob(ops.array([0.0, 0.0, -math.inf]), ops.array([1.0, 0, 0]))), 4)
    -0.6931
    """
    return ops.sum(expected_where_possible(one_hot, ops.log_softmax(logits, axis=-1)), axis=-1)


def bernoulli_log_prob(logits: Tensor, bits: Tensor) -> Tensor:
    """Return `log Bernoulli(bits; sigmoid(logits)) = b l - softplus(l)` in nats, elementwise.

    Bits between 0 and 1 give the negative cross-entropy, as in the likelihood of grey pixels.

    Example:

    >>> round(float(ops.exp(bernoulli_log_prob(ops.array(0.0), ops.array(1.0)))), 4)
    0.5
    >>> bernoulli_log_prob(ops.array([-math.inf, -math.inf]), ops.array([0.0, 1.0])).numpy().tolist()
    [0.0, -inf]
    """
    certain = ops.abs(logits) == math.inf
    finite = ops.where(certain, 0.0, logits)
    contradicted = ops.where(logits > 0, bits < 1, bits > 0)
    of_certain = ops.where(contradicted, -math.inf, 0.0)
    return ops.where(certain, of_certain, bits * finite - ops.softplus(finite))


def relaxed_categorical_log_prob(logits: Tensor, log_sample: Tensor, temperature: Tensor | float) -> Tensor:
    """Return the log-density of the Gumbel-softmax at the sample `y`, given as `log_sample = log y`.

    ```
    log p(y) = log (K-1)! + (K-1) log t - K logsumexp_k(l_k - t log y_k) + sum_k (l_k - (t + 1) log y_k)
    ```

    with normalised logits. The argument is the logarithm of the sample because samples at a low
    temperature have entries that float32 cannot represent. Classes whose logit is `-inf` are left out,
    and `K` is the number of the others.

    Args:
        logits: `(..., K)`.
        log_sample: `(..., K)`, `log_softmax((logits + gumbel) / temperature)`.
        temperature: scalar `t`.

    Returns:
        `(...)`, with respect to the Lebesgue measure on the first `K - 1` entries.

    Reference:
        Maddison et al., 2017, https://arxiv.org/abs/1611.00712, equation 2.
    """
    allowed = logits > -math.inf
    classes = ops.sum(ops.cast(allowed, "int32"), axis=-1)
    factorials = ops.array([0.0, *(math.lgamma(k) for k in range(1, logits.shape[-1] + 1))], logits.dtype)
    log_sample = ops.where(allowed, log_sample, 0.0)
    score = ops.log_softmax(logits, axis=-1) - temperature * log_sample
    total = ops.sum(ops.where(allowed, score - log_sample, 0.0), axis=-1)
    number = ops.cast(classes, logits.dtype)
    constant = ops.take(factorials, classes) + (number - 1) * ops.log(ops.cast(temperature, logits.dtype))
    return constant - number * ops.logsumexp(score, axis=-1) + total


def relaxed_bernoulli_log_prob(logits: Tensor, sample_logits: Tensor, temperature: Tensor | float) -> Tensor:
    """Return the log-density of the binary concrete at `y = sigmoid(sample_logits)`, elementwise.

    `log t + l - t s - 2 softplus(l - t s) - log y - log(1 - y)`, with `s = logit y`.
    A bit with an infinite logit is certain: 0 for a sample of the same infinity, `-inf` for others.

    Args:
        logits: logits of the Bernoulli variable that is relaxed.
        sample_logits: `(logits + logistic noise) / temperature`.
        temperature: scalar `t`.

    Reference:
        Maddison et al., 2017, https://arxiv.org/abs/1611.00712, appendix B.
    """
    logits, sample_logits = ops.convert_to_tensor(logits), ops.convert_to_tensor(sample_logits)
    certain = ops.abs(logits) == math.inf
    of_certain = ops.where(sample_logits == logits, 0.0, -math.inf)
    # selected before the arithmetic: inf - inf is NaN, and so would be its gradient
    logits, sample_logits = ops.where(certain, 0.0, logits), ops.where(certain, 0.0, sample_logits)
    difference = logits - temperature * sample_logits
    log_jacobian = ops.softplus(sample_logits) + ops.softplus(-sample_logits)  # -log y - log(1 - y)
    log_temperature = ops.log(ops.cast(temperature, logits.dtype))
    of_variable = log_temperature + difference - 2 * ops.softplus(difference) + log_jacobian
    return ops.where(certain, of_certain, of_variable)


def categorical_kl_to_uniform(logits: Tensor) -> Tensor:
    """Return `KL(q || uniform) = log K - H(q)` in nats, `(..., K)` -> `(...)`.

    Example:

    >>> float(categorical_kl_to_uniform(ops.zeros((1, 8)))[0])
    0.0
    """
    log_q = ops.log_softmax(logits, axis=-1)
    return math.log(logits.shape[-1]) + ops.sum(expected_where_possible(ops.exp(log_q), log_q), axis=-1)


def bernoulli_entropy(logits: Tensor) -> Tensor:
    """Return `H(sigmoid(l)) = softplus(l) - l sigmoid(l)` in nats, elementwise; 0 for infinite logits."""
    certain = ops.abs(logits) == math.inf
    finite = ops.where(certain, 0.0, logits)
    return ops.where(certain, 0.0, ops.softplus(finite) - finite * ops.sigmoid(finite))


def sign_entropy(logits: Tensor) -> Tensor:
    """Return `H(q) = sum_bits H(sigmoid(l_bit))` in nats, `(..., bits)` -> `(...)`.

    This is exactly the entropy of the softmax over all `2^bits` sign vectors: the entropies of
    independent bits add up. Minimising it makes each vector certain of its code.

    Example:

    >>> round(float(sign_entropy(ops.zeros((1, 4)))[0] / math.log(2.0)), 4)  # four fair coins
    4.0

    Reference:
        Zhao et al., 2024, https://arxiv.org/abs/2406.07548.
    """
    return ops.sum(bernoulli_entropy(logits), axis=-1)


def bernoulli_kl_to_uniform(logits: Tensor) -> Tensor:
    """Return `sum_bits log 2 - H(q_bit)` in nats, `(..., bits)` -> `(...)`."""
    return ops.sum(math.log(2.0) - bernoulli_entropy(logits), axis=-1)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return `KL(N(mean, exp(log_variance)) || N(0, 1))` in nats, elementwise.

    `(mean^2 + exp(log_variance) - 1 - log_variance) / 2`

    Reference:
        Kingma and Welling, 2014, appendix B, https://arxiv.org/abs/1312.6114.

    Example:

    >>> float(gaussian_kl(ops.ones(()), ops.zeros(())))
    0.5
    """
    return 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)


LIKELIHOODS = ("bernoulli", "gaussian")


def log_likelihood_of(likelihood: Any, target: Tensor, parameters: Tensor, scale: float = 1.0) -> Tensor:
    """Return `log p(target | parameters)` in nats, elementwise.

    Args:
        likelihood: `"bernoulli"` (the parameters are logits), `"gaussian"` (means), or an object with a
            method `log_prob(target, parameters)`, such as `layers.TableLikelihood`.
        target: `(batch, ...)`.
        parameters: `(batch, ...)`.
        scale: standard deviation of the Gaussian.

    Example:

    >>> round(float(ops.exp(log_likelihood_of("bernoulli", ops.ones(()), ops.zeros(())))), 4)
    0.5
    """
    if likelihood == "bernoulli":
        return bernoulli_log_prob(parameters, target)
    if likelihood != "gaussian":
        return likelihood.log_prob(target, parameters)
    constant = math.log(scale) + 0.5 * math.log(2 * math.pi)
    return -0.5 * ops.square((target - parameters) / scale) - constant


SAMPLINGS = ("weighted", "stratified")


class KLDecomposition(NamedTuple):
    """Three parts of `E_x KL(q(z|x) || p(z))` in nats per example, scalars; their sum is that KL."""

    index_code_mi: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


def kl_decomposition(
    z: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    dataset_size: int | None = None,
    *,
    sample_weight: Tensor | None = None,
    sampling: str = "weighted",
) -> KLDecomposition:
    """Decompose the KL into index-code mutual information, total correlation and dimension-wise KL.

    ```
    index_code_mi     = E log q(z|x) - log q(z)
    total_correlation = E log q(z) - sum_d log q(z_d)
    dimension_wise_kl = E sum_d log q(z_d) - log p(z_d)
    ```

    with `p = N(0, I)`, one sample `z` of each example's `q(z|x) = N(mean, exp(log_variance))`,
    and `q(z) = E_x q(z|x)` estimated from the `M` examples of a batch, for a data set of `N` examples:

    ```
    weighted:   q(z_i) = mean over j of q(z_i|x_j)
    stratified: q(z_i) = q(z_i|x_i) / N  +  (N - 1) / N * mean over j != i of q(z_i|x_j)
    ```

    Weighted is the paper's minibatch-weighted sampling without its factor `1 / N`, which adds constants
    to the parts; the index-code MI is then at most `log M`. Stratified is the paper's appendix C.2
    averaged over the order of the batch: unbiased for the density, and exact if the batch is the data
    set. But if the codes carry more than `log M` nats, its total correlation is far below 0, and an
    objective that rewards this makes it more so.

    Under `tf.distribute` the batch is the global batch: posteriors are gathered, and the terms and their
    gradients are those of one device.

    Args:
        z, mean, log_variance: `(batch, dimensions)`.
        dataset_size: `N`, for `"stratified"`.
        sample_weight: `(batch,)`, the weight of each example, both as `i` and as `j`.
        sampling: `"weighted"` or `"stratified"`.

    Raises:
        ValueError: for an unknown `sampling`, or `"stratified"` without `dataset_size`.

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


def check_sampling(sampling: str, dataset_size: int | None) -> None:
    """Raise a `ValueError` for arguments that `kl_decomposition` does not support."""
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling must be one of {SAMPLINGS}. Received: sampling={sampling!r}")
    if sampling == "stratified" and not (dataset_size and dataset_size >= 1):
        raise ValueError(
            "dataset_size must be the number of training examples with sampling='stratified'. "
            f"Received: dataset_size={dataset_size!r}"
        )


def gaussian_log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return `log N(z; mean, exp(log_variance))` in nats, elementwise.

    Example:

    >>> round(float(gaussian_log_density(ops.zeros(()), ops.zeros(()), ops.zeros(()))), 4)
    -0.9189
    """
    squared = ops.square(z - mean) * ops.exp(-log_variance)
    return -0.5 * (squared + log_variance + math.log(2.0 * math.pi))


def _columns(z, mean, log_variance, dataset_size, sample_weight, sampling):
    """Return all posteriors of the global batch, and the log-weight of each in `q(z_i)`: `(i, j)`."""
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
    """Return the weight of the posterior of example j in the aggregate posterior at `z_i`, `(i, j)`."""
    if sampling == "weighted":
        return ops.divide_no_nan(weights, ops.sum(weights))[None] + ops.zeros_like(own)
    others = weights[None] * (1.0 - own)
    others = ops.divide_no_nan(others, ops.sum(others, axis=1, keepdims=True))
    return own / dataset_size + (dataset_size - 1.0) / dataset_size * others
