"""Decoded images as PNG files, one picture or an array; recordings as .wav files; rows of tables as .csv."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # PNG encoder

from keras_ae import audio
from keras_ae.errors import InputError
from keras_ae.files import output_paths, replacing, write_atomically
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.progress import counted
from keras_ae.tables import TableColumn, as_columns, table_of
from keras_ae.training.commands._encode_images import checked_output, encode_images
from keras_ae.training.report.plots import image_grid

MOST = 400  # images on one picture
COLUMNS = 10


def pixels_of(values: Any, preprocessing: Preprocessing | None) -> np.ndarray:
    """Return decoded images in [0, 1], float32: scaled from the range of the model, and clipped."""
    low, high = (0, 1) if preprocessing is None else preprocessing.value_range or (0, 1)
    return np.clip((np.asarray(values, "float32") - low) / (high - low), 0.0, 1.0)


class PictureOutput:
    """Output of images: a folder of PNG files, one .png file with all of them, or an .npz file.

    The output is checked when this object is created, before any image is computed.

    Args:
        output: folder, .png file or .npz file.
        names: name of each image; in a folder, the file with this name and the ending .png.
        inputs: files that are read, which no output may replace.

    Raises:
        InputError: the output has another ending, or is an input; two images have the same name; there
            are too many images for one picture.
    """

    def __init__(self, output: str | Path, names: Sequence[str], inputs: Sequence[Any] = ()):
        self.path, self.names, self.inputs = Path(output), list(names), inputs
        self.files: list[Path] = []
        suffix = self.path.suffix.lower()
        if suffix == ".npz":
            checked_output(self.path, inputs)
        elif suffix == ".png":
            output_paths([self.path], inputs=inputs)
            if len(names) > MOST:
                raise InputError(
                    f"OUTPUT must be a folder or an .npz file for more than {MOST} images. "
                    f"Received: {output}, for {len(names)} images."
                )
        elif suffix and not self.path.is_dir():
            raise InputError(f"OUTPUT must be a folder, a .png file or an .npz file. Received: {output}")
        else:
            files = [Path(name).with_suffix(".png") for name in self.names]
            self.files = output_paths(files, inputs=inputs, folder=self.path, sources=self.names)

    def write(
        self,
        pictures: Callable[[np.ndarray], dict[str, np.ndarray]],
        batch_size: int = 256,
        *,
        columns: int = COLUMNS,
        column_labels: Sequence[str] = (),
    ) -> Path:
        """Write the images, batch by batch.

        Args:
            pictures: function of row numbers that returns `{"images": float32 in [0, 1], ...}`; an .npz
                file contains all its arrays.
            batch_size: number of images at once.
            columns: number of columns of a single picture.
            column_labels: text above each column of a single picture.
        """
        with counted(len(self.names), "images") as progress:
            if self.path.suffix.lower() == ".npz":
                return encode_images(pictures, _Rows(self.names, batch_size), self.path, progress=progress)
            kept = []
            for rows in _Rows(self.names, batch_size):
                images = pictures(rows)["images"]
                if self.files:
                    for row, image in zip(rows, images, strict=True):
                        write_atomically(self.files[row], png_of(image))
                else:
                    kept += list(images)
                if progress is not None:
                    progress(int(rows[-1]) + 1)
        if self.files:
            return self.path
        if len(kept) == 1 and not column_labels:
            return write_atomically(self.path, png_of(kept[0]))
        grid = [np.stack(kept[start : start + columns]) for start in range(0, len(kept), columns)]
        return write_atomically(self.path, image_grid(grid, column_labels=column_labels))


class _Rows:
    """Batches of row numbers, as a stream for `encode_images`."""

    def __init__(self, names, batch_size):
        if batch_size < 1:
            raise InputError(f"--batch-size must be at least 1. Received: {batch_size}")
        self.names, self.batch_size = names, batch_size

    def __len__(self):
        return len(self.names)

    def __iter__(self):
        for start in range(0, len(self), self.batch_size):
            yield np.arange(start, min(start + self.batch_size, len(self)))


def png_of(image: np.ndarray) -> bytes:
    """Return an image `(height, width, channels)` in [0, 1] as PNG bytes, one byte per value."""
    return tf.io.encode_png(np.round(image * 255).astype("uint8")).numpy()


class SoundOutput:
    """Output of recordings: a folder of .wav files, or one .wav file for one recording.

    The output is checked when this object is created, before any recording is computed.

    Args:
        output: folder or .wav file.
        names: name of each recording; in a folder, the file with this name and the ending .wav.
        inputs: files that are read, which no output may replace.

    Raises:
        InputError: the output has another ending, or is an input; two recordings have the same name.
    """

    def __init__(self, output: str | Path, names: Sequence[str], inputs: Sequence[Any] = ()):
        self.path = Path(output)
        suffix = self.path.suffix.lower()
        if suffix == ".wav":
            if len(names) != 1:
                raise InputError(f"OUTPUT must be a folder for {len(names)} recordings. Received: {output}")
            self.files = output_paths([self.path], inputs=inputs)
        elif suffix and not self.path.is_dir():
            raise InputError(f"OUTPUT must be a folder, or a .wav file for one. Received: {output}")
        else:
            files = [Path(name).with_suffix(".wav") for name in names]
            self.files = output_paths(files, inputs=inputs, folder=self.path, sources=list(names))

    def write(self, waveform: Callable[[int], np.ndarray], sample_rate: int) -> Path:
        """Write the waveform `(samples,)` of each row number."""
        with counted(len(self.files), "recordings") as progress:
            for row, path in enumerate(self.files):
                write_atomically(path, audio.wav_bytes(waveform(row), sample_rate))
                if progress is not None:
                    progress(row + 1)
        return self.path


class RowOutput:
    """Output of rows of a table: a .csv file with the names of the columns in its first line.

    Numbers are in the units of the table, and categories are their names. The output is checked when this
    object is created, before any row is computed.

    Args:
        output: .csv file.
        columns: columns of the table, as in `as_columns`.
        number: number of rows.
        inputs: files that are read, which no output may replace.

    Raises:
        InputError: the output has another ending, or is an input.
    """

    def __init__(
        self,
        output: str | Path,
        columns: Sequence[TableColumn | Mapping[str, Any]],
        number: int,
        inputs: Sequence[Any] = (),
    ):
        if Path(output).suffix.lower() != ".csv":
            raise InputError(f"OUTPUT must be a .csv file for rows of a table. Received: {output}")
        (self.path,) = output_paths([output], inputs=inputs)
        self.columns = as_columns(columns)
        self.number = number

    def write(self, decoded: Callable[[np.ndarray], np.ndarray], batch_size: int = 256) -> Path:
        """Write the rows, batch by batch.

        Args:
            decoded: function of row numbers that returns rows as in `tables.values_of`, `(rows, columns)`.
            batch_size: number of rows at once.
        """
        batches = _Rows(range(self.number), batch_size)
        with (
            counted(self.number, "rows") as progress,
            replacing(self.path) as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(column.name for column in self.columns)
            for rows in batches:
                table = table_of(decoded(rows), self.columns)
                writer.writerows(zip(*(values.astype(str) for values in table.values()), strict=True))
                if progress is not None:
                    progress(int(rows[-1]) + 1)
        return self.path
