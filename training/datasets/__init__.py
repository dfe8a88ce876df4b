"""Images for training and encoding: read, split, and handed out in batches."""

from keras_ae.training.datasets.epoch_stream import EpochStream, training_batches
from keras_ae.training.datasets.image_data import ImageData
from keras_ae.training.datasets.image_loading import load_images
from keras_ae.training.datasets.image_size_error import ImageSizeError
from keras_ae.training.datasets.image_split import ImageSplit
from keras_ae.training.datasets.image_stream import ImageStream
from keras_ae.training.datasets.image_streaming import stream_images

__all__ = [
    "EpochStream",
    "ImageData",
    "ImageSizeError",
    "ImageSplit",
    "ImageStream",
    "load_images",
    "stream_images",
    "training_batches",
]
