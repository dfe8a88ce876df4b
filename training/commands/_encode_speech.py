"""Waveforms in, codes out: the encoder over utterances of any length."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.commands._encode_images import checked_output, packed, temporary_folder

BLANK = 16_000  # samples of silence that tell what an encoder returns where there is nothing to encode
LENGTHS = ("code_lengths", "lengths")  # what an endpoint calls the number of its real frames


def encode_utterances(
    encode: Callable, utterances: Iterable, output, *, progress: Callable[[int], None] | None = None
) -> Path:
    """Write what `encode` returns for every utterance to the .npz file `output`.

    The frames of all utterances follow one another: those of utterance `i` are
    `codes[offsets[i] : offsets[i + 1]]`. The results go to disk one utterance after the other;
    the file appears when it is whole.

    Args:
        encode: takes `{"x": float32 (1, samples), "lengths": int32 (1,)}`, returns `{name: array}`
            with the batch first, the frames second where there are some.
        utterances: pairs of a name and a waveform, float32 `(samples,)`.
        output: the .npz file: the arrays of `encode`, `offsets` int64 `(utterances + 1,)`, and
            `names` of the utterances.
        progress: called with the number of utterances done.

    Returns:
        the path of the file.

    Raises:
        InputError: the file cannot be written there, or is an input of `utterances`, such as those of
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
            if not names:  # an empty shard has the same arrays, without rows
                blank = np.zeros((1, BLANK), "float32")
                arrays.add(encode({"x": blank, "lengths": np.array([BLANK], "int32")}), keep=False)
        np.save(folder / "names.npy", np.asarray(names, str))
        np.save(folder / "offsets.npy", np.cumsum([0, *arrays.frames], dtype="int64"))
        os.replace(packed(folder, [*arrays.names, "names", "offsets"]), output)
    return output


def waveform_inputs(shapes) -> bool:
    """Whether the inputs of an encoder, `{name: shape}`, are waveforms `x` with or without `lengths`."""
    known = set(shapes) <= {"x", "lengths"}
    return known and "x" in shapes and tuple(shapes["x"]) == (None, None)


class _FrameFiles(contextlib.ExitStack):
    """One .npy file for each output of an encoder, whose number of frames is known at the end."""

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
        """Write the frames of one utterance; without `keep` their kinds alone are recorded."""
        outputs = {name: np.asarray(values) for name, values in outputs.items()}
        real = next((int(outputs.pop(name)[0]) for name in LENGTHS if name in outputs), None)
        counts = []
        for name, values in outputs.items():
            # what has no frames is one of them
            frames = values if values.ndim < 3 and real is None else values[0][:real]
            if name not in self.files:
                self.kinds[name] = (frames.dtype, frames.shape[1:])
                self.files[name] = self.enter_context((self.folder / f"{name}.raw").open("wb"))
            self.files[name].write(np.ascontiguousarray(frames if keep else frames[:0]).tobytes())
            counts.append(len(frames))
        if len(set(counts)) != 1:
            raise InputError(f"Expected outputs of as many frames as one another. Received: {counts}")
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
