"""Data sets of images: splits, sources, and streams for encoding."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_ae.data_files import LeftOut
from keras_ae.errors import InputError
from keras_ae.training.datasets._orders import BatchOrder
from keras_ae.training.datasets.images.stores import ArrayStore, EncodedStore, NpzMemberStore


class ImageSplit:
    """Subset of the images of a source; images are loaded when they are read.

    Args:
        store: the images.
        rows: rows of the store that belong to the split.
        labels: class numbers of these images, int64 `(images,)`, or `None`.

    Example:

    >>> split = ImageSplit(ArrayStore(np.zeros((9, 8, 8), "uint8"), 255.0, "zeros"), np.arange(5))
    >>> len(split), split.images([0, 3]).shape
    (5, (2, 8, 8, 1))
    >>> [batch.shape[0] for batch in split.batches(2).as_numpy_iterator()]
    [2, 2, 1]
    """

    def __init__(self, store: ArrayStore | EncodedStore, rows: np.ndarray, labels: np.ndarray | None = None):
        self.store = store
        self.rows = np.asarray(rows, "int64")
        self.labels = labels

    def __len__(self):
        return len(self.rows)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.store.image_shape

    def factors(self) -> dict[str, np.ndarray] | None:
        """Generating factors of the images, `{name: int64 (images,)}`; `None` if the source has none."""
        array = getattr(self.store, "array", None)
        if array is None or not hasattr(array, "factors"):
            return None
        return dict(zip(array.sprites.factor_names, array.factors(self.rows).T, strict=True))

    def images(self, indices: ArrayLike | slice | None = None) -> np.ndarray:
        """Return images as float32 `(images, height, width, channels)` in [0, 1].

        Args:
            indices: indices into this split, a sequence of numbers or a slice; `None`: all.
        """
        if indices is None:
            indices = slice(None)
        elif not isinstance(indices, slice):
            indices = np.asarray(indices, "int64")
        return self.store.read(self.rows[indices])

    def inputs(self, indices: ArrayLike, *, labels: bool = False) -> np.ndarray | dict[str, np.ndarray]:
        """Return images as inputs of a model: `images(indices)`, or `{"x": images, "labels": class numbers}`.

        Raises:
            InputError: `labels`, and the images have none.
        """
        if not labels:
            return self.images(indices)
        if self.labels is None:
            raise InputError("labels must be False for images without labels. Received: labels=True")
        numbers = self.labels[np.asarray(indices, "int64")].astype("int32")
        return {"x": self.images(indices), "labels": numbers}

    def batches(
        self,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        epoch_counter: Callable[[], int] | None = None,
        start: int = 0,
        labels: bool = False,
    ) -> tf.data.Dataset:
        """Return batches of images, float32 `(batch, height, width, channels)`; the last may be smaller.

        Args:
            batch_size: images per batch.
            shuffle_seed: seed of the shuffling, see `BatchOrder`; `None`: in order.
            epoch_counter: function that returns the epoch at each iteration; `None`: always 0.
            start: number of the first batch.
            labels: whether batches are `{"x": images, "labels": class numbers}`.
        """
        order = BatchOrder(len(self), batch_size, shuffle_seed)

        def batches():
            return order.batches(epoch_counter() if epoch_counter else 0, start)

        dataset = self.images_of(batches, batch_size, labels)
        return dataset.apply(tf.data.experimental.assert_cardinality(max(0, order.steps - start)))

    def images_of(self, batches: Callable, batch_size: int, labels: bool = False) -> tf.data.Dataset:
        """Return the images of each batch of indices of `batches()`, which is called at each iteration.

        With `labels`, batches are `{"x": images, "labels": class numbers}`.
        """
        images = self.store.batches(lambda: (self.rows[batch] for batch in batches()), batch_size)
        if not labels:
            return images
        known = self.labels
        if known is None:
            raise InputError("labels must be False for images without labels. Received: labels=True")
        numbers = tf.data.Dataset.from_generator(
            lambda: (known[batch] for batch in batches()),
            output_signature=tf.TensorSpec((None,), tf.int32),
        )
        return tf.data.Dataset.zip({"x": images, "labels": numbers})


@dataclass(frozen=True)
class ImageData:
    """Images for training, validation and test.

    Attributes:
        name: short name of the source.
        train: images to train on.
        validation: images held out of the training images, by which the best epoch is chosen.
        test: images for measurements.
        image_shape: `(height, width, channels)`.
        num_classes: number of classes; `None` without labels.
        class_names: names of the classes, empty without labels.
        description: source and number of the images and method of the split, serialisable as JSON.
    """

    name: str
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    image_shape: tuple[int, int, int]
    num_classes: int | None
    class_names: tuple[str, ...]
    description: dict


@dataclass(frozen=True)
class ImageSource:
    """Images of one source, in the parts that the source defines.

    Attributes:
        name: short name.
        origin: kind and location, for reports and errors.
        parts: the images: `{"all": store}`, or those of `{"train": store, "validation": store,
            "test": store}` that the source has; "train" is always included.
        labels: labels of the parts that have them, `(images,)`, numbers or strings.
        class_names: names of the classes with the labels 0, 1, ...
        names: names of the images of each part, if they have names.
        left_out: files that are not read.
    """

    name: str
    origin: str
    parts: Mapping[str, ArrayStore | EncodedStore | NpzMemberStore]
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    class_names: Sequence[str] | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)

    def __post_init__(self):
        shapes = {name: part.image_shape for name, part in self.parts.items()}
        if len(set(shapes.values())) > 1:
            raise InputError(
                f"{self.origin}: training and test images must have the same shape. "
                f"Received: {' and '.join(map(str, shapes.values()))}"
            )
        for part, labels in self.labels.items():
            if labels.shape != (len(self.parts[part]),):
                raise InputError(
                    f"{self.origin} must have one label per image. "
                    f"Received: {len(self.parts[part])} images and labels of shape {labels.shape}"
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return next(iter(self.parts.values())).image_shape

    def check_scale(self, scale: float | None) -> None:
        """Raise an `InputError` if a scale is given and the images are not a user's array."""
        stored = self.origin.startswith(("npz file", "idx files")) and not any(
            isinstance(part, EncodedStore) for part in self.parts.values()
        )
        if scale is not None and not stored:
            raise InputError(
                "--scale must be used only with images in arrays (.npz, idx files). "
                f"Received: --scale {scale:g} with {self.origin}, which has its own scale."
            )


class ImageStream:
    """Stream of all images, one batch at a time; memory does not grow with their number.

    Iterating yields float32 `(batch, height, width, channels)` in [0, 1], at most
    `batch_size` images each, in the order of `names`. The stream can be iterated again. At the end of
    each iteration one `DataWarning` names the images that were left out.

    Args:
        parts: pairs of a store and the rows to read from it, in ascending order.
        names: names of all these images: relative paths, or their numbers.
        image_shape: `(height, width, channels)`.
        batch_size: images per batch.
        origin: the source, for the warning.
        left_out: record of the files that the reader of the source left out.
        skip_broken: leave out images that cannot be read.
        inputs: files and folders that are read, which no output may replace.

    Attributes:
        names: names of all images; after an iteration, of those that could be read.

    Raises:
        InputError: during iteration: images are broken or of another shape; the message names them.
    """

    def __init__(
        self,
        parts: Sequence[tuple],
        names: list[str],
        image_shape: tuple[int, int, int],
        batch_size: int,
        origin: str = "images",
        left_out: LeftOut | None = None,
        skip_broken: bool = False,
        inputs: Sequence[str | os.PathLike] = (),
    ):
        self.parts = parts
        self.names = names
        self.image_shape = image_shape
        self.batch_size = batch_size
        self.origin = origin
        self.skip_broken = skip_broken
        self.inputs = tuple(inputs)
        self._all_names = names
        self._passed_over = left_out or LeftOut()

    def __len__(self):
        return len(self.names)

    def __iter__(self) -> Iterator[np.ndarray]:
        left_out, names, before = self._passed_over.copy(), [], 0
        for store, rows in self.parts:
            broken: list[int] | None = [] if self.skip_broken else None
            yield from store.stream(rows, self.batch_size, broken)
            own = self._all_names[before : before + len(rows)]
            bad = set(broken or ())
            for row, name in zip(rows, own, strict=True):
                if row in bad:
                    left_out.add("unreadable", name)
                else:
                    names.append(name)
            before += len(rows)
        if self._all_names and not names:
            raise InputError(f"{self.origin} must contain images that can be read. Received: none")
        self.names = names
        left_out.warn(self.origin)
