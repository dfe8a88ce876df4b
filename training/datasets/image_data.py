"""A set of images, split."""

from dataclasses import dataclass

from keras_ae.training.datasets.image_split import ImageSplit


@dataclass(frozen=True)
class ImageData:
    """Images for training, validation and test.

    Attributes:
        name: short name of the source.
        train: images to train on.
        validation: images held out of the training images, to choose the best epoch by.
        test: images to measure on.
        image_shape: `(height, width, channels)`.
        num_classes: number of classes; `None` without labels.
        class_names: their names, empty without labels.
        description: where the images come from, how many there are and how they were
            split; JSON takes it.
    """

    name: str
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    image_shape: tuple[int, int, int]
    num_classes: int | None
    class_names: tuple[str, ...]
    description: dict
