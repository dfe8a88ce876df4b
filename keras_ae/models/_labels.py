"""Labels of a model whose networks are conditioned on them: checks, and inputs of methods."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_ae.errors import InputError, embedding_rows


def check_label_inputs(networks: Mapping[str, keras.Layer], num_labels: int | None) -> None:
    """Raise `ValueError` unless the networks have an input of labels exactly if `num_labels` is given.

    Networks that are not functional models are not checked.
    """
    if num_labels is not None and num_labels < 1:
        raise ValueError(f"num_labels must be at least 1, or None. Received: num_labels={num_labels}")
    for name, network in networks.items():
        inputs = getattr(network, "inputs", None)
        if not inputs:
            continue
        if len(inputs) != (1 if num_labels is None else 2):
            wanted = "one input" if num_labels is None else "the inputs [tensor, labels]"
            raise ValueError(
                f"{name} must have {wanted} with num_labels={num_labels}. Received: a model of {len(inputs)} "
                "inputs. Give num_labels to networks and model, such as networks.image_encoder(..., "
                "num_labels=10)."
            )
        rows = embedding_rows(network)
        if num_labels is not None and rows is not None and rows < num_labels:
            raise ValueError(
                f"The Embedding of the labels of {name} must have at least num_labels={num_labels} rows. "
                f"Received: {rows}"
            )


def labels_of(x: Any) -> Any:
    """Return the labels in the inputs `x` of a conditional model.

    Raises:
        InputError: there are none.
    """
    labels = x.get("labels") if isinstance(x, dict) else None
    if labels is None:
        raise InputError(
            'x must contain "labels", on which encoder and decoder are conditioned. '
            f"Received: {sorted(x) if isinstance(x, dict) else 'x alone'}. "
            'Pass {"x": x, "labels": (batch,) integers}.'
        )
    return labels
