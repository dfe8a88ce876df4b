"""A scalar of a batch together with what it is counted by."""

import tensorflow as tf  # refuses what would lose the weights
from keras import ops

TAG = "_keras_ae_parts"  # attribute of the scalar tensors that come from a `LossTerm`


class LossTerm:
    """A weighted mean over a batch that keeps its denominator, or a sum of such means.

    ```
    value        = sum_i value_i                                               the scalar of the batch
    epoch figure = sum_i ( sum_batches weight_i value_i / sum_batches weight_i )
    ```

    Terms are added to each other and multiplied by numbers as scalars are, so that a model's equation
    stays `loss = error + beta * kl`; each part keeps the weight it was made with. `value` is the
    scalar tensor for gradients, `add_loss` and every other operation.

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

    __array_ufunc__ = None  # NumPy's numbers leave the arithmetic to this class

    def __init__(self, parts):
        self.parts = tuple(parts)

    @classmethod
    def of(cls, scalar):
        """The term of a scalar: the one it was made from, else one that is counted by examples."""
        if isinstance(scalar, cls):
            return scalar
        return cls(getattr(scalar, TAG, ((scalar, None),)))

    @property
    def value(self):
        """The scalar of the batch, a float32 tensor; `LossTerm.of` finds its parts again."""
        values = [ops.cast(value, "float32") for value, _ in self.parts]
        # a tensor of its own: the tag must not end on one that is something else too
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
    """`{name: scalar tensor}` of `{name: LossTerm or scalar}`: what `compute_terms` returns.

    The tensors remember their parts, see `LossTerm.of`.
    """
    return {name: LossTerm.of(term).value for name, term in terms.items()}


def _refuse(term, dtype=None, name=None, as_ref=False):
    # also by which TensorFlow comes to `__rmul__` where a tensor stands on the left
    raise TypeError(
        "A LossTerm is not a tensor: its `value` is. A `keras.Variable` goes to the right of it: "
        "`term * variable`."
    )


tf.register_tensor_conversion_function(LossTerm, _refuse)
