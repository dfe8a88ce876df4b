"""Options for the inputs and the output of an encoder that was made elsewhere."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders._image_inputs import LAYOUTS

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Checked options of `load_encoder`, which describes them; `mean` and `std` are tuples here."""

    output_name: str | None = None
    layout: str | None = None
    scale: float | None = None
    input_range: tuple[float, float] | str | None = None
    mean: Any = None
    std: Any = None
    tokenizer: Callable | None = None
    sample_rate: int | None = None

    def __post_init__(self):
        if self.layout not in (None, *LAYOUTS):
            raise InputError(f"layout must be nchw or nhwc. Received: layout={self.layout!r}")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise InputError(f"scale must be a positive number, such as 255. Received: scale={self.scale}")
        if self.sample_rate is not None and not self.sample_rate >= 1:
            raise InputError(f"sample_rate must be at least 1 Hz. Received: sample_rate={self.sample_rate}")
        object.__setattr__(self, "mean", _numbers("mean", self.mean))
        object.__setattr__(self, "std", _numbers("std", self.std))
        object.__setattr__(self, "input_range", _range(self.input_range))
        if self.tokenizer is not None and self.of_images:
            raise InputError(
                f"{', '.join(self.of_images)} must be used only with encoders of images. "
                "Received: tokenizer, which is for encoders of texts."
            )

    @property
    def given(self) -> list[str]:
        """Names of the options that are given."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]

    @property
    def of_values(self) -> list[str]:
        """Names of the given options that convert the values of images."""
        return [name for name in self.given if name in ("scale", "input_range", "mean", "std")]

    @property
    def of_images(self) -> list[str]:
        """Names of the given options that are valid only for images; "auto" is valid for all encoders."""
        names = ["layout", *self.of_values]
        return [name for name in self.given if name in names and getattr(self, name) != AUTO]


def _numbers(name, value):
    if value is None:
        return None
    try:
        numbers = tuple(float(one) for one in (value if hasattr(value, "__iter__") else [value]))
    except (TypeError, ValueError):
        numbers = ()
    if not numbers:
        raise InputError(f"{name} must be a number, or one for each channel. Received: {name}={value!r}")
    return numbers


def _range(value):
    if value is None or value == AUTO:
        return value
    try:
        low, high = map(float, value)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not -math.inf < low < high < math.inf:
        raise InputError(
            f"input_range must be (low, high) with low < high, or 'auto'. Received: input_range={value!r}"
        )
    return low, high
