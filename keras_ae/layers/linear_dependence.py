"""Linear dependence between an embedding and labels, in closed form, without training a classifier."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.ops.core import Tensor, assign_finite, finite_padding, gather_over_replicas, sum_over_replicas
from keras_ae.ops.terms import LossTerm, batch_term

EPSILON = 1e-4  # variance added to every direction, so that a constant one is not divided by 0


@keras.saving.register_keras_serializable(package="keras_ae")
class LinearDependence(Float32Layer):
    """Between-class variance of whitened vectors: 0 only if no linear classifier is better than chance.

    ```
    mean of q_i . q_j over pairs i != j with equal labels   -   the same over pairs with different labels
    q = L^-1 (z - m),    L L^T = C + (shrinkage tr(C) / D + 1e-4) I
    ```

    `m` and `C` are the moving mean and covariance of the `D` features in training, through which no gradient
    flows. In expectation the result is the variance of the class means, summed over all directions and
    measured in each relative to the variance of the vectors: Fisher's criterion, 0 only where no linear
    classifier is better than chance. Minimising it removes labels from an embedding in closed form, where an
    adversary would have to be trained in alternation. The estimate of a batch is unbiased, so it is sometimes
    below 0. Under `tf.distribute` the pairs are those of the global batch. Float32 inside.

    Args:
        momentum: momentum of the moving mean and covariance.
        shrinkage: fraction of the mean variance that is added to every direction.

    Call arguments:
        z: `(batch, features)`.
        labels: int `(batch,)`.
        sample_weight: `(batch,)`; a pair has the product of its two weights.
        training: whether to update the statistics first.

    Returns:
        float32 scalar; 0 where a batch has no pair with equal labels, or none with different labels.

    Raises:
        ValueError: if `momentum` is outside of [0, 1), or `shrinkage` is not above 0.

    Example:

    >>> z = ops.array([[0.0, 1.0], [0.1, 0.9], [1.0, 1.1], [1.1, 1.0]])
    >>> tells = LinearDependence()(z, ops.array([0, 0, 1, 1]), training=True)
    >>> bool(tells > LinearDependence()(z, ops.array([0, 1, 0, 1]), training=True))
    True

    Reference:
        Fisher, 1936, https://doi.org/10.1111/j.1469-1809.1936.tb02137.x; covariance from few vectors:
        Ledoit and Wolf, 2004, https://doi.org/10.1016/S0047-259X(03)00096-4.
    """

    def __init__(self, *, momentum: float = 0.98, shrinkage: float = 0.1, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0.0 <= momentum < 1.0 or not shrinkage > 0.0:
            raise ValueError(
                "LinearDependence: momentum must be in [0, 1) and shrinkage must be positive. "
                f"Received: momentum={momentum!r}, shrinkage={shrinkage!r}"
            )
        self.momentum = momentum
        self.shrinkage = shrinkage

    def build(
        self, z_shape: tuple[int | None, ...], labels_shape: tuple[int | None, ...] | None = None
    ) -> None:
        features = z_shape[-1]
        moving = {"dtype": "float32", "autocast": False, "trainable": False, "aggregation": "mean"}
        self.mean = self.add_weight(name="mean", shape=(features,), initializer="zeros", **moving)
        square = (features, features)
        self.covariance = self.add_weight(name="covariance", shape=square, initializer="identity", **moving)

    def call(
        self, z: Tensor, labels: Tensor, sample_weight: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        z = ops.cast(z, "float32")
        weight = ops.ones_like(z[:, 0]) if sample_weight is None else ops.cast(sample_weight, "float32")
        weight = ops.reshape(weight, (-1,))
        z = finite_padding(z, weight)
        if training and self.trainable:
            self._learn(ops.stop_gradient(z), weight)
        q, _ = gather_over_replicas(self._whitened(z))
        labels, _ = gather_over_replicas(ops.cast(labels, "int32"))
        weight, _ = gather_over_replicas(weight)
        pairs = weight[:, None] * weight[None, :] * (1.0 - ops.eye(ops.shape(q)[0], dtype="float32"))
        same = ops.cast(labels[:, None] == labels[None, :], "float32")
        one, two = pairs * same, pairs * (1.0 - same)
        alike = ops.matmul(q, ops.transpose(q))
        both = ops.logical_and(ops.sum(one) > 0, ops.sum(two) > 0)
        return ops.where(both, _mean(alike, one) - _mean(alike, two), 0.0)

    def _whitened(self, z):
        covariance = ops.convert_to_tensor(self.covariance)
        size = covariance.shape[0]
        ridge = self.shrinkage * ops.trace(covariance) / size + EPSILON
        root = ops.cholesky(covariance + ridge * ops.eye(size, dtype="float32"))
        centred = ops.transpose(z - ops.convert_to_tensor(self.mean))
        return ops.transpose(ops.solve_triangular(root, centred, lower=True))

    def _learn(self, z, weight):
        """Update the statistics with those of the global batch, if they are finite."""
        total = sum_over_replicas(ops.sum(weight))
        step = (1.0 - self.momentum) * ops.cast(total > 0, "float32")
        mean = ops.divide_no_nan(sum_over_replicas(ops.sum(weight[:, None] * z, axis=0)), total)
        mean = self.mean + step * (mean - self.mean)
        centred = z - mean
        products = ops.matmul(ops.transpose(weight[:, None] * centred), centred)
        found = ops.divide_no_nan(sum_over_replicas(products), total)
        covariance = self.covariance + step * (found - self.covariance)
        assign_finite((self.mean, mean), (self.covariance, covariance))

    def compute_output_shape(
        self, z_shape: tuple[int | None, ...], labels_shape: tuple[int | None, ...] | None = None
    ) -> tuple[int | None, ...]:
        return ()

    def compute_output_spec(
        self, z: Tensor, labels: Tensor, sample_weight: Tensor | None = None, training: bool | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor((), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "shrinkage": self.shrinkage}


def dependence_term(dependence: Tensor, sample_weight: Tensor | None, z: Tensor) -> LossTerm:
    """Return the `LinearDependence` of vectors `z` as a loss term; a batch without pairs has weight 0."""
    weights = ops.ones_like(z[:, 0]) if sample_weight is None else sample_weight
    return batch_term(dependence, ops.where(dependence == 0, ops.zeros_like(weights), weights))


def _mean(values, weights):
    return ops.divide_no_nan(ops.sum(values * weights), ops.sum(weights))
