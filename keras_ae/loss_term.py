"""Scalar of a batch together with the weight that it is averaged with over an epoch."""

import tensorflow as tf
from keras import ops

TAG = "_keras_ae_parts"  # attribute of scalar tensors that a `LossTerm` has returned


class LossTerm:
    """Weighted mean over a batch that keeps its denominator, or a sum of such means.

    ```
    value      = sum_i value_i                                                 of the batch
    epoch mean = sum_i ( sum_batches weight_i value_i / sum_batches weight_i )
    ```

    Terms are added to each other and multiplied by numbers as scalars are, so that a model's equation
    stays `loss = error + beta * kl`; each part keeps its weight. `value` is the scalar
    tensor, for gradients, `add_loss` and every other operation.

    Args:
        parts: pairs `(value, weight)` of scalars. `value` belongs to the global batch: a replica holds its
            share times the number of replicas. `weight` is the sum of the weights of the global batch;
            `None`: the number of its examples.

    Example:

    >>> error, kl = LossTerm([(2.0, 32.0)]), LossTerm([(0.5, 4.0)])
    >>> loss = error + 0.1 * kl
    >>> round(float(loss), 4), len(loss.parts)
    (2.05, 2)
    """

    __array_ufunc__ = None  # NumPy scalars on the left defer to `__radd__` and `__rmul__`

    def __init__(self, parts):
        self.parts = tuple(parts)

    @classmethod
    def of(cls, scalar):
        """Return the term that a scalar was the `value` of, else one that is weighted by examples."""
        if isinstance(scalar, cls):
            return scalar
        return cls(getattr(scalar, TAG, ((scalar, None),)))

    @property
    def value(self):
        """Scalar of the batch, a float32 tensor; `LossTerm.of` returns its parts."""
        values = [ops.cast(value, "float32") for value, _ in self.parts]
        # always a new tensor: the tag must not mark a tensor of another meaning
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


def scalars(terms) -> dict:
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
