"""Conversion of images to the inputs of an encoder that was made elsewhere."""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import tensorflow as tf  # resizes

from keras_ae.errors import InputError, in_range

LAYOUTS = ("nchw", "nhwc")
CHANNELS = (1, 3)


@dataclass(frozen=True)
class ImageInputs:
    """Conversion of images `(batch, height, width, channels)` to the input of an encoder.

    Unless `value_range` is `None`, the values v of the images become, with u = v / scale in [0, 1]::

        x = (low + (high - low) u - mean) / std

    Images of another size are resized (bilinear, anti-aliased), and grey images are repeated for encoders
    of three channels.

    Args:
        name: name of the input.
        layout: "nhwc" or "nchw".
        image_size: fixed `(height, width)` of the input; `None`: any.
        channels: fixed number of channels; `None`: any.
        dtype: dtype of the input.
        value_range: `(low, high)`, to which images in [0, 1] are rescaled; `None`: values are unchanged.
        assumed: whether `value_range` is an assumption, because the encoder does not contain it.
        scale: pixel value that becomes 1; `None`: 255 for uint8, else 1.
        mean, std: numbers that are subtracted, and by which the differences are divided: one, or one for
            each channel; `None`: 0 and 1.
    """

    name: str
    layout: str
    image_size: tuple[int, int] | None
    channels: int | None
    dtype: str = "float32"
    value_range: tuple[float, float] | None = None
    assumed: bool = False
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    modality = "images"

    def __call__(self, batch: Any) -> dict[str, np.ndarray]:
        """Return `{name: input}` of images."""
        images = np.asarray(batch)
        if self._fits(images):
            return {self.name: images}
        self._check_shape(images)
        values = images if self.value_range is None else self._unit(images)
        if self.image_size and values.shape[1:3] != self.image_size:
            values = _resized(values, self.image_size)
        if self.channels == 3 and values.shape[-1] == 1:
            values = np.repeat(values, 3, axis=-1)
        if self.value_range is not None:
            values = self._normalised(values)
        if self.layout == "nchw":
            values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        return {self.name: values}

    def inverse(self, reconstructions: Any, batch: Any) -> np.ndarray:
        """Return reconstructions in the form of the input as images in the form of `batch`."""
        values, images = np.asarray(reconstructions), np.asarray(batch)
        if self._fits(images):
            return values
        if self.layout == "nchw" and values.ndim == 4:
            values = values.transpose(0, 2, 3, 1)
        if self.value_range is None:
            return values
        low, high = self.value_range
        std, mean = np.array(self.std or 1, "float32"), np.array(self.mean or 0, "float32")
        values = values.astype("float32") * std + mean
        return (values - np.float32(low)) / np.float32(high - low) * self._white(images)

    def describe(self) -> dict[str, Any]:
        """Return the conversion, serialisable as JSON, with a sentence."""
        found = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        found = {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}
        known = {name: one for name, one in found.items() if one is not None and one is not False}
        return {"modality": self.modality, **known, "text": self._text()}

    def _text(self):
        steps = []
        if self.image_size:
            steps.append(f"resized to {self.image_size[0]} × {self.image_size[1]} pixels where they differ")
        if self.channels == 3:
            steps.append("repeated for three channels where they are grey")
        if self.value_range is None:
            steps.append("passed with their values unchanged")
        else:
            low, high = self.value_range
            steps.append(f"{'passed in' if (low, high) == (0, 1) else 'rescaled to'} [{low:g}, {high:g}]")
            steps[-1] += " (an assumption: the encoder does not contain its range)" if self.assumed else ""
        steps += [f"reduced by the mean {_listed(self.mean)}"] if self.mean else []
        steps += [f"divided by the standard deviation {_listed(self.std)}"] if self.std else []
        axes = "first (NCHW)" if self.layout == "nchw" else "last (NHWC)"
        return f"Images are {', '.join(steps)}; {self.dtype}, channels {axes}."

    def _fits(self, images):
        """Return whether images are in the form of the input already, with channels first."""
        wanted = (self.channels, *(self.image_size or (None, None)))
        return (
            self.layout == "nchw"
            and self.value_range is None
            and images.ndim == 4
            and images.shape[1] in CHANNELS
            and images.shape[3] not in CHANNELS
            and all(size in (None, own) for size, own in zip(wanted, images.shape[1:], strict=True))
        )

    def _check_shape(self, images):
        channels = "channels" if self.channels is None else f"{self.channels} channels"
        if images.ndim != 4:
            raise InputError(
                f"images must be (examples, height, width, {channels}). Received: shape {images.shape}."
            )
        allowed = (1, 3) if self.channels == 3 else (self.channels or images.shape[-1],)
        if images.shape[-1] not in allowed:
            raise InputError(
                f"images must be (examples, height, width, channels), with {self.channels} channels on the "
                f"last axis. Received: shape {images.shape}. Move the axis or convert the channels."
            )
        whole = np.dtype(self.dtype).kind in "iu"
        if self.value_range is None and whole and images.dtype.kind == "f":
            raise InputError(
                f"images must be {self.dtype}, the dtype of the encoder's input. Received: {images.dtype}. "
                "Pass input_range='auto' to convert images in [0, 1]."
            )

    def _white(self, images):
        """Return the pixel value that becomes 1."""
        return np.float32(self.scale or (255 if images.dtype == np.uint8 else 1))

    def _unit(self, images):
        values = images.astype("float32") / self._white(images)
        if values.size and not in_range(values.min(), values.max(), (0, 1)):
            given = "divided by scale" if self.scale else "before they are converted"
            raise InputError(
                f"images must lie in [0, 1] {given}. Received: values in "
                f"[{values.min():g}, {values.max():g}]. Pass scale=, the pixel value of white, such as 255."
            )
        return values

    def _normalised(self, unit):
        low, high = self.value_range
        values = unit if (low, high) == (0, 1) else np.float32(low) + unit * np.float32(high - low)
        if self.mean:
            values = values - np.array(self.mean, "float32")
        if self.std:
            values = values / np.array(self.std, "float32")
        kind = np.dtype(self.dtype)
        if kind.kind in "iu":
            values = np.clip(np.round(values), np.iinfo(kind).min, np.iinfo(kind).max)
        return values.astype(kind)


def image_inputs(
    name: str, shape: tuple, dtype: Any, options: Any, known: tuple | None, assumed_layout: str | None
) -> ImageInputs | None:
    """Return the conversion for the input `(batch, ...)` of an encoder; `None` if its layout is unknown.

    Args:
        name, shape, dtype: the input; free axes of the shape are `None`.
        options: `InputOptions`.
        known: range of the values of the inputs, if the encoder contains it.
        assumed_layout: layout if it is not given and the shape does not show it; `None`: it must be given.

    Raises:
        InputError: an option is invalid, or an option needs a layout that is unknown.
    """
    found = layout_of(shape)
    layout = options.layout or found
    if found not in (None, layout):
        raise InputError(
            f"layout must be {found}, that of the encoder's input {name}, {shape}. Received: layout={layout}"
        )
    if layout is None and options.of_values:
        layout = assumed_layout
    if layout is None:
        if options.of_values:
            raise InputError(
                "layout must be given: the free axes of the encoder's input "
                f"{name}, {shape}, do not show which one has the channels. Pass nchw or nhwc."
            )
        return None
    channels, *size = shape[1:] if layout == "nchw" else (shape[3], *shape[1:3])
    _check_numbers(options, channels)
    value_range, assumed = options.input_range, False
    if options.of_values and value_range in (None, "auto"):
        whole = np.dtype(dtype).kind in "iu"
        if known is None and np.dtype(dtype) == np.int8:
            raise InputError(
                f"input_range must be given for the encoder's input {name} of int8, which cannot hold pixels "
                f"up to 255. Received: input_range={options.input_range!r}. Pass the range of its training, "
                "such as input_range=(-128, 127)."
            )
        value_range = known or ((0.0, 255.0) if whole else (0.0, 1.0))
        assumed = known is None and not whole
    if value_range is not None:
        _check_mean(options, value_range, np.dtype(dtype))
    return ImageInputs(
        name,
        layout,
        None if None in size else (size[0], size[1]),
        channels,
        np.dtype(dtype).name,
        value_range,
        assumed and options.mean is None,
        options.scale,
        options.mean,
        options.std,
    )


def layout_of(shape: tuple) -> str | None:
    """Return the layout of an input with these axes, or `None` if they do not show it.

    Example:

    >>> layout_of((None, 3, 224, 224)), layout_of((None, None, None, 3)), layout_of((None, 3, None, 3))
    ('nchw', 'nhwc', None)
    """
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    return None if first == last else "nchw" if first else "nhwc"


def _check_numbers(options, channels):
    for name, numbers in (("mean", options.mean), ("std", options.std)):
        if numbers is None:
            continue
        valid = len(numbers) in {1, channels or len(numbers)} and all(map(math.isfinite, numbers))
        if not valid or (name == "std" and min(numbers) <= 0):
            kind = "positive numbers" if name == "std" else "finite numbers"
            each = "" if channels in (None, 1) else f" or {channels}, one for each channel"
            raise InputError(f"{name} must be {kind}: one{each}. Received: {name}={_listed(numbers)}")


def _check_mean(options, value_range, dtype):
    low, high = value_range
    if options.mean and not low <= min(options.mean) <= max(options.mean) <= high:
        raise InputError(
            f"mean must lie in the range of the inputs, [{low:g}, {high:g}]. "
            f"Received: mean={_listed(options.mean)}. For a mean of stored pixels, pass input_range=(0, 255)."
        )
    if dtype.kind in "iu" and (options.mean or options.std):
        raise InputError(
            f"mean and std must be used only with inputs of floats. Received: an encoder that takes {dtype}"
        )


def _resized(images, size):
    made = tf.image.resize(images.astype("float32"), size, antialias=True).numpy()
    if images.dtype.kind in "iu":
        made = np.round(made).astype(images.dtype)
    return np.clip(made, images.min(), images.max())


def _listed(numbers):
    text = ", ".join(f"{number:g}" for number in numbers)
    return text if len(numbers) == 1 else f"({text})"
