"""Base class of recipes for images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from keras_ae.training.datasets import EpochStream, ImageData

SHOWN = 20  # images in the pictures of a run
MOST_ROWS = 10  # largest number of classes whose generated images are shown


@dataclass(frozen=True, kw_only=True)
class ImageRecipe(Recipe):
    """Recipe whose data are images."""

    monitor: ClassVar[str] = "val_reconstruction_loss"
    examples: ClassVar[str] = "images"

    data: str = "digits"
    """Source of the images: "digits" (of scikit-learn), "sprites", a folder of images, an .npz file, or idx
    files of MNIST."""
    image_size: tuple[int, int] | None = None
    """Height and width in pixels to which the images are resized."""
    scale: float | None = None
    """Pixel value of an array that is converted to 1, such as 255; None: uint8 is from 0 to 255, and other
    arrays must be in [0, 1]."""
    channels: Literal[1, 3] | None = None
    """Number of channels to which the images are converted: 1 (grey) or 3 (RGB, transparency on white)."""
    skip_broken: bool = False
    """Whether to leave out images that cannot be read; otherwise an error names all of them."""
    epochs: int = 200
    """Number of passes over the training images."""
    batch_size: int = 64
    """Number of images per step."""
    learning_rate: float = 3e-3
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""
    weight_decay: float = 0.3
    """Weight decay of AdamW: each step shrinks the weights by learning rate x weight decay."""
    filters: int = 64
    """Number of channels of the hidden layers of the convolutional encoder and decoder."""
    downsampling: int = 2
    """Number of times the encoder halves height and width."""
    noise: float = 0.05
    """Standard deviation of the noise added to the encoder's input in training (denoising)."""
    seed: int = 0
    """Seed of the initial weights, the order of the images and all sampling."""
    baselines: bool = True
    """Whether to measure the baselines k-means, PCA and the mean image."""
    probe: bool = True
    """Whether to measure the accuracy of a linear classifier of the labels on the codes."""

    def __post_init__(self):
        super().__post_init__()
        if self.image_size is not None and min(self.image_size) < 1:
            raise InputError(
                "--image-size must be a height and a width of at least 1, such as --image-size 32 32. "
                f"Received: {' '.join(map(str, self.image_size))}"
            )

    @property
    def labelled(self) -> bool:
        """Whether the labels of the images are inputs of the model."""
        return False

    def load_data(self) -> ImageData:
        from keras_ae.training.datasets import load_images

        data = load_images(
            self.data,
            image_size=self.image_size,
            scale=self.scale,
            channels=self.channels,
            skip_broken=self.skip_broken,
        )
        height, width = data.image_shape[:2]
        most = math.ceil(math.log2(max(height, width)))  # one position remains then
        if self.downsampling > most:
            raise InputError(
                f"--downsampling must be at most {most} for images of {height}x{width} pixels. "
                f"Received: {self.downsampling}"
            )
        if self.labelled and not data.num_classes:
            raise InputError(
                f"The images must have labels for --class-conditional. Received: {self.data} without labels. "
                "Pass labelled images, or leave out --class-conditional."
            )
        return data

    def training_batches(self, data: ImageData) -> EpochStream:
        from keras_ae.training.datasets import training_batches

        return training_batches(data.train, self.batch_size, self.seed, labels=self.labelled)

    def validation_batches(self, data: ImageData) -> Any:
        return data.validation.batches(self.batch_size, labels=self.labelled)

    def preprocessing(self, description: dict) -> dict[str, Any]:
        *size, channels = description.get("image_shape", (None, None))
        size = size if len(size) == 2 else None
        own = {"image_size": size, "channels": channels, "scale": self.scale}
        return {"modality": "images", "value_range": (0, 1), **own}

    def describe(self, data: ImageData) -> str:
        return f"{data.image_shape} images"

    def pictures(self, model: keras.Model, data: ImageData, directory: Any) -> list[keras.callbacks.Callback]:
        from keras_ae.training.callbacks import (
            CodebookMonitor,
            InterpolationGrid,
            LatentTraversal,
            ReconstructionGrid,
            SampleGrid,
        )

        if not hasattr(model, "decode"):
            return []  # nothing to draw
        figures, settings = directory / "figures", self._drawing(directory)
        shown = data.test.images(range(min(SHOWN, len(data.test))))
        callbacks = [ReconstructionGrid(shown, figures, **settings)]
        generative, discrete = getattr(model, "generative", False), getattr(model, "discrete", False)
        if generative:
            count = data.num_classes if self.labelled else None
            labels = None if count is None else range(min(count, MOST_ROWS))
            callbacks.append(SampleGrid(figures, labels=labels, **settings))
            if len(shown) > 1:
                callbacks.append(InterpolationGrid(shown, figures, **settings))
        if discrete and not generative:
            callbacks.append(CodebookMonitor(directory=figures, **settings))
        if not discrete:
            callbacks.append(LatentTraversal(shown, figures, **settings))
        return callbacks

    def measure(self, model: Any, data: ImageData) -> dict[str, Any]:
        from keras_ae.training.recipes.images._measures import measure

        return measure(model, self, data)

    def network_settings(self) -> dict[str, Any]:
        """Return the arguments common to encoder and decoder."""
        return {"downsampling": self.downsampling, "filters": self.filters}

    def _drawing(self, directory):
        """Return the interval between pictures and the TensorBoard folder."""
        return {"every": max(1, self.epochs // 10), "log_dir": directory / "logs"}
