"""Names of the metrics of layers, distinct within a model."""

import re
import weakref


class NamedMetrics:
    """Mixin of layers whose metrics must not overwrite those of another layer of the model.

    Keras logs metrics by their name, and of two equal names one is lost. A layer with an explicit name
    prefixes its metrics with it. Among layers without one, the first in the model (in the order of its
    layers) has `usage`, the next `usage_1`, `usage_2`, ...: the numbers depend on the model alone, not on
    other objects of the process, and are the same after saving or cloning.

    A subclass defines `named_metrics`, and calls `tell_metrics_apart` in its `call`.
    """

    def named_metrics(self) -> dict:
        """Return `{plain name: metric}` of the metrics that exist."""
        return {}

    @property
    def has_automatic_name(self) -> bool:
        """Whether Keras generated the layer's name."""
        automatic = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        return re.fullmatch(rf"{automatic}(_\d+)?", self.name) is not None

    def metric_name(self, name):
        """Return the name of a metric in the logs: with a prefix, or with the number of the layer."""
        if not self.has_automatic_name:
            return f"{self.name}_{name}"
        numbers = vars(self).get("_metric_numbers", {})
        number = numbers.get(name, numbers.get("usage", 0))
        return f"{name}_{number}" if number else name

    def tell_metrics_apart(self):
        """Rename metrics whose names occur twice in the called model; for use inside `call`."""
        root = getattr(self._get_call_context(), "entry_layer", self)
        known = vars(self).get("_told_apart_in")
        if root is not self and (known is None or known() is not root):
            tell_metrics_apart(root)
            vars(self)["_told_apart_in"] = weakref.ref(root)


def tell_metrics_apart(model):
    """Give distinct names to the metrics of the layers of `model` that have no explicit name."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, NamedMetrics)]
    layers = [layer for layer in layers if layer.has_automatic_name]
    counts, numbers = {}, []
    for layer in layers:
        names = list(layer.named_metrics())
        numbers.append({name: counts.get(name, 0) for name in names})
        counts.update({name: counts.get(name, 0) + 1 for name in names})
    for layer, own in zip(layers, numbers, strict=True):
        vars(layer)["_metric_numbers"] = own  # not by setattr: Keras would track the dictionary
        for name, metric in layer.named_metrics().items():
            metric.name = layer.metric_name(name)
