"""From what a user names to a reader."""

import os
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.training.datasets.digits import read_digits
from keras_ae.training.datasets.encoded_store import EncodedStore
from keras_ae.training.datasets.file_names import START, list_files
from keras_ae.training.datasets.idx import is_idx, read_idx
from keras_ae.training.datasets.image_channels import check_channels
from keras_ae.training.datasets.image_folder import EXTENSIONS, is_image, read_folder
from keras_ae.training.datasets.image_source import ImageSource
from keras_ae.training.datasets.npz import read_npz
from keras_ae.training.datasets.sprites import read_sprites

SOURCES = '"digits", "sprites", a folder of images, an .npz file, or MNIST idx files'


def open_images(
    source: str | os.PathLike | None,
    image_size: tuple[int, int] | None = None,
    streamed_shape: tuple[int, int, int] | None = None,
    scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> ImageSource:
    """Open any of the sources that `load_images` names.

    With `streamed_shape`, images are not held or looked at before they are asked for,
    a file of a set of idx files stands for itself, and a single image is a source too.
    `scale` is the pixel value of arrays that becomes 1; other sources have a scale of their own. With
    `channels` all images are converted, see `to_channels`; with `skip_broken` those that cannot be read
    are left out.

    Raises:
        InputError: the source is missing, of no known kind, or cannot be used.
    """
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise InputError(f"The image size is a height and a width of at least 1. Received: {image_size}")
    check_channels(channels)
    opened = _open(source, image_size, streamed_shape, scale, channels, skip_broken)
    for store in opened.parts.values():
        if not isinstance(store, EncodedStore):
            store.convert_to(channels)
    return opened


def _open(source, image_size, streamed_shape, scale, channels, skip_broken):
    if source is None or source == "digits":
        return read_digits(image_size)
    if source == "sprites":
        # rendered, not resized, to the size that is asked for
        size = streamed_shape[:2] if streamed_shape and not image_size else image_size
        return read_sprites(size, streamed=streamed_shape is not None)
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist: expected {SOURCES}.")
    try:
        return _open_path(path, image_size, streamed_shape, scale, channels, skip_broken)
    except PermissionError as error:
        raise InputError(f"{error.filename or path} cannot be read: check its permissions.") from None


def _open_path(path, image_size, streamed_shape, scale, *encoded):
    if path.is_dir():
        return _open_folder(path, image_size, streamed_shape, scale, *encoded)
    if path.suffix.lower() == ".npz":
        return read_npz(path, image_size, streamed_shape, scale, *encoded)
    if is_idx(path):
        return read_idx(path, image_size, streamed_shape is not None, scale)
    if streamed_shape and (path.suffix.lower() in EXTENSIONS or _starts_as_image(path)):
        channels, _ = encoded
        store = EncodedStore([str(path)], [str(path)], streamed_shape, image_size, channels)
        return ImageSource(path.stem, f"image {path}", {"all": store}, names={"all": [path.name]})
    raise InputError(f"{path}: expected {SOURCES}. Received: a file ending in {path.suffix or 'nothing'}")


def _open_folder(path, image_size, streamed_shape, scale, *encoded):
    files = sorted(file for file in path.iterdir() if file.is_file())
    if any(map(is_idx, files)):
        return read_idx(path, image_size, streamed_shape is not None, scale)
    archives = [file for file in files if file.suffix.lower() == ".npz"]
    if archives and not list_files(path, EXTENSIONS, LeftOut(), "image", is_image):
        if len(archives) > 1:
            raise InputError(
                f"{path} holds {len(archives)} .npz files ({archives[0].name}, {archives[1].name}, ...): "
                "name one of them."
            )
        return read_npz(archives[0], image_size, streamed_shape, scale, *encoded)
    return read_folder(path, image_size, streamed_shape, *encoded)


def _starts_as_image(path):
    with path.open("rb") as file:
        return is_image(file.read(START))
