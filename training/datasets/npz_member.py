"""One array of an .npz file, whole or in runs of rows, with one-line errors."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.pixels import chunk_rows

# RuntimeError: encrypted, or packed in a way that zipfile does not know
DAMAGED = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NpzMember:
    """The array `key` of the .npz file `path`.

    Example:

    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, x=np.zeros((4, 2)))
    >>> member = NpzMember(file, "x")
    >>> member.shape, [chunk.shape for chunk in member.chunks()]
    ((4, 2), [(4, 2)])
    """

    def __init__(self, path: Path, key: str):
        self.path = path
        self.key = key
        self.shape, self.dtype, self.in_rows = self._guarded(self._read_header)

    @property
    def origin(self) -> str:
        """What the array is called in errors."""
        return f"{self.path}[{self.key}]"

    def whole(self) -> np.ndarray:
        """The array in memory."""
        return self._guarded(self._load)

    def chunks(self) -> Iterator[np.ndarray]:
        """The array from its first row to its last, about 16 MiB at a time.

        Only arrays in the order of Fortran, which have no rows to read, come whole.
        """
        if not self.in_rows:
            yield self.whole()
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.key}.npy") as file:
            HEADER_READERS[np.lib.format.read_magic(file)](file)
            rows = chunk_rows(self.shape, self.dtype)
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                yield self._guarded(lambda shape=shape: self._read_rows(file, shape))

    def _read_header(self):
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.key}.npy") as file:
            version = np.lib.format.read_magic(file)
            if version not in HEADER_READERS:
                raise ValueError(f"format {version} holds records, not numbers")
            shape, by_columns, dtype = HEADER_READERS[version](file)
            if dtype.hasobject:
                raise ValueError("it holds Python objects, not numbers")
            return shape, dtype, not by_columns and len(shape) > 0

    def _load(self):
        with np.load(self.path, allow_pickle=False) as file:
            return file[self.key]

    def _read_rows(self, file, shape):
        count = int(np.prod(shape, dtype="int64")) * self.dtype.itemsize
        values = file.read(count)
        if len(values) != count:
            raise EOFError("it is cut short")
        return np.frombuffer(values, self.dtype).reshape(shape)

    def _guarded(self, read):
        try:
            return read()
        except DAMAGED as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.origin} cannot be read, perhaps damaged or cut short: {reason}"
            ) from None


def npz_keys(path: Path) -> list[str]:
    """The names of the arrays of an .npz file.

    Raises:
        InputError: it is not an .npz file, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except DAMAGED as error:
        raise InputError(f"{path} is not a readable .npz file, perhaps cut short: {error}") from None
