"""Images of every kind that can be read: the right pixels, upright, with the channels wanted."""

import numpy as np
import pytest
from PIL import Image

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import load_images, stream_images, training_batches
from keras_ae.training.datasets.images._decoding import to_channels

ALL = {"validation_fraction": 0, "test_fraction": 0}
GREY, COLOUR = (7, 5), (7, 5, 3)
# (ending, how Pillow writes it, shape of what is written, white)
KINDS = {
    "webp": (".webp", {"lossless": True}, COLOUR, 255),
    "webp with alpha": (".webp", {"lossless": True, "exact": True}, (7, 5, 4), 255),
    "tiff": (".tiff", {}, COLOUR, 255),
    "packed grey tif": (".tif", {"compression": "tiff_lzw"}, GREY, 255),
    "tiff of 16 bits": (".tiff", {}, GREY, 65535),
    "png of 16 bits": (".png", {}, GREY, 65535),
    "png with alpha": (".png", {}, (7, 5, 4), 255),
    "bmp": (".bmp", {}, COLOUR, 255),
    "portable map": (".ppm", {}, COLOUR, 255),
    "portable map of 16 bits": (".pgm", {}, GREY, 65535),
}


def random_image(shape, white=255, seed=0):
    kind = "uint8" if white == 255 else "uint16"
    return np.random.default_rng(seed).integers(0, white, shape, kind, endpoint=True)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def read(folder, **options):
    return load_images(folder, **ALL, **options).train.images()


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_of_every_kind_are_those_that_were_written(folder, kind):
    ending, options, shape, white = KINDS[kind]
    images = [random_image(shape, white, seed) for seed in range(3)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}{ending}", **options)
    expected = np.stack(images).reshape(3, 7, 5, -1) / white
    np.testing.assert_allclose(read(folder), expected, rtol=3e-7)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".gif", ".tiff"])
@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_are_colours(folder, ending, transparent):
    colours = np.array([[250, 20, 90], [10, 200, 30]], "uint8")
    image = Image.fromarray(colours[random_image(GREY) % 2]).quantize(4)
    image.save(folder / f"0{ending}", **({"transparency": 0} if transparent and ending == ".png" else {}))
    (found,) = read(folder)
    assert found.shape[2] == (4 if transparent and ending == ".png" else 3)
    np.testing.assert_allclose(found[..., :3], np.asarray(image.convert("RGB")) / 255, rtol=3e-7)


def test_bits_are_black_and_white(folder):
    bits = random_image(GREY) % 2 == 1
    for name in ("0.png", "1.tif", "2.pbm"):
        Image.fromarray(bits).save(folder / name)
    np.testing.assert_array_equal(read(folder)[..., 0], np.stack([bits] * 3).astype("float32"))


STORED = (  # how a camera that was held otherwise stored a picture (EXIF 2.32, Orientation), 1 to 8
    lambda x: x,
    lambda x: x[:, ::-1],
    lambda x: x[::-1, ::-1],
    lambda x: x[::-1],
    lambda x: x.transpose(1, 0, 2),
    lambda x: np.rot90(x),  # row 0 is the right-hand side
    lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    lambda x: np.rot90(x, -1),
)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tiff"])
def test_photographs_are_upright(folder, ending):
    upright = np.zeros((16, 32, 3), "uint8")
    upright[:8, :8] = 255  # a bright corner
    for orientation, stored in enumerate(STORED, 1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.fromarray(np.ascontiguousarray(stored(upright)))
        image.save(folder / f"{orientation}{ending}", exif=exif, quality=95)
    data = load_images(folder, **ALL)
    assert data.image_shape == (16, 32, 3)
    np.testing.assert_allclose(data.train.images(), np.stack([upright] * 8) / 255, atol=0.05)


def test_exif_after_the_pixels_of_a_png_turns_it(folder):
    pixels = random_image((64, 80, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(folder / "a.png", exif=exif)
    contents = (folder / "a.png").read_bytes()
    start, end = contents.index(b"eXIf") - 4, contents.index(b"IEND") - 4
    size = 12 + int.from_bytes(contents[start : start + 4], "big")
    rest = contents[:start] + contents[start + size : end]
    (folder / "a.png").write_bytes(rest + contents[start : start + size] + contents[end:])
    assert len(rest) > 4096
    np.testing.assert_allclose(read(folder)[0], np.rot90(pixels, -1) / 255, rtol=3e-7)


def test_damaged_exif_does_not_hide_the_picture(folder):
    Image.new("RGB", (4, 4), "white").save(folder / "a.jpg", exif=b"Exif\0\0nonsense")
    assert read(folder).min() == 1


def test_content_decides_whatever_the_ending(folder):
    image = Image.fromarray(random_image(COLOUR))
    image.save(folder / "a.png", format="WEBP", lossless=True)
    image.save(folder / "b.jpg", format="TIFF")
    image.save(folder / "c", format="PNG")
    image.save(folder / "d.dat", format="BMP")
    (folder / "e.dat").write_bytes(b"no image")
    with pytest.warns(DataWarning, match=r"1 .dat, no image \(e.dat\)"):
        images = read(folder)
    (folder / "e.dat").unlink()
    np.testing.assert_allclose(images, np.stack([np.asarray(image) / 255] * 4), rtol=3e-7)
    np.testing.assert_array_equal(np.concatenate(list(stream_images(folder, COLOUR, 3))), images)
    assert next(iter(stream_images(folder / "d.dat", (7, 5, 3), 1))).shape == (1, 7, 5, 3)


def test_kinds_of_two_decoders_keep_their_order_in_every_epoch(folder):
    images = [random_image(COLOUR, seed=seed) for seed in range(9)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(
            folder / f"{number}{('.png', '.webp', '.tiff')[number % 3]}", lossless=True
        )
    split = load_images(folder, **ALL).train
    for epoch in range(2):
        stream = training_batches(split, 4, seed=3)
        stream.epoch, stream.start_step = epoch, 1
        order = np.random.default_rng((3, epoch)).permutation(9)[4:]
        found = np.concatenate(list(stream.dataset.as_numpy_iterator()))
        np.testing.assert_allclose(found, np.stack(images)[order] / 255, rtol=3e-7)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:20]])
@pytest.mark.parametrize("ending", [".webp", ".tiff", ".ppm"])
def test_broken_images_of_pillow_are_named(folder, complaint, ending, damage):
    Image.fromarray(random_image((40, 40, 3))).save(folder / f"a{ending}")
    Image.fromarray(random_image((40, 40, 3))).save(folder / "b.png")
    (folder / f"a{ending}").write_bytes(damage((folder / f"a{ending}").read_bytes()))
    assert complaint(load_images, folder).startswith(f"{folder / f'a{ending}'} is not a readable image")


def test_pixels_whose_white_is_unknown_are_refused(folder, complaint):
    Image.fromarray(np.ones(GREY, "float32")).save(folder / "a.tiff")
    assert "a.tiff has pixels of mode F, whose value of white is unknown" in complaint(load_images, folder)


def test_without_pillow_the_extra_is_named(folder, monkeypatch):
    Image.fromarray(random_image(COLOUR)).save(folder / "a.png")
    Image.fromarray(random_image(COLOUR)).save(folder / "b.webp")
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"keras-ae\[training\]"):
        load_images(folder)
    (folder / "b.webp").unlink()
    assert read(folder).shape == (1, *COLOUR)


@pytest.fixture
def mixed(folder):
    """Two RGB, one transparent and one grey image of the same size."""
    for number, mode in enumerate(("RGB", "RGBA", "L", "RGB", "LA")):
        Image.fromarray(random_image((7, 5, 4), seed=number)).convert(mode).save(folder / f"{number}.png")
    return folder


def test_mixed_channels_are_counted(mixed, complaint):
    message = complaint(load_images, mixed)
    assert "Received: 2 RGB, 1 grey, 1 grey with alpha, 1 RGBA, such as" in message


@pytest.mark.parametrize("image_size", [None, (4, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_mixed_channels_are_converted(mixed, channels, image_size):
    data = load_images(mixed, channels=channels, image_size=image_size, **ALL)
    assert data.image_shape == (*(image_size or (7, 5)), channels)
    images = data.train.images()
    if image_size is None:
        for number, found in enumerate(images):
            image = Image.open(mixed / f"{number}.png").convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            expected = Image.alpha_composite(white, image).convert("L" if channels == 1 else "RGB")
            # Pillow rounds to levels, twice
            np.testing.assert_allclose(found, np.asarray(expected).reshape(7, 5, -1) / 255, atol=2 / 255)
    streamed = stream_images(mixed, data.image_shape, 2, channels=channels, resize=image_size is not None)
    np.testing.assert_allclose(np.concatenate(list(streamed)), images, atol=1e-6)


def test_arrays_are_converted_too(tmp_path):
    np.savez(tmp_path / "a.npz", images=random_image((6, 4, 4)))
    data = load_images(tmp_path / "a.npz", channels=3, **ALL)
    assert data.image_shape == (4, 4, 3) and data.train.images().shape == (6, 4, 4, 3)
    batch = next(data.train.batches(2).as_numpy_iterator())
    np.testing.assert_array_equal(batch, data.train.images([0, 1]))
    streamed = next(iter(stream_images(tmp_path / "a.npz", (4, 4, 3), 2, channels=3)))
    np.testing.assert_array_equal(streamed, batch)


def test_channels_by_hand():
    transparent = np.array([[[1.0, 0.5, 0.0, 0.5], [0.2, 0.4, 0.6, 1.0]]], "float32")
    np.testing.assert_allclose(to_channels(transparent, 3), [[[1, 0.75, 0.5], [0.2, 0.4, 0.6]]], rtol=1e-6)
    luma = [0.299 + 0.587 * 0.75 + 0.114 * 0.5, 0.299 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6]
    np.testing.assert_allclose(to_channels(transparent, 1)[0, :, 0], luma, rtol=1e-6)
    np.testing.assert_array_equal(to_channels(np.zeros((2, 3, 2)), 3), np.ones((2, 3, 3)))
    assert to_channels(transparent, None) is transparent


@pytest.mark.parametrize("channels", [2, 4, 0])
def test_other_numbers_of_channels_are_refused(complaint, channels):
    assert f"Received: channels={channels}" in complaint(load_images, "digits", channels=channels)
    assert "channels must be those of the model's input" in complaint(
        stream_images, "digits", (8, 8, 1), 4, channels=3
    )
