"""Built-in images: digits, and rendered sprites whose factors are known exactly."""

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation.disentanglement.sprites import Sprites
from keras_ae.training.datasets.images.data import ImageSource
from keras_ae.training.datasets.images.stores import ArrayStore

TEST_IMAGES = 10_000
TEST_SEED = 0  # seed of the draw of the test images, which are always the same
NATIVE_SIZES = (64, 32, 16)


class SpriteRows:
    """Array of sprite images whose rows are rendered when they are read.

    Args:
        sprites: the renderer.
        indices: indices of the images in the renderer, in the order of the rows.

    Example:

    >>> rows = SpriteRows(Sprites(32), np.arange(100))
    >>> rows.shape, rows[[0, 99]].shape
    ((100, 32, 32, 1), (2, 32, 32, 1))
    """

    def __init__(self, sprites: Sprites, indices: np.ndarray):
        self.sprites = sprites
        self.indices = indices
        self.shape = (len(indices), *sprites.image_shape)

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, rows) -> np.ndarray:
        return self.sprites.images(self.factors(rows))

    def factors(self, rows) -> np.ndarray:
        """Return the factors of these rows, int64 `(n, 5)`."""
        return self.sprites.factors_of(self.indices[rows])


def read_sprites(image_size: tuple[int, int] | None = None, streamed: bool = False) -> ImageSource:
    """Return 737,280 images of three shapes, see `keras_ae.evaluation.Sprites`; the label is the shape.

    10,000 fixed images are the test images. No images are kept in memory: each is rendered when its
    batch is read. Sizes of 64, 32 and 16 pixels are rendered directly, other sizes are resized from 64.

    Args:
        image_size: height and width; `None`: 64 each.
        streamed: whether to return all images as one part, in the order of their factors.

    Example:

    >>> source = read_sprites((32, 32))
    >>> source.image_shape, {part: len(store) for part, store in source.parts.items()}
    ((32, 32, 1), {'train': 727280, 'test': 10000})
    """
    height, width = image_size or (64, 64)
    native = height == width and height in NATIVE_SIZES
    sprites = Sprites(height if native else 64)
    parts = {"all": np.arange(len(sprites))} if streamed else _split(len(sprites))
    stores = {
        part: ArrayStore(SpriteRows(sprites, indices), 1.0, "sprites", None if native else image_size)
        for part, indices in parts.items()
    }
    return ImageSource(
        name="sprites",
        origin="sprites rendered with the factors of dSprites",
        parts=stores,
        labels={part: sprites.factors_of(indices)[:, 0] for part, indices in parts.items()},
        class_names=sprites.shape_names,
    )


def _split(count):
    order = np.random.default_rng(TEST_SEED).permutation(count)
    return {"train": np.sort(order[TEST_IMAGES:]), "test": np.sort(order[:TEST_IMAGES])}


WHITE = 16.0  # the pixels count dark points in 4x4 blocks of the scan


def read_digits(image_size: tuple[int, int] | None = None) -> ImageSource:
    """Return 1,797 scans of handwritten digits, 8x8 pixels of 17 grey levels (Alpaydin and Kaynak, 1998).

    Args:
        image_size: height and width to resize to; `None`: 8 each.

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
