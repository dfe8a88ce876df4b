"""Images whose size is not the expected one."""

from keras_ae.errors import InputError


class ImageSizeError(InputError):
    """Resizing would help: only height and width differ, not the channels."""
