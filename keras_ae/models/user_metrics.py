"""Metrics given to `compile`."""

import keras
from keras import ops

from keras_ae.ops.core import is_recording


class UserMetrics:
    """Metrics of (target, reconstruction); empty unless `compile(metrics=...)` names some.

    They are kept out of the attributes of the model, so that Keras does not track them as its state.
    """

    def __init__(self):
        self.metrics = []

    def set(self, metrics, model):
        """Set the metrics of `compile`.

        Raises:
            ValueError: two metrics have the same name, or one has the name of a term.
        """
        given = metrics if isinstance(metrics, (list, tuple)) else [] if metrics is None else [metrics]
        self.metrics = []
        own = {"loss", *(metric.name for metric in model.metrics)}
        self.metrics = [_metric(one) for one in given]
        names = [metric.name for metric in self.metrics]
        taken = sorted({name for name in names if names.count(name) > 1 or name in own})
        if self.metrics and taken:
            self.metrics = []
            raise ValueError(f"metrics must have distinct names. Received: {', '.join(taken)} twice.")

    def update(self, target, reconstruction, weights):
        """Update the metrics with the reconstructions of a batch; `weights` `(batch, ...)` or `None`."""
        if self.metrics and is_recording():
            target, reconstruction = (ops.cast(part, "float32") for part in (target, reconstruction))
            weights = None if weights is None else ops.cast(weights, "float32")
            for metric in self.metrics:
                metric.update_state(target, reconstruction, sample_weight=weights)

    def get_config(self) -> dict:
        """Return the argument `metrics` of `compile`, serialised; empty without metrics."""
        if not self.metrics:
            return {}
        return {"metrics": [keras.saving.serialize_keras_object(metric) for metric in self.metrics]}


def _metric(given):
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.Metric):
        return found
    return keras.metrics.MeanMetricWrapper(found, name=getattr(found, "__name__", "metric"))
