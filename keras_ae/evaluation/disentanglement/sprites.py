"""Small images with exactly known generating factors."""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

FRAME = 64  # side of the drawn frame, in pixels
SUBPIXELS = 4  # sampling points along each side of a pixel, which decide whether it is white
UNIT = 13.0  # pixels per unit of the coordinates of a shape, at the largest scale
SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
POSITIONS = 32
BOX = 36  # side of a box that contains every shape in every orientation, in pixels
SHAPES = {  # interior of each outline, in coordinates that rotate and scale with the shape
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) < 0.7,
    "ellipse": lambda u, v: u**2 + (2 * v) ** 2 < 1,
    "heart": lambda u, v: (1.4 * (u**2 + v**2) - 0.6) ** 3 < 1.6 * u**2 * v**3,
}


class Sprites:
    """Generator of white shapes on black with the five factors of dSprites, rendered on demand.

    | factor | values |
    |---|---|
    | shape | square, ellipse, heart |
    | scale | 6 from 0.5 to 1 |
    | orientation | 40 from 0 to 2 pi; the first and the last look alike, as in dSprites |
    | x | 32 positions, one pixel of 64 apart |
    | y | 32 positions |

    The factors are those of dSprites, the pixels are not. The 737,280 images are never all in
    memory: the 720 shapes are drawn once, and each image is one of them, translated.

    Args:
        image_size: height and width in pixels, 64, 32 or 16. At 64 the pixels are 0 or 1; at the
            smaller sizes, each pixel is the mean of the pixels that it covers.

    Attributes:
        factor_names: `("shape", "scale", "orientation", "x", "y")`.
        sizes: number of values of each factor, `(3, 6, 40, 32, 32)`.
        shape_names: names of the values of the factor shape.

    Raises:
        ValueError: `image_size` is not one of these, or factors are out of range.

    Example:

    >>> sprites = Sprites()
    >>> factors = sprites.sample_factors(5, np.random.default_rng(0))
    >>> len(sprites), factors.shape, sprites.images(factors).shape
    (737280, (5, 5), (5, 64, 64, 1))

    Reference:
        Matthey et al., 2017, https://github.com/google-deepmind/dsprites-dataset.
    """

    factor_names = ("shape", "scale", "orientation", "x", "y")
    sizes = (len(SHAPES), len(SCALES), 40, POSITIONS, POSITIONS)
    shape_names = tuple(SHAPES)

    def __init__(self, image_size: int = FRAME):
        if image_size not in (64, 32, 16):
            raise ValueError(f"image_size must be 64, 32 or 16. Received: image_size={image_size!r}")
        self.image_size = image_size

    def __len__(self):
        return int(np.prod(self.sizes))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape of an image, `(height, width, channels)`."""
        return (self.image_size, self.image_size, 1)

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw factors uniformly and independently, int64 `(n, 5)`."""
        return np.stack([rng.integers(size, size=n) for size in self.sizes], axis=1)

    def factors_of(self, indices: ArrayLike) -> np.ndarray:
        """Return the factors `(n, 5)` of image indices from 0 to 737,279; y changes fastest."""
        return np.stack(np.unravel_index(np.asarray(indices, "int64"), self.sizes), axis=-1)

    def indices_of(self, factors: ArrayLike) -> np.ndarray:
        """Return the image indices of factors, int64 `(n,)`; the inverse of `factors_of`."""
        return np.ravel_multi_index(tuple(np.asarray(factors, "int64").T), self.sizes)

    def images(self, factors: ArrayLike) -> np.ndarray:
        """Return the images of factors `(n, 5)`, float32 `(n, height, width, 1)` in [0, 1]."""
        shape, scale, orientation, x, y = self._checked(factors).T
        # moving the window up by a pixel moves the shape down by one
        frames = _windows()[shape, scale, orientation, POSITIONS - 1 - y, POSITIONS - 1 - x]
        block = FRAME // self.image_size
        if block == 1:
            return frames.astype("float32")[..., None]
        blocks = frames.reshape(-1, self.image_size, block, self.image_size, block)
        counts = blocks.sum(axis=(2, 4), dtype="uint8")
        return counts.astype("float32")[..., None] / np.float32(block**2)

    def _checked(self, factors):
        factors = np.asarray(factors)
        if factors.ndim != 2 or factors.shape[1] != 5 or factors.dtype.kind not in "iu":
            raise ValueError(
                "factors must be integers of the shape (n, 5). "
                f"Received: {factors.dtype} of shape {factors.shape}"
            )
        if len(factors) and not ((factors >= 0) & (factors < self.sizes)).all():
            raise ValueError(
                f"factors must be at least 0 and below {self.sizes}. Received: {factors.max(0)} at most"
            )
        return factors


@cache
def _windows():
    """Return all windows of padded drawings, a view `(shape, scale, orientation, row, column, 64, 64)`."""
    margin = (FRAME + POSITIONS - BOX) // 2
    wide = np.pad(draw_shapes(), [(0, 0)] * 3 + [(margin, margin)] * 2)
    return np.lib.stride_tricks.sliding_window_view(wide, (FRAME, FRAME), axis=(3, 4))


def draw_shapes() -> np.ndarray:
    """Draw every shape, scale and orientation in the centre of a box, bool `(3, 6, 40, 36, 36)`.

    A pixel is white if at least half of its 4x4 points are inside the outline.
    """
    points = (np.arange(BOX * SUBPIXELS) + 0.5) / SUBPIXELS - BOX / 2
    column, row = np.meshgrid(points, points)
    drawn = np.empty((*Sprites.sizes[:3], BOX, BOX), bool)
    angles = np.linspace(0.0, 2.0 * np.pi, Sprites.sizes[2])
    for scale, size in enumerate(SCALES):
        for orientation, angle in enumerate(angles):
            u = (column * np.cos(angle) + row * np.sin(angle)) / (UNIT * size)
            v = (row * np.cos(angle) - column * np.sin(angle)) / (UNIT * size)
            for shape, inside in enumerate(SHAPES.values()):
                drawn[shape, scale, orientation] = _majority(inside(u, v))
    return drawn


def _majority(points):
    """Return the pixels in which at least half of the points are white."""
    blocks = points.reshape(BOX, SUBPIXELS, BOX, SUBPIXELS)
    return 2 * blocks.sum(axis=(1, 3)) >= SUBPIXELS**2
