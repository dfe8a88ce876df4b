"""Images of a source as inputs of a model."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.training.datasets import ImageSizeError, stream_images


class ModelImages:
    """Batches of the images of a source, in the range of values of a model; can be iterated again.

    Args:
        opened: model, with `preprocessing` and the `recipe` of its run.
        source: as for `stream_images`.
        image_shape: `(height, width, channels)` of the model's input.
        batch_size, shard, resize, scale, channels, skip_broken: as for `stream_images`.

    Attributes:
        names: names of the images.
        inputs: files that no output may replace.

    Raises:
        InputError: the source cannot be read, or its images have another size; the message names `--resize`.
    """

    def __init__(
        self,
        opened: Any,
        source: Any,
        image_shape: tuple[int, int, int],
        batch_size: int,
        shard: tuple[int, int] = (0, 1),
        *,
        resize: bool = False,
        scale: float | None = None,
        channels: int | None = None,
        skip_broken: bool = False,
    ):
        known = opened.preprocessing or Preprocessing(modality="images")
        self.value_range: tuple[float, float] = known.value_range or (0.0, 1.0)
        self.recipe = opened.recipe
        self.image_shape = image_shape
        options: dict[str, Any] = {"resize": resize, "scale": scale, "array_scale": known.scale}
        options["channels"] = channels or getattr(self.recipe, "channels", None)
        options["skip_broken"] = skip_broken
        try:
            self.stream = stream_images(str(source), image_shape, batch_size, shard, **options)
        except ImageSizeError as error:
            raise self._with_advice(error) from None

    @property
    def names(self) -> list[str]:
        """Names of the images; complete after the iteration, if broken images are left out."""
        return self.stream.names

    @property
    def inputs(self) -> Any:
        """Files that are read."""
        return self.stream.inputs

    def __len__(self) -> int:
        return len(self.stream)

    def __iter__(self) -> Iterator[np.ndarray]:
        low, high = self.value_range
        try:
            for images in self.stream:
                yield images if (low, high) == (0, 1) else low + images * (high - low)
        except ImageSizeError as error:
            raise self._with_advice(error) from None

    def _with_advice(self, error):
        """Return the error with the option, and the size of a run whose images were resized."""
        size = getattr(self.recipe, "image_size", None)
        resized = f": this run was trained with --image-size {size[0]} {size[1]}" if size else ""
        return InputError(f"{error} Or add --resize{resized}.")
