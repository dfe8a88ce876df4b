"""Images in, codes out: the encoder over more images than fit in memory."""

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

    The results go to disk batch by batch; the file appears when it is whole. Where an
    image cannot be read, there is no file, and one that was there before stays.

    Args:
        encode: takes a batch of images, returns `{name: array}` with the batch first.
        stream: an `ImageStream`.
        output: the .npz file: the arrays of `encode`, and `names` of the images.
        progress: called with the number of images done.

    Returns:
        the path of the file.

    Raises:
        InputError: the file cannot be written there, or is an input of `stream`; an image cannot be read.
    """
    output = checked_output(output, getattr(stream, "inputs", ()))
    with temporary_folder(output) as folder:
        names = _write_arrays(encode, stream, folder, progress)
        np.save(folder / "names.npy", np.asarray(stream.names, str))
        os.replace(packed(folder, [*names, "names"]), output)
    return output


def image_input(origin, shapes) -> tuple[str, tuple[int, int, int]]:
    """Name and `(height, width, channels)` of the one input of an encoder of images.

    Args:
        origin: what the encoder is called in errors.
        shapes: `{name: shape}` of the inputs of its endpoint `encode`.

    Raises:
        InputError: it takes something else.
    """
    if len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if len(shape) == 4 and None not in shape[1:]:
            return name, tuple(shape[1:])
    received = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
    raise InputError(
        f"{origin}: expected an endpoint `encode` that takes images of one size, "
        "(batch, height, width, channels), and nothing else. "
        f"Received: {received or 'none'}. Call the model from Python instead."
    )


def _write_arrays(encode, stream, folder, progress):
    """One .npy file for each array of `encode`, written as the batches come; their names."""
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
        if 0 < done < expected:  # images that cannot be read are left out
            for name, file in files.items():
                file.seek(0)
                _write_header(file, *kinds[name], rows=done)
        if not done:  # an empty shard has the same arrays, without rows
            blank = np.zeros((1, *stream.image_shape), "float32")
            for name, values in encode(blank).items():
                files[name] = stack.enter_context(_array_file(folder, name, values, rows=0))
        return list(files)


def _array_file(folder, name, values, rows):
    """A .npy file of `rows` rows like those of `values`, open where the first row goes."""
    file = (folder / f"{name}.npy").open("wb")
    _write_header(file, values.dtype, values.shape[1:], rows)
    return file


def _write_header(file, dtype, shape, rows):
    """A header has the same size for every number of rows: NumPy leaves room for it."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
    np.lib.format.write_array_header_1_0(file, {**header, "shape": (rows, *shape)})


def packed(folder, names) -> Path:
    """One .npz file in `folder` of its files `<name>.npy`."""
    whole = folder / "whole.npz"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write(folder / f"{name}.npy", f"{name}.npy")
    return whole


@contextlib.contextmanager
def temporary_folder(output):
    """A folder beside `output`; on failure the folders that were made for it go too."""
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
            with contextlib.suppress(OSError):  # not empty: the output is there
                folder.rmdir()


def checked_output(output, inputs=()) -> Path:
    """The path of an .npz file that can be written and is none of `inputs`; `InputError` otherwise."""
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
