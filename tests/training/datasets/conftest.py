import gzip
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_ae.errors import InputError


@pytest.fixture
def pixels():
    """Makes random uint8 images of a shape."""

    def make(*shape, seed=0):
        return np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")

    return make


@pytest.fixture
def write_images(tmp_path, pixels):
    """Writes random images below a folder, and returns the folder and their pixels by name."""

    def write(*names, size=(6, 5), channels=1, folder=tmp_path / "images"):
        written = {}
        for seed, name in enumerate(names):
            image = pixels(*size, channels, seed=seed)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(image, path.suffix.lower()))
            written[name] = image
        return folder, written

    return write


@pytest.fixture
def write_idx():
    """Writes an array as an idx file, gzip where the name says so."""

    def write(path, array):
        contents = (
            bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        )
        path.write_bytes(gzip.compress(contents) if path.suffix == ".gz" else contents)
        return path

    return write


@pytest.fixture
def recordings(tmp_path):
    """The folder of 12 files of 2 words by 3 speakers at 16 kHz, of lengths of their own."""
    names = [f"{word}_{speaker}" for word in ("no", "yes") for speaker in ("ann", "bob", "cid")]
    for number, name in enumerate((f"{name}_{take}.wav" for name in names for take in range(2)), 1):
        noise = np.random.default_rng(number).uniform(-0.3, 0.3, 1000 + 100 * number)
        soundfile.write(tmp_path / name, noise.astype("float32"), 16_000)
    return tmp_path


@pytest.fixture
def complaint():
    """The message of the InputError that a call must raise: one line."""

    def call(function, *args, **kwargs):
        with pytest.raises(InputError) as caught:
            function(*args, **kwargs)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        return message

    return call


def encode(image, suffix):
    if suffix == ".png":
        return tf.io.encode_png(image).numpy()
    if suffix in (".jpg", ".jpeg"):
        return tf.io.encode_jpeg(image, quality=100).numpy()
    return {".bmp": encode_bmp, ".gif": encode_gif}[suffix](image)


def encode_bmp(image):
    """24 bits a pixel, rows from below, each padded to 4 bytes, blue first."""
    height, width, channels = image.shape
    colour = np.repeat(image, 3 // channels, axis=2)[::-1, :, ::-1]
    rows = b"".join(row.tobytes().ljust((3 * width + 3) // 4 * 4, b"\0") for row in colour)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows


def encode_gif(image, frames=2):
    """A palette of 128 greys; the second frame is black. A clear code before each pixel keeps codes short."""
    height, width, _ = image.shape
    palette = bytes(value for grey in range(128) for value in [2 * grey] * 3)
    gif = b"GIF89a" + struct.pack("<HHBBB", width, height, 0b11110110, 0, 0) + palette
    for frame in (image[..., 0] // 2, np.zeros((height, width), "uint8"))[:frames]:
        codes = np.stack([np.full(frame.size, 128), frame.ravel()], axis=1).ravel()
        data = bytes(codes.astype("uint8")) + bytes([129])
        blocks = b"".join(
            bytes([len(part)]) + part for part in (data[i : i + 255] for i in range(0, len(data), 255))
        )
        gif += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + bytes([7]) + blocks + b"\0"
    return gif + b"\x3b"
