"""Endpoints of a model, and the selection that an export writes."""

from collections.abc import Callable, Iterable, Mapping

import keras
import tensorflow as tf

from keras_ae.errors import InputError, several
from keras_ae.export.functional import functional_endpoints
from keras_ae.export.precision import computes_in_float32, float32_copy
from keras_ae.export.samples import is_input_name
from keras_ae.models.endpoint import Endpoint


def endpoints_of(model: keras.Model) -> dict[str, Endpoint]:
    """Return the endpoints of a model, defined by its method `endpoints()` or by its graph.

    A model with a method `endpoints()` defines its own. A user's functional or sequential
    model has `serving_default`, and also `encode` and `decode` if its graph can be split at
    exactly one bottleneck layer of `keras_ae.layers`.

    Raises:
        InputError: the model has neither such a method nor a graph.

    Example:

    >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2)])
    >>> list(endpoints_of(model))
    ['serving_default']
    """
    if callable(getattr(model, "endpoints", None)):
        return dict(model.endpoints())
    inputs = getattr(model, "inputs", None)
    if inputs and all(isinstance(x, keras.KerasTensor) for x in inputs):
        return functional_endpoints(model)
    raise InputError(
        "model must have a method `endpoints()` or be a built functional model. "
        f"Received: {type(model).__name__}. "
        "Pass `endpoints={name: Endpoint(...)}`, or define `endpoints()`."
    )


def select(
    model: keras.Model,
    endpoints: Mapping[str, Endpoint] | Iterable[str] | None,
    format: str,
    further: Callable[[dict], dict] = dict,
) -> tuple[keras.Model, dict[str, Endpoint]]:
    """Return the float32 model and the endpoints to write in `format`, `serving_default` first.

    Args:
        model: any model; a model of another precision is rebuilt in float32.
        endpoints: a table of endpoints, or names from `endpoints_of(model)`, or
            `None` for all of them.
        format: "saved_model" or "onnx".
        further: function that adds endpoints derived from the chosen ones.
    """
    if not isinstance(model, keras.Layer):
        plain = model is None or isinstance(model, (str, int, float))
        raise InputError(
            f"model must be a keras.Model. Received: {repr(model) if plain else type(model).__name__}."
        )
    if isinstance(endpoints, Mapping):
        _refuse_other_precisions(model)
        table = dict(endpoints)
    else:
        model = float32_copy(model)
        table = _named(endpoints_of(model), endpoints)
    for name, endpoint in table.items():
        if not isinstance(endpoint, Endpoint):
            raise InputError(
                f"endpoints must be a dict of models.Endpoint. Received: {name!r}: {type(endpoint).__name__}."
            )
    table = further(table)
    table = {name: endpoint for name, endpoint in table.items() if format in endpoint.formats}
    if not table:
        raise InputError(
            f"endpoints must contain at least one endpoint whose formats include {format!r}. Received: none."
        )
    for name, endpoint in table.items():
        _check(name, endpoint)
    return model, dict(sorted(table.items(), key=lambda item: item[0] != "serving_default"))


def _refuse_other_precisions(model):
    if not computes_in_float32(model):
        raise InputError(
            "endpoints must be those of a model that computes in float32. Received: endpoints of a model "
            "with another dtype. Call `model = keras_ae.export.float32_copy(model)` and pass the endpoints "
            "of the copy."
        )


def _named(table, names):
    names = (
        list(table) if names is None else [names] if isinstance(names, str) else several("endpoints", names)
    )
    unknown = [name for name in names if not isinstance(name, str) or name not in table]
    if unknown:
        raise InputError(f"endpoints must be among {sorted(table)}. Received: {unknown}.")
    return {name: table[name] for name in names}


def _check(name, endpoint):
    if not name.isidentifier():  # the name is used for a signature, an attribute and a file
        raise InputError(f"The name of an endpoint must be a Python identifier. Received: {name!r}.")
    if not endpoint.inputs:
        raise InputError(f"Endpoint `{name}` must have at least one input. Received: none.")
    names = [label for label in endpoint.inputs if not is_input_name(label)]
    if names:
        raise InputError(
            f"Inputs of endpoint `{name}` must have names of ASCII letters, digits and `_`, beginning with a "
            f"letter, but not Python keywords, `self` or `endpoint`. Received: {names}. Rename them."
        )
    if len({label.lower() for label in endpoint.inputs}) < len(endpoint.inputs):
        raise InputError(
            f"Names of inputs of endpoint `{name}` must differ in more than case, which TensorFlow ignores. "
            f"Received: {list(endpoint.inputs)}."
        )
    for label, spec in endpoint.inputs.items():
        if not isinstance(spec, tf.TensorSpec) or not spec.shape.rank or spec.shape[0] is not None:
            raise InputError(
                f"Input `{label}` of endpoint `{name}` must be a tf.TensorSpec "
                f"whose axis 0 is the batch, None. Received: {spec}."
            )
