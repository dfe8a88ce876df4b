"""Encoding of utterances of any length."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.commands._encode_images import checked_output, packed, temporary_folder

BLANK = 16_000  # samples of silence that show the output arrays of an encoder if there are no utterances
LENGTHS = ("code_lengths", "lengths")  # names of the output of an endpoint with the number of real frames


def encode_utterances(
    encode: Callable, utterances: Iterable, output, *, progress: Callable[[int], None] | None = None
) -> Path:
    """Write what `encode` returns for every utterance to the .npz file `output`.

    The frames of all utterances are concatenated: those of utterance `i` are
    `codes[offsets[i] : offsets[i + 1]]`. The results are written to disk one utterance after the other;
    the file appears when it is complete.

    Args:
        encode: function of `{"x": float32 (1, samples), "lengths": int32 (1,)}` that returns `{name:
            array}` with the batch as first axis and frames, if any, as second axis.
        utterances: pairs of a name and a waveform, float32 `(samples,)`.
        output: the .npz file: the arrays of `encode`, `offsets` int64 `(utterances + 1,)`, and
            `names` of the utterances.
        progress: function called with the number of encoded utterances.

    Returns:
        the path of the file.

    Raises:
        InputError: the file cannot be written, or is an input of `utterances`, such as those of
            `stream_speech`; an utterance cannot be read.
    """
    output = checked_output(output, getattr(utterances, "inputs", ()))
    with temporary_folder(output) as folder:
        names, arrays = [], _FrameFiles(folder)
        with arrays:
            for name, waveform in utterances:
                x = np.asarray(waveform, "float32")[None]
                arrays.add(encode({"x": x, "lengths": np.array([x.shape[1]], "int32")}))
                names.append(name)
                if progress is not None:
                    progress(len(names))
            if not names:  # an empty shard has the same arrays with 0 rows
                blank = np.zeros((1, BLANK), "float32")
                arrays.add(encode({"x": blank, "lengths": np.array([BLANK], "int32")}), keep=False)
        np.save(folder / "names.npy", np.asarray(names, str))
        np.save(folder / "offsets.npy", np.cumsum([0, *arrays.frames], dtype="int64"))
        os.replace(packed(folder, [*arrays.names, "names", "offsets"]), output)
    return output


def waveform_inputs(shapes) -> bool:
    """Return whether the inputs of an encoder, `{name: shape}`, are waveforms `x` and optional `lengths`."""
    known = set(shapes) <= {"x", "lengths"}
    return known and "x" in shapes and tuple(shapes["x"]) == (None, None)


class _FrameFiles(contextlib.ExitStack):
    """Files .npy of the outputs of an encoder, whose number of frames is known at the end."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.frames = []
        self.kinds = {}  # dtype and shape of a frame
        self.files = {}

    @property
    def names(self):
        return list(self.kinds)

    def add(self, outputs, keep=True):
        """Write the frames of one utterance; without `keep`, record only their dtypes and shapes."""
        outputs = {name: np.asarray(values) for name, values in outputs.items()}
        real = next((int(outputs.pop(name)[0]) for name in LENGTHS if name in outputs), None)
        counts = []
        for name, values in outputs.items():
            # an output without a frame axis counts as one frame
            frames = values if values.ndim < 3 and real is None else values[0][:real]
            if name not in self.files:
                self.kinds[name] = (frames.dtype, frames.shape[1:])
                self.files[name] = self.enter_context((self.folder / f"{name}.raw").open("wb"))
            self.files[name].write(np.ascontiguousarray(frames if keep else frames[:0]).tobytes())
            counts.append(len(frames))
        if len(set(counts)) != 1:
            raise InputError(f"All outputs must have the same number of frames. Received: {counts}")
        if keep:
            self.frames.append(counts[0])

    def __exit__(self, *error):
        closed = super().__exit__(*error)
        if error[0] is None:
            for name, (dtype, shape) in self.kinds.items():
                self._with_header(name, dtype, shape)
        return closed

    def _with_header(self, name, dtype, shape):
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
        whole, raw = (self.folder / f"{name}.{ending}" for ending in ("npy", "raw"))
        with whole.open("wb") as file, raw.open("rb") as frames:
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (sum(self.frames), *shape)})
            shutil.copyfileobj(frames, file)
        raw.unlink()
