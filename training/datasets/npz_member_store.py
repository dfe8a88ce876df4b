"""Images that stay in an .npz file and are read once, in order."""

from collections.abc import Iterator

import numpy as np

from keras_ae.training.datasets.image_channels import to_channels
from keras_ae.training.datasets.npz_member import NpzMember
from keras_ae.training.datasets.pixels import BYTE, image_shape_of, resized, unit_images


class NpzMemberStore:
    """Images of one array of an .npz file, held a few MiB at a time.

    Args:
        member: the array, `(images, height, width)` or `(images, height, width, channels)`.
        image_size: height and width to resize to; `None`: as they are.
        scale: the pixel value that becomes 1.
    """

    def __init__(self, member: NpzMember, image_size: tuple[int, int] | None = None, scale: float = BYTE):
        stored = image_shape_of(member.shape, member.origin)
        self.member = member
        self.scale = scale
        self.image_size = image_size if image_size and tuple(image_size) != stored[:2] else None
        self.image_shape = (*(self.image_size or stored[:2]), stored[2])
        self.channels = None

    def convert_to(self, channels: int | None) -> None:
        """Hand out images with this number of channels, see `to_channels`; `None`: their own."""
        self.channels = channels
        self.image_shape = (*self.image_shape[:2], channels or self.image_shape[2])

    def __len__(self):
        return self.member.shape[0]

    def stream(
        self, rows: np.ndarray, batch_size: int, broken: list[int] | None = None
    ) -> Iterator[np.ndarray]:
        """The images of ascending `rows` once, in batches; no image of an array is broken."""
        waiting, count = [], 0
        for chosen in self._chosen(rows):
            waiting.append(chosen)
            count += len(chosen)
            if count >= batch_size:
                images = np.concatenate(waiting)
                whole = count - count % batch_size
                for start in range(0, whole, batch_size):
                    yield self._convert(images[start : start + batch_size])
                waiting, count = [images[whole:]], count - whole
        if count:
            yield self._convert(np.concatenate(waiting))

    def _chosen(self, rows):
        """The stored pixels of `rows`, chunk by chunk, up to the last one asked for."""
        start = 0
        for chunk in self.member.chunks():
            first, last = np.searchsorted(rows, [start, start + len(chunk)])
            yield chunk[rows[first:last] - start]
            start += len(chunk)
            if last == len(rows):
                return

    def _convert(self, raw):
        images = to_channels(unit_images(raw, self.scale), self.channels)
        return np.asarray(resized(images, self.image_size) if self.image_size else images)
