"""The named functions of a model, from which every export is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow as tf


@dataclass(frozen=True)
class Endpoint:
    """One named, deterministic function of a model.

    The same table of endpoints feeds SavedModel, ONNX, the verification and the
    documentation.

    Attributes:
        function: takes the tensors of `inputs` by keyword and returns a dict of
            named tensors. Axis 0 of every input and output is the batch.
        inputs: `{name: tf.TensorSpec}`; the spec carries the same name. An axis
            after the batch whose size is `None` is a free length.
        formats: the formats this endpoint can be written in.
        sample: optional; maps `{name: array}` of uniform random inputs in [0, 1)
            (floats) or zeros (integers) to inputs that make sense, such as codes
            below the size of the codebook. Used by the verification only.
        margin: optional; takes the inputs and returns, with shape `(batch,)`, the
            smallest relative gap between the best and the second-best score of
            any code of that example. An example below 1e-5 is a tie: its codes may
            differ between two runtimes.
        tables: lookup tables that the function reads; a SavedModel keeps them.
        files: optional; `{name: write}` of what an ONNX file needs beside it, such as a vocabulary:
            `write(path)` makes the file.
        unit: the shortest length that means something, in steps of the free lengths, such as the
            samples of a frame, or the frames that a mean and a deviation can be taken of. Verification
            and warm-up are at so many times their lengths, and no example is shorter.
        value_ranges: `{input: (low, high)}` of valid values, such as codes below the size of the codebook.
            Kept in the manifest and checked when an artifact is run.
    """

    function: Callable[..., dict]
    inputs: Mapping[str, tf.TensorSpec]
    formats: tuple[str, ...] = ("saved_model", "onnx")
    sample: Callable[[dict], dict] | None = None
    margin: Callable[..., tf.Tensor] | None = None
    tables: Sequence = ()
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)
    unit: int = 1
    value_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
