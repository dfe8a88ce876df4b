"""Embedding, codes and reconstruction of exported encoders, from their named outputs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders._artifacts import run_batch
from keras_ae.evaluation.encoders._sequence_inputs import SequenceInputs
from keras_ae.evaluation.encoders._texts import as_text
from keras_ae.models.endpoint import checked_input

FLOATS = ("float16", "float32", "float64")


def embedding_names(function: Any) -> list[str]:
    """Return the outputs that are the embedding: the chosen one, those with that name, or the only floats.

    Args:
        function: `SavedModelFunction` or `OnnxFunction`.

    Returns:
        several names for the levels of a model; none if the embedding is not clear.
    """
    if function.chosen is not None:
        return [function.chosen]
    outputs = function.outputs
    named = [name for name in outputs if name == "embedding" or name.endswith("_embedding")]
    if named or len(outputs) == 1:
        return sorted(named or outputs, reverse=True)
    floats = _of_floats(outputs)
    return floats if len(floats) == 1 else []


def embedding_function(function: Any) -> Callable:
    """Return the function from a batch to its embedding; those of several levels are flattened and joined."""
    names = embedding_names(function)

    def embed(batch):
        if not names:
            raise InputError(
                "The encoder must have an output `embedding`, or only one output. "
                f"Received: {', '.join(sorted(function.outputs))}. Choose one by output_name."
            )
        outputs = run_batch(function, _named(batch, function), names)
        values = [np.asarray(outputs[name], "float32") for name in names]
        if len(values) == 1:
            return values[0]
        return np.concatenate([value.reshape(len(value), -1) for value in values], axis=1)

    return embed


def codes_function(function: Any) -> Callable | None:
    """Return the function from a batch to `{level: codes}`; `None` if the embedding has no codes.

    An embedding that is chosen by its name, such as `top_embedding`, has the codes of this level; another
    chosen output has none.
    """
    chosen = "embedding" if function.chosen is None else function.chosen
    level = chosen.removesuffix("embedding")
    names = [name for name in function.outputs if name.endswith("codes") and name.startswith(level)]
    if not names or not chosen.endswith("embedding"):
        return None

    def codes(batch):
        outputs = run_batch(function, _named(batch, function), names)
        return {name.removesuffix("codes").strip("_"): value for name, value in outputs.items()}

    return codes


def reconstruction_function(function: Any, decoder: Any) -> Callable | None:
    """Return the function from a batch to its reconstruction by an exported decoder; `None` without one."""
    if decoder is None:
        return None

    def reconstruct(batch):
        if not set(decoder.inputs) <= set(function.outputs):
            raise InputError(
                "The inputs of `decode` must be outputs of the encoder, "
                f"{sorted(function.outputs)}. Received: {sorted(decoder.inputs)}. Pass decode=, a function "
                "from embeddings to reconstructions."
            )
        given = run_batch(function, _named(batch, function), list(decoder.inputs))
        return _reconstruction_in(run_batch(decoder, given), decoder)

    return reconstruct


def _of_floats(outputs):
    kinds = {
        name: kind if isinstance(kind, str | None) else np.dtype(kind).name
        for name, (_, kind) in outputs.items()
    }
    return [name for name, kind in kinds.items() if kind in FLOATS]


def _reconstruction_in(outputs, decoder):
    """Return the reconstruction in a dict of outputs: the one with that name, or the only one of floats."""
    names = ["reconstruction"] if "reconstruction" in outputs else _of_floats(decoder.outputs)
    if len(names) != 1:
        raise InputError(
            "`decode` must have an output `reconstruction`, or only one output of floats. "
            f"Received: {', '.join(sorted(outputs))}. Pass decode=, a function from embeddings to "
            "reconstructions."
        )
    return outputs[names[0]]


def _named(batch, function):
    """Return a batch as the inputs of an artifact, with their names and dtypes."""
    names = list(function.inputs)
    batch = batch if isinstance(batch, dict) else {"x" if "x" in names else names[0]: batch}
    if set(batch) == {"x", "lengths"} and set(names) != {"x", "lengths"}:
        known = SequenceInputs.of(function.inputs)
        if known is not None and (known.mask or known.lengths):
            batch = known.named(np.asarray(batch["x"]), np.asarray(batch["lengths"]))[0]
    if set(batch) != set(names):
        raise InputError(f"The inputs of the encoder must be {sorted(names)}. Received: {sorted(batch)}")
    return {name: _typed(name, value, *function.inputs[name]) for name, value in batch.items()}


def _typed(name, value, shape, dtype):
    if dtype is None:
        texts = np.asarray([as_text(one) for one in np.asarray(value).ravel()], object)
        return texts.reshape(-1, 1) if len(shape) == 2 else texts
    dtype = np.dtype(dtype)
    known = dtype.kind in "fiub"
    return checked_input(f"Input `{name}` of the encoder", value, dtype.name) if known else value
