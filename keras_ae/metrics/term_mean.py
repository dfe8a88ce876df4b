"""Mean over an epoch of a term of the objective, weighted by the term's own denominator."""

import warnings

import keras
from keras import ops

from keras_ae.loss_term import LossTerm
from keras_ae.ops import num_replicas

MOST_PARTS = 64  # parts of one term; further ones are counted with the weight of the last


@keras.saving.register_keras_serializable(package="keras_ae")
class TermMean(keras.metrics.Metric):
    """Mean of a term over an epoch: `sum_i (sum_batches weight_i value_i / sum_batches weight_i)`.

    `i` runs over the parts of a `keras_ae.loss_term.LossTerm`, in the order in which they were added. The
    result does not depend on how the data are cut into batches. Part 0 holds all scalars without a
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

    def __init__(self, name="term_mean", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._warned = False
        self.totals, self.weights = (
            self.add_variable((MOST_PARTS,), "zeros", dtype="float64", name=part)
            for part in ("totals", "weights")
        )

    def update_state(self, term, sample_weight=None):
        """Add the term of a batch.

        Args:
            term: a `LossTerm` or a scalar.
            sample_weight: scalar, the weight of parts that have none, such as the number of examples of the
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

    def result(self):
        means = ops.divide_no_nan(ops.convert_to_tensor(self.totals), ops.convert_to_tensor(self.weights))
        return ops.cast(ops.sum(means), "float32")


def _padded(values):
    return ops.pad(ops.stack(values), (0, MOST_PARTS - len(values)))
