"""The handwritten digits that scikit-learn brings along."""

from keras_ae.errors import require
from keras_ae.training.datasets.array_store import ArrayStore
from keras_ae.training.datasets.image_source import ImageSource

WHITE = 16.0  # the pixels count dark points in 4x4 blocks of the scan


def read_digits(image_size: tuple[int, int] | None = None) -> ImageSource:
    """1,797 scans of handwritten digits, 8x8 pixels of 17 shades (Alpaydin and Kaynak, 1998).

    Example:

    >>> read_digits().image_shape
    (8, 8, 1)
    """
    digits = require("sklearn.datasets", extra="training").load_digits()
    images = digits.images.astype("uint8")  # whole numbers from 0 to 16
    return ImageSource(
        name="digits",
        origin="handwritten digits of scikit-learn",
        parts={"all": ArrayStore(images, WHITE, origin="digits", image_size=image_size)},
        labels={"all": digits.target},
        class_names=[str(name) for name in digits.target_names],
    )
