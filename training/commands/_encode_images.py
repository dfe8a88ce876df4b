"""Encoding of more images than fit in memory."""

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import named_errors, output_paths


def encode_images(encode, stream, output, *, progress=None) -> Path:
    """Write what `encode` returns for every image of `stream` to the .npz file `output`.

    The results are written to disk batch by batch; the file appears when it is complete. If an
    image cannot be read, no file is written, and an existing file is kept.

    Args:
        encode: function of a batch of images that returns `{name: array}`, with the batch as first axis.
        stream: an `ImageStream`.
        output: the .npz file: the arrays of `encode`, and `names` of the images.
        progress: function called with the number of encoded images.

    Returns:
        the path of the file.

    Raises:
        InputError: the file cannot be written, or is an input of `stream`; an image cannot be read.
    """
    output = checked_output(output, getattr(stream, "inputs", ()))
    with temporary_folder(output) as folder:
        names = _write_arrays(encode, stream, folder, progress)
        np.save(folder / "names.npy", np.asarray(stream.names, str))
        os.replace(packed(folder, [*names, "names"]), output)
    return output


def refuse_labels(origin, labels: bool) -> None:
    """Raise an `InputError` if a model must be given `labels`, which the commands do not read."""
    if labels:
        raise InputError(
            f"{origin} must be used from Python, since the model has labels: pass "
            '{"x": images, "labels": integers} to its methods. Received: images alone'
        )


def image_input(origin, shapes) -> tuple[str, tuple[int, int, int]]:
    """Return name and `(height, width, channels)` of the single input of an endpoint for images.

    Args:
        origin: name of the encoder in errors.
        shapes: `{name: shape}` of the inputs of its endpoint `encode` or `score`.

    Raises:
        InputError: the input is not a single batch of images; the model has labels.
    """
    refuse_labels(origin, "labels" in shapes)
    if len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if len(shape) == 4 and None not in shape[1:]:
            return name, tuple(shape[1:])
    received = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    raise InputError(
        f"{origin} must have an endpoint `encode` whose only input is images of one size, "
        "(batch, height, width, channels). "
        f"Received: {received or 'none'}. Call the model from Python instead."
    )


def _write_arrays(encode, stream, folder, progress):
    """Write one .npy file for each array of `encode`, batch by batch; return their names."""
    with contextlib.ExitStack() as stack:
        files, kinds, done, expected = {}, {}, 0, len(stream)
        for images in stream:
            for name, values in encode(images).items():
                if name not in files:
                    kinds[name] = (values.dtype, values.shape[1:])
                    files[name] = stack.enter_context(_array_file(folder, name, values, expected))
                files[name].write(values.tobytes())
            done += len(images)
            if progress is not None:
                progress(done)
        if 0 < done < expected:  # unreadable images were left out
            for name, file in files.items():
                file.seek(0)
                _write_header(file, *kinds[name], rows=done)
        if not done:  # an empty shard has the same arrays with 0 rows
            blank = np.zeros((1, *stream.image_shape), "float32")
            for name, values in encode(blank).items():
                files[name] = stack.enter_context(_array_file(folder, name, values, rows=0))
        return list(files)


def _array_file(folder, name, values, rows):
    """Open a .npy file for `rows` rows like those of `values`, positioned at the first row."""
    file = (folder / f"{name}.npy").open("wb")
    _write_header(file, values.dtype, values.shape[1:], rows)
    return file


def _write_header(file, dtype, shape, rows):
    """Write a header, whose size is the same for every number of rows, because NumPy pads it."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
    np.lib.format.write_array_header_1_0(file, {**header, "shape": (rows, *shape)})


def packed(folder, names) -> Path:
    """Combine the files `<name>.npy` of `folder` into one .npz file in it."""
    whole = folder / "whole.npz"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write(folder / f"{name}.npy", f"{name}.npy")
    return whole


@contextlib.contextmanager
def temporary_folder(output):
    """Create a folder next to `output`; on failure, folders that were created for it are removed too."""
    made = [folder for folder in output.parents if not folder.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with (
            named_errors(output),
            tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder,
        ):
            yield Path(folder)
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # not empty: it contains the output
                folder.rmdir()


def checked_output(output, inputs=()) -> Path:
    """Return the path of an .npz file; raise an `InputError` if it is not writable or is one of `inputs`."""
    output = Path(output)
    if output.suffix != ".npz":
        raise InputError(f"The output must be an .npz file. Received: {output}")
    (output,) = output_paths([output], inputs=inputs)
    try:
        with temporary_folder(output):
            pass
    except OSError as error:
        raise InputError(f"{output.parent} cannot be written to ({error.strerror}).") from None
    return output
