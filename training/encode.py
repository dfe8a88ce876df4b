"""Images in, codes out: the encoder over more images than fit in memory."""

import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError


def encode_images(encode, stream, output, *, progress=None) -> Path:
    """Write what `encode` returns for every image of `stream` to the .npz file `output`.

    The results go to disk batch by batch; the file appears when it is whole.

    Args:
        encode: takes a batch of images, returns `{name: array}` with the batch first.
        stream: an `ImageStream`.
        output: the .npz file: the arrays of `encode`, and `names` of the images.
        progress: called with the number of images done.

    Returns:
        the path of the file.

    Raises:
        InputError: the file cannot be written there.
    """
    output = _checked(output)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        members, done = {}, 0
        for images in stream:
            for name, values in encode(images).items():
                if name not in members:
                    shape = (len(stream), *values.shape[1:])
                    members[name] = np.lib.format.open_memmap(
                        f"{folder}/{name}.npy", mode="w+", dtype=values.dtype, shape=shape
                    )
                members[name][done : done + len(values)] = values
            done += len(images)
            if progress is not None:
                progress(done)
        for array in members.values():
            array.flush()
        np.save(f"{folder}/names.npy", np.asarray(stream.names))
        whole = Path(folder) / "whole.npz"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            for name in [*members, "names"]:
                archive.write(f"{folder}/{name}.npy", f"{name}.npy")
        os.replace(whole, output)
    return output


def _checked(output):
    output = Path(output)
    if output.suffix != ".npz":
        raise InputError(f"The output is an .npz file. Received: {output}")
    if output.is_dir():
        raise InputError(f"The output {output} is a directory: give the name of an .npz file.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise InputError(f"{output.parent} cannot be written to ({error.strerror}).") from None
    return output
