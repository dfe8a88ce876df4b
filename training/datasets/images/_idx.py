"""Reading of images in the idx files of MNIST."""

import gzip
import re
import struct
import zlib
from itertools import chain
from math import prod
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets._arrays import array_chunks, image_shape_of, pixel_scale
from keras_ae.training.datasets.images.data import ImageSource
from keras_ae.training.datasets.images.stores import ArrayStore

IDX_NAME = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?", re.IGNORECASE
)
AXES = {"images": 3, "labels": 1}
UNSIGNED_BYTE = 8


def is_idx(path: Path) -> bool:
    """Return whether a file is named like the files of MNIST.

    Example:

    >>> is_idx(Path("train-images-idx3-ubyte")), is_idx(Path("t10k-labels.idx1-ubyte.gz"))
    (True, True)
    """
    return IDX_NAME.fullmatch(path.name) is not None


def read_idx(
    path: Path,
    image_size: tuple[int, int] | None = None,
    streamed: bool = False,
    scale: float | None = None,
) -> ImageSource:
    """Open images and labels of idx files: `train-images`, `t10k-images`, ..., plain or gzip.

    Args:
        path: a folder of idx files, or one file, which selects the set of files in its folder.
        image_size: height and width to resize to.
        streamed: whether the images will be read once and in order: if `path` is a file, only this
            file is read, which may contain test images.
        scale: the pixel value that becomes 1; `None`: 255, see `pixel_scale`.

    Raises:
        InputError: files are missing, cut short, or not idx; there are only test images.
    """
    files = {(_part(path), _kind(path)): path} if streamed and path.is_file() else _files_of_set(path)
    parts = [part for part in ("train", "test") if (part, "images") in files]
    if not parts:
        raise InputError(
            f"{path} must contain a file of images, such as train-images-idx3-ubyte. Received: only labels"
        )
    if parts == ["test"] and not streamed:
        raise InputError(
            f"{path} must contain training images, such as train-images-idx3-ubyte. "
            f"Received: only {files['test', 'images'].name}"
        )
    images = {part: read_idx_file(files[part, "images"], AXES["images"]) for part in parts}
    for part, array in images.items():
        image_shape_of(array.shape, str(files[part, "images"]))
    chunks = chain.from_iterable(map(array_chunks, images.values()))
    scale = pixel_scale(chunks, str(files[parts[0], "images"]), scale)
    stores, labels = {}, {}
    for part in parts:
        name = part if len(parts) > 1 else "all"
        stores[name] = ArrayStore(images[part], scale, str(files[part, "images"]), image_size)
        if (part, "labels") in files:
            labels[name] = read_idx_file(files[part, "labels"], AXES["labels"])
    return ImageSource(name=path.resolve().name, origin=f"idx files {path}", parts=stores, labels=labels)


def read_idx_file(path: Path, axes: int) -> np.ndarray:
    """Return the bytes of one idx file with `axes` axes; a plain file is memory-mapped.

    The format: two zero bytes, the type (8: unsigned byte), the number of axes, the
    length of each axis as a big-endian 32-bit number, then the values.
    """
    packed = path.suffix.lower() == ".gz"
    try:
        contents = gzip.decompress(path.read_bytes()) if packed else np.memmap(path, np.uint8, mode="r")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(f"{path} cannot be read, perhaps cut short: {error}") from None
    start = bytes(contents[: 4 + 4 * axes])
    if len(start) < 4 + 4 * axes or start[:4] != bytes([0, 0, UNSIGNED_BYTE, axes]):
        raise InputError(
            f"{path} must be an idx file of unsigned bytes with {axes} axes, which begins with the bytes "
            f"0, 0, {UNSIGNED_BYTE}, {axes}. Received: {', '.join(map(str, start[:4]))}"
        )
    shape = struct.unpack(f">{axes}I", start[4:])
    size, expected = len(contents) - len(start), prod(shape)
    if size != expected:
        raise InputError(
            f"{path} must have {expected} bytes after the header, according to its shape {shape}. "
            f"Received: {size}; the file is cut short or damaged."
        )
    values = np.frombuffer(contents, np.uint8) if isinstance(contents, bytes) else contents
    return values[len(start) :].reshape(shape)


def _files_of_set(path):
    """Return `{(part, kind): file}` of the set a file belongs to, or of the only set of a folder."""
    folder = path if path.is_dir() else path.parent
    found = [file for file in sorted(folder.iterdir()) if file.is_file() and is_idx(file)]
    sets = sorted({_set(file) for file in found}) if path.is_dir() else [_set(path)]
    if len(sets) > 1:
        raise InputError(
            f"{folder} contains idx files of {len(sets)} sets ({', '.join(name + '...' for name in sets)}): "
            "pass one of the files instead."
        )
    files = {}
    for file in found:
        if _set(file) == sets[0]:
            files.setdefault((_part(file), _kind(file)), file)  # a plain file sorts before its .gz
    return files


def _set(path):
    return IDX_NAME.fullmatch(path.name)["set"]


def _kind(path):
    return IDX_NAME.fullmatch(path.name)["kind"].lower()


def _part(path):
    return "train" if IDX_NAME.fullmatch(path.name)["part"].lower() == "train" else "test"
