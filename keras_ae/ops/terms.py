"""Loss terms: scalars of a batch with the weights by which they are averaged over an epoch."""

import warnings
from collections.abc import Iterable

import keras
import tensorflow as tf
from keras import ops

from keras_ae.ops.core import Tensor, num_replicas, spread, sum_over_replicas, where_counted

TAG = "_keras_ae_parts"  # attribute of the scalar tensors returned by `LossTerm.value`


class LossTerm:
    """Weighted mean over a batch that keeps its denominator, or a sum of such means.

    ```
    value      = sum_i value_i                                                 of the batch
    epoch mean = sum_i ( sum_batches weight_i value_i / sum_batches weight_i )
    ```

    Terms are added to each other and multiplied by numbers like scalars, so that a model's equation
    remains `loss = error + beta * kl`; each part keeps its weight. `value` is the scalar tensor, for
    gradients, `add_loss` and every other operation.

    Args:
        parts: pairs `(value, weight)` of scalars. `value` refers to the global batch: on a replica it is
            the replica's share times the number of replicas. `weight` is the sum of the weights of the
            global batch; `None`: the number of its examples.

    Example:

    >>> error, kl = LossTerm([(2.0, 32.0)]), LossTerm([(0.5, 4.0)])
    >>> loss = error + 0.1 * kl
    >>> round(float(loss), 4), len(loss.parts)
    (2.05, 2)
    """

    __array_ufunc__ = None  # NumPy scalars on the left defer to `__radd__` and `__rmul__`

    def __init__(self, parts: Iterable[tuple[Tensor, Tensor | None]]):
        self.parts = tuple(parts)

    @classmethod
    def of(cls, scalar: "LossTerm | Tensor") -> "LossTerm":
        """Return the term whose `value` the scalar is; for other scalars, a term weighted by examples."""
        if isinstance(scalar, cls):
            return scalar
        return cls(getattr(scalar, TAG, ((scalar, None),)))

    @property
    def value(self) -> Tensor:
        """Scalar of the batch, a float32 tensor; `LossTerm.of` returns its parts."""
        values = [ops.cast(value, "float32") for value, _ in self.parts]
        # always a new tensor: the tag must not be set on a tensor with another meaning
        total = ops.sum(ops.stack(values)) if values else ops.zeros((), "float32")
        setattr(total, TAG, self.parts)
        return total

    def __add__(self, other):
        if isinstance(other, (int, float)) and other == 0:
            return self
        return LossTerm((*self.parts, *LossTerm.of(other).parts))

    __radd__ = __add__

    def __mul__(self, factor):
        factor = factor.value if isinstance(factor, LossTerm) else factor
        return LossTerm((factor * value, weight) for value, weight in self.parts)

    __rmul__ = __mul__

    def __truediv__(self, divisor):
        divisor = divisor.value if isinstance(divisor, LossTerm) else divisor
        return LossTerm((value / divisor, weight) for value, weight in self.parts)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -LossTerm.of(other)

    def __rsub__(self, other):
        return -self + other

    def __float__(self):
        return float(self.value)


def scalars(terms: dict[str, LossTerm | Tensor]) -> dict:
    """Return `{name: scalar tensor}` for `{name: LossTerm or scalar}`: the result of `compute_terms`.

    The tensors keep their parts, see `LossTerm.of`.
    """
    return {name: LossTerm.of(term).value for name, term in terms.items()}


def _refuse(term, dtype=None, name=None, as_ref=False):
    # a conversion would lose the weights; with a tensor on the left, TensorFlow then tries `__rmul__`
    raise TypeError(
        "A LossTerm must not be used as a tensor. Use `term.value`, and write a `keras.Variable` on the "
        "right: `term * variable`."
    )


tf.register_tensor_conversion_function(LossTerm, _refuse)


def mean_term(values: Tensor, weights: Tensor | None = None) -> LossTerm:
    """Return the mean of `values` over real elements, with its denominator: a term of an objective.

    `sum(values * weights) / sum(weights)`, where both sums are over the global batch: a replica returns
    its share times the number of replicas, so that the mean over replicas is the global mean, also with
    unequal shares. Terms are added and scaled like numbers, and each one is averaged over an epoch by its
    own `sum(weights)`.

    Args:
        values: float tensor; it may be NaN where the weight is 0.
        weights: tensor that broadcasts to `values` (trailing axes are added),
            1 = real, 0 = padding; `None`: all real.

    Returns:
        `LossTerm` of one part; its value is 0 if nothing is real.

    Example:

    >>> term = mean_term(ops.array([1.0, 3.0, 8.0]), ops.array([1.0, 1.0, 0.0]))
    >>> float(term), float(term.parts[0][1])
    (2.0, 2.0)
    """
    values = ops.convert_to_tensor(values)
    values = ops.cast(values, "float32") if values.dtype.size < 4 else values  # half: sums overflow
    if weights is None and num_replicas() == 1:
        return LossTerm([(ops.mean(values), ops.cast(ops.size(values), "float32"))])
    weights = ops.ones_like(values) if weights is None else ops.cast(spread(weights, values), values.dtype)
    weights = ops.broadcast_to(weights, ops.shape(values))
    total = ops.sum(where_counted(values, weights) * weights)
    count = sum_over_replicas(ops.sum(weights))
    return LossTerm([(ops.divide_no_nan(total * num_replicas(), count), count)])


def batch_term(value: Tensor, weights: Tensor) -> LossTerm:
    """Return a scalar that is not a mean over examples, such as the entropy of a mean, as a term.

    The result of an epoch is the mean over batches, each weighted by the sum of `weights` over the global
    batch, that is by the examples or vectors from which the scalar is computed.

    Args:
        value: scalar of the global batch.
        weights: tensor; on a replica, its part of the global batch.
    """
    weights = ops.cast(weights, "float32")
    return LossTerm([(value, sum_over_replicas(ops.sum(weights)))])


def weighted_mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return `mean_term(values, weights)` as a scalar tensor, for a loss with a single term.

    If returned by `compute_terms` or passed to `add_loss` unchanged, it is averaged over an epoch by its
    own weights. A sum of such tensors is weighted by examples: write sums with `mean_term`.

    Returns:
        scalar; 0 if nothing is real.
    """
    return mean_term(values, weights).value


MOST_PARTS = 64  # largest number of parts of a term; further parts get the weight of the last


@keras.saving.register_keras_serializable(package="keras_ae")
class TermMean(keras.metrics.Metric):
    """Mean of a term over an epoch: `sum_i (sum_batches weight_i value_i / sum_batches weight_i)`.

    `i` runs over the parts of a `keras_ae.ops.terms.LossTerm`, in the order in which they were added. The
    result does not depend on how the data are cut into batches. Part 0 contains all scalars without a
    weight. The sums are float64: an epoch has more elements than float32 can count.

    Args:
        name: name of the metric.

    Example:

    >>> metric = TermMean()
    >>> metric.update_state(LossTerm([(1.0, 32.0)]))
    >>> metric.update_state(LossTerm([(34.0, 1.0)]))
    >>> float(metric.result())
    2.0
    """

    def __init__(self, name: str = "term_mean", dtype: str | keras.DTypePolicy | None = None):
        super().__init__(name=name, dtype=dtype)
        self._warned = False
        self.totals, self.weights = (
            self.add_variable((MOST_PARTS,), "zeros", dtype="float64", name=part)
            for part in ("totals", "weights")
        )

    def update_state(self, term: LossTerm | Tensor, sample_weight: Tensor | None = None) -> None:
        """Add the term of a batch.

        Args:
            term: `LossTerm` or scalar.
            sample_weight: scalar, the weight of parts without one, such as the number of examples of the
                global batch; `None`: 1.
        """
        self._warn_of_parts(LossTerm.of(term))
        examples = ops.cast(1.0 if sample_weight is None else sample_weight, "float64")
        values, weights = [ops.zeros((), "float64")], [examples]
        for value, weight in LossTerm.of(term).parts:
            value = ops.cast(value, "float64")
            if weight is None:
                values[0] = values[0] + value
            elif len(values) == MOST_PARTS:
                values[-1] = values[-1] + value
            else:
                values.append(value)
                weights.append(ops.cast(weight, "float64"))
        # the variables are summed over replicas: each replica adds its share
        weights = _padded(weights) / num_replicas()
        self.totals.assign_add(_padded(values) * weights)
        self.weights.assign_add(weights)

    def _warn_of_parts(self, term):
        weighted = sum(weight is not None for _, weight in term.parts)
        if weighted >= MOST_PARTS and not self._warned:
            self._warned = True
            warnings.warn(
                f"A term must have at most {MOST_PARTS - 1} parts with weights. Received: {weighted} in "
                f"`{self.name}`. Further parts are counted with the weight of the last.",
                stacklevel=3,
            )

    def result(self) -> Tensor:
        means = ops.divide_no_nan(ops.convert_to_tensor(self.totals), ops.convert_to_tensor(self.weights))
        return ops.cast(ops.sum(means), "float32")


def _padded(values):
    return ops.pad(ops.stack(values), (0, MOST_PARTS - len(values)))


def take_losses(layer: keras.Layer) -> LossTerm | float:
    """Return the sum of the losses of the last call of `layer`, by `add_loss` and regularisers; 0.0 if none.

    The result is a `LossTerm`: the losses of layers of this package keep their weights. Replicas share
    the layer: each takes its own losses before the next one adds others, so that none is counted twice.
    """
    total = sum((LossTerm.of(loss) for loss in layer.losses), 0.0)
    layer._clear_losses()
    return total
