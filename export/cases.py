"""Test cases for verification: inputs of endpoints with the outputs that an artifact must reproduce."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError, several, whole_number
from keras_ae.export.samples import counted_inputs, free_lengths, random_inputs, uncounted_axes
from keras_ae.export.signature import call
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import exporting

TIE = 1e-5  # relative gap of two scores within float32 rounding: sums of ~100 terms at 1.2e-7 each

PADDING_TOLERANCE = (
    1e-4,
    1e-5,
)  # relative and absolute: convolutions of other lengths order sums differently


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
        InputError: an endpoint fails, does not return batches, or is not deterministic; a size is not valid.
    """
    batch_sizes, lengths = check_sizes(batch_sizes, lengths)
    cases = []
    for name, endpoint in endpoints.items():
        rng = np.random.default_rng(seed)
        own = [_make(name, endpoint, sizes, rng) for sizes in _sizes(endpoint, batch_sizes, lengths)]
        _check_deterministic(name, endpoint, own[0])
        cases += own
    return cases


def check_sizes(batch_sizes: Sequence[int], lengths: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the sizes to verify as lists, or raise `InputError` unless they are positive integers."""
    given = {"batch_sizes": batch_sizes, "lengths": lengths}
    sizes = [
        [whole_number(name, size, low=1) for size in several(name, value)] for name, value in given.items()
    ]
    return sizes[0], sizes[1]


def _sizes(endpoint, batch_sizes, lengths):
    free = free_lengths(endpoint.inputs)
    shifts = range(len(lengths)) if free else (0,)
    for batch, shift in itertools.product(batch_sizes, shifts):
        # use different lengths where possible, so that an artifact that confuses them is detected
        chosen = {axis: lengths[(shift + i) % len(lengths)] for i, axis in enumerate(free)}
        yield {"batch": batch, **{axis: endpoint.unit * length for axis, length in chosen.items()}}


def padding_case(
    name: str, endpoint: Endpoint, lengths: Sequence[int] = (5, 8), seed: int = 0
) -> tuple[Case | None, str]:
    """Return the padded batch of two requests of different lengths, and why it must not be served.

    A server that pads repeats the first value of a request, not 0. The outputs of the live model for the
    batch are compared with those for each request alone, up to the length of the latter.

    Returns:
        `(case, reason)`. The case is `None` if no axis is free, or one has no lengths; the reason is empty if
        a server may pad.

    Raises:
        InputError: the endpoint fails for one of the requests or for the batch.
    """
    uncounted, free = uncounted_axes(endpoint.inputs), free_lengths(endpoint.inputs)
    if not free:
        return None, ""
    if uncounted:
        return None, f"`{name}` has no lengths for {', '.join(uncounted)}"
    shorter, longer = (endpoint.unit * size for size in (min(lengths), max(lengths)))
    longer = max(longer, shorter + endpoint.unit)
    rng = np.random.default_rng(seed)
    requests = [
        _request(
            name,
            endpoint,
            {"batch": 1, **{axis: (shorter, longer)[(i + shift) % 2] for i, axis in enumerate(free)}},
            rng,
        )
        for shift in range(2)
    ]
    sizes = {"batch": 2, **dict.fromkeys(free, longer)}
    inputs = {key: _padded([request.inputs[key] for request in requests]) for key in endpoint.inputs}
    expected = call(name, endpoint, inputs)
    together = Case(name, sizes, inputs, expected, np.concatenate([request.ties for request in requests]))
    alone = all(_is_row(together, row, request) for row, request in enumerate(requests))
    return together, "" if alone else f"padding changes the outputs of `{name}` in spite of its lengths"


def _request(name, endpoint, sizes, rng):
    """Return a case in which all lengths are those of their inputs, as in requests of one example."""
    inputs = _draw(endpoint, sizes, rng)
    for lengths, names in counted_inputs(endpoint.inputs).items():
        if names:
            inputs[lengths] = np.full_like(inputs[lengths], inputs[names[0]].shape[1])
    return Case(name, sizes, inputs, call(name, endpoint, inputs), _ties(endpoint, inputs, sizes["batch"]))


def _padded(arrays):
    """Return one batch, in which each array is padded with its first value to the largest sizes."""
    sizes = np.max([array.shape[1:] for array in arrays], axis=0, initial=0).astype(int)
    pads = [
        [(0, 0), *((0, size - own) for size, own in zip(sizes, a.shape[1:], strict=True))] for a in arrays
    ]
    return np.concatenate(
        [np.pad(a, pad, constant_values=a.flat[0]) for a, pad in zip(arrays, pads, strict=True)]
    )


def _is_row(together, row, request):
    """Return whether a row of a batch begins with the outputs of the request alone."""
    for key, alone in request.expected.items():
        within = together.expected[key][row : row + 1][tuple(slice(size) for size in alone.shape)]
        if within.shape != alone.shape:
            return False
        near = np.allclose(within, alone, *PADDING_TOLERANCE) if alone.dtype.kind == "f" else None
        if not (np.array_equal(within, alone) if near is None else near) and not request.ties[0]:
            return False
    return True


def _make(name, endpoint, sizes, rng):
    inputs = _draw(endpoint, sizes, rng)
    return Case(name, sizes, inputs, call(name, endpoint, inputs), _ties(endpoint, inputs, sizes["batch"]))


def _draw(endpoint, sizes, rng):
    inputs = random_inputs(endpoint.inputs, sizes, rng, endpoint.unit)
    if endpoint.sample is not None:
        drawn = endpoint.sample(inputs)
        # no dtype for strings, because numpy would truncate them to the length of the random strings
        types = {key: None if value.dtype.kind == "S" else value.dtype for key, value in inputs.items()}
        inputs = {key: np.asarray(drawn[key], dtype) for key, dtype in types.items()}
    return inputs


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
