"""Test cases for verification: inputs of endpoints with the outputs that an artifact must reproduce."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export.samples import free_lengths, random_inputs
from keras_ae.export.signature import call
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import exporting

TIE = 1e-5  # relative gap of two scores within float32 rounding: sums of ~100 terms at 1.2e-7 each


@dataclass(frozen=True)
class Case:
    """Call of one endpoint with fixed inputs.

    Attributes:
        endpoint: name of the endpoint.
        sizes: `{axis name: size}`, including `batch`.
        inputs: `{name: array}`.
        expected: `{name: array}`, the outputs of the live model.
        ties: `(batch,)`, true for examples with a code whose best two scores are so close
            that two runtimes may choose differently.
    """

    endpoint: str
    sizes: Mapping[str, int]
    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    ties: np.ndarray

    @property
    def batch(self) -> int:
        """Number of examples in the case."""
        return self.sizes["batch"]

    @property
    def length(self) -> int | None:
        """Size of the first free length; `None` if all sizes are fixed."""
        return next((size for name, size in self.sizes.items() if name != "batch"), None)


def make_cases(
    endpoints: Mapping[str, Endpoint],
    batch_sizes: Sequence[int] = (1, 3),
    lengths: Sequence[int] = (5, 8),
    seed: int = 0,
) -> list[Case]:
    """Call every endpoint of the live model at every batch size and length, and return the cases.

    Raises:
        InputError: an endpoint fails, does not return batches, or is not deterministic.
    """
    cases = []
    for name, endpoint in endpoints.items():
        rng = np.random.default_rng(seed)
        own = [_make(name, endpoint, sizes, rng) for sizes in _sizes(endpoint, batch_sizes, lengths)]
        _check_deterministic(name, endpoint, own[0])
        cases += own
    return cases


def _sizes(endpoint, batch_sizes, lengths):
    free = free_lengths(endpoint.inputs)
    shifts = range(len(lengths)) if free else (0,)
    for batch, shift in itertools.product(batch_sizes, shifts):
        # use different lengths where possible, so that an artifact that confuses them is detected
        chosen = {axis: lengths[(shift + i) % len(lengths)] for i, axis in enumerate(free)}
        yield {"batch": batch, **{axis: endpoint.unit * length for axis, length in chosen.items()}}


def _make(name, endpoint, sizes, rng):
    inputs = random_inputs(endpoint.inputs, sizes, rng, endpoint.unit)
    if endpoint.sample is not None:
        drawn = endpoint.sample(inputs)
        # no dtype for strings, because numpy would truncate them to the length of the random strings
        types = {key: None if value.dtype.kind == "S" else value.dtype for key, value in inputs.items()}
        inputs = {key: np.asarray(drawn[key], dtype) for key, dtype in types.items()}
    return Case(name, sizes, inputs, call(name, endpoint, inputs), _ties(endpoint, inputs, sizes["batch"]))


def _ties(endpoint, inputs, batch):
    if endpoint.margin is None:
        return np.zeros(batch, bool)
    with exporting():
        margin = endpoint.margin(**{key: tf.constant(value) for key, value in inputs.items()})
    return np.asarray(margin).reshape(batch) < TIE


def _check_deterministic(name, endpoint, case):
    again = call(name, endpoint, case.inputs)
    for key, value in case.expected.items():
        # parallel sums may differ in the last bits; noise differs by more
        numeric = value.dtype.kind == "f"
        same = (
            np.allclose(value, again[key], 1e-5, 1e-6, equal_nan=True)
            if numeric
            else np.array_equal(value, again[key])
        )
        if not same:
            raise InputError(
                f"Endpoint `{name}` is not deterministic: two calls with the same inputs differ in `{key}`. "
                "Pass noise as an input."
            )
