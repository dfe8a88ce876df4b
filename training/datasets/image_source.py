"""What a reader of images hands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.training.datasets.array_store import ArrayStore
from keras_ae.training.datasets.encoded_store import EncodedStore
from keras_ae.training.datasets.npz_member_store import NpzMemberStore


@dataclass(frozen=True)
class ImageSource:
    """The images of one source, as its own parts.

    Attributes:
        name: short name.
        origin: kind and place, for reports and errors.
        parts: the images: `{"all": store}`, or those of `{"train": store, "validation": store,
            "test": store}` that the source has, training images at least.
        labels: labels of the parts that have them, `(images,)`, numbers or strings.
        class_names: names of the classes that the labels 0, 1, ... stand for.
        names: names of the images of each part, where they have any.
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
                f"{self.origin}: expected training and test images of one shape. "
                f"Received: {' and '.join(map(str, shapes.values()))}"
            )
        for part, labels in self.labels.items():
            if labels.shape != (len(self.parts[part]),):
                raise InputError(
                    f"{self.origin}: expected one label an image. "
                    f"Received: {len(self.parts[part])} images and labels of shape {labels.shape}"
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return next(iter(self.parts.values())).image_shape

    def check_scale(self, scale: float | None) -> None:
        """Raise an `InputError` where a scale is given, and the images are no array of the user's."""
        stored = self.origin.startswith(("npz file", "idx files")) and not any(
            isinstance(part, EncodedStore) for part in self.parts.values()
        )
        if scale is not None and not stored:
            raise InputError(
                f"--scale is for images in arrays (.npz, idx files). Received: --scale {scale:g} with "
                f"{self.origin}, which has a scale of its own; leave it out."
            )
