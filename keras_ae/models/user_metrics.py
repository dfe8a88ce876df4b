"""The metrics that a user gives to `compile`."""

import keras
from keras import ops

from keras_ae.recording import is_recording


class UserMetrics:
    """Metrics of (target, reconstruction); empty unless `compile(metrics=...)` names some.

    They are no part of the model's state, so Keras does not find them as attributes of the model.
    """

    def __init__(self):
        self.metrics = []

    def set(self, metrics, model):
        """Take the metrics of `compile`.

        Raises:
            ValueError: two metrics have one name, or the name of a term.
        """
        given = metrics if isinstance(metrics, (list, tuple)) else [] if metrics is None else [metrics]
        self.metrics = []
        own = {"loss", *(metric.name for metric in model.metrics)}
        self.metrics = [_metric(one) for one in given]
        names = [metric.name for metric in self.metrics]
        taken = sorted({name for name in names if names.count(name) > 1 or name in own})
        if self.metrics and taken:
            self.metrics = []
            raise ValueError(f"Metrics must have names of their own. Received: {', '.join(taken)} twice.")

    def update(self, target, reconstruction, weights):
        """Count the reconstructions of a batch; `weights` `(batch, ...)` or `None`."""
        if self.metrics and is_recording():
            target, reconstruction = (ops.cast(part, "float32") for part in (target, reconstruction))
            weights = None if weights is None else ops.cast(weights, "float32")
            for metric in self.metrics:
                metric.update_state(target, reconstruction, sample_weight=weights)

    def get_config(self) -> dict:
        """What `compile` takes, serialised; empty without metrics."""
        if not self.metrics:
            return {}
        return {"metrics": [keras.saving.serialize_keras_object(metric) for metric in self.metrics]}


def _metric(given):
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.Metric):
        return found
    return keras.metrics.MeanMetricWrapper(found, name=getattr(found, "__name__", "metric"))
