import zipfile

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import load_images, stream_images


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return write


def encoded(images):
    """Images as PNG bytes one after the other, with offsets."""
    parts = [tf.io.encode_png(image).numpy() for image in images]
    return np.frombuffer(b"".join(parts), "uint8"), np.cumsum([0, *map(len, parts)])


@pytest.mark.filterwarnings("ignore:.*is left out:UserWarning")
@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images_train", "labels_train", "images_test", "labels_test"),
    ],
)
def test_npz_with_official_test_images(save, pixels, keys):
    train, test = pixels(10, 4, 3, 3), pixels(6, 4, 3, 3, seed=1)
    arrays = train, np.arange(10) % 3, test, np.arange(6)[:, None] % 3
    data = load_images(save(**dict(zip(keys, arrays, strict=True)), unrelated=np.zeros(3)))
    assert data.image_shape == (4, 3, 3) and data.num_classes == 3
    np.testing.assert_array_equal(data.test.images(), test.astype("float32") / 255)
    np.testing.assert_array_equal(data.test.labels, np.arange(6) % 3)
    np.testing.assert_array_equal(data.train.images(), train[data.train.rows].astype("float32") / 255)


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("x_train", "y_train")])
def test_npz_without_test_images_is_split(save, pixels, keys):
    data = load_images(save(**{keys[0]: pixels(30, 4, 3), keys[1]: np.array(["cat", "dog"] * 15)}))
    assert (len(data.train), len(data.validation), len(data.test)) == (22, 2, 6)
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.test.labels, data.test.rows % 2)


def test_blanks_make_no_classes_and_empty_labels_are_refused(save, pixels, complaint):
    images = pixels(30, 4, 3)
    assert load_images(save(x=images, y=np.array(["cat ", "cat", "dog"] * 10))).class_names == ("cat", "dog")
    path = save(x=images, y=np.array(["cat", "dog", " "] * 10))
    assert "Received: 10 empty, the first in row 2 of all" in complaint(load_images, path)


def test_npz_class_names_are_kept(save, pixels):
    data = load_images(save(x=pixels(20, 4, 4), y=np.ones(20, int), class_names=np.array(["a", "b", "c"])))
    assert data.class_names == ("a", "b", "c") and set(data.train.labels) == {1}


def test_labels_beyond_the_class_names_are_refused(save, pixels, complaint):
    path = save(x=pixels(20, 4, 4), y=np.arange(20), class_names=np.array(["a", "b"]))
    assert "2 class names" in complaint(load_images, path)


def test_folder_with_one_npz_is_that_npz(save, pixels, complaint):
    path = save(x=pixels(20, 4, 4))
    assert load_images(path.parent).name == "set"
    path.with_name("other.npz").write_bytes(path.read_bytes())
    assert "other.npz, set.npz" in complaint(load_images, path.parent)


def test_npz_with_encoded_images(save, pixels):
    images = pixels(12, 4, 3, 3)
    contents, offsets = encoded(images)
    test_contents, test_offsets = encoded(images[:5])
    path = save(
        jpeg_train=contents,
        offsets_train=offsets,
        jpeg_test=test_contents,
        offsets_test=test_offsets,
        y_test=[0] * 5,
    )
    data = load_images(path)
    # the graph may multiply by 1/255 where numpy divides: one unit in the last place
    np.testing.assert_allclose(data.test.images(), images[:5] / 255, rtol=2e-7)
    np.testing.assert_allclose(data.train.images(), images[data.train.rows] / 255, rtol=2e-7)
    stream = stream_images(path, (4, 3, 3), 5, shard=(1, 2))
    np.testing.assert_allclose(np.concatenate(list(stream))[:6], images[1::2] / 255, rtol=2e-7)


def test_broken_encoded_image_in_npz_is_named(save, pixels, complaint):
    contents, offsets = encoded(pixels(12, 4, 3, 3))
    contents = contents.copy()
    contents[offsets[7] : offsets[7] + 20] = 0
    assert "image 7 of" in complaint(load_images, save(jpeg=contents, offsets=offsets))


@pytest.mark.parametrize("change", [lambda o: o[::-1], lambda o: o + 1, lambda o: o[:1], lambda o: o - 1])
def test_bad_offsets_are_refused(save, pixels, complaint, change):
    contents, offsets = encoded(pixels(4, 4, 3, 3))
    assert "ascending offsets" in complaint(load_images, save(jpeg=contents, offsets=change(offsets)))


def test_npz_without_known_keys_lists_what_is_there(save, pixels, complaint):
    message = complaint(load_images, save(bilder=pixels(4, 4, 4), zahlen=np.zeros(4)))
    assert "x_train" in message and "Received: bilder, zahlen" in message
    assert "Received: no keys" in complaint(load_images, save())


@pytest.mark.parametrize("shape", [(7,), (7, 16), (7, 3, 8, 8), (2, 2, 2, 2, 2)])
def test_array_of_another_shape_is_refused(save, complaint, shape):
    message = complaint(load_images, save(x=np.zeros(shape)))
    assert "channels last" in message and str(shape) in message


def test_array_without_images_is_refused(save, complaint):
    assert "must contain at least one image with pixels. Received" in complaint(
        load_images, save(x=np.zeros((0, 8, 8)))
    )


@pytest.mark.parametrize("read", [load_images, lambda path: stream_images(path, (4, 4, 1), 2)])
@pytest.mark.parametrize(
    ("value", "words"),
    [(np.nan, "NaN"), (-0.5, "values from -0.5 to 1"), (300, "to 300"), (np.inf, "to inf")],
)
def test_pixels_out_of_range_are_refused(save, complaint, read, value, words):
    images = np.ones((6, 4, 4), "float32")
    images[5, 3, 3] = value
    message = complaint(read, save(x=images))
    assert words in message and "[x]" in message


def test_pixels_that_are_no_numbers_are_refused(save, complaint):
    assert "dtype <U1" in complaint(load_images, save(x=np.full((6, 4, 4), "a")))
    assert "Python objects" in complaint(load_images, save(x=np.full((6, 4, 4), None)))


@pytest.mark.parametrize(
    ("images", "scale", "white"),
    [
        (np.linspace(0, 1, 96), None, 1),
        (np.linspace(0, 255, 96), 255, 255),
        (np.linspace(0, 16, 96), 16, 16),
        (np.arange(96) % 2 == 1, None, 1),
        (np.arange(96, dtype="uint8") % 2, 1, 1),
        (np.arange(96, dtype="uint8"), None, 255),
        (np.arange(96, dtype="uint8"), 100, 100),
        (np.arange(96, dtype="int64"), 255, 255),
        (np.arange(96, dtype="int64") % 2, None, 1),
        (np.arange(96, dtype="uint16") * 600, 65535, 65535),
        (np.zeros(96, "uint8"), None, 1),
        (np.linspace(0, 1, 96).astype("float16"), None, 1),
    ],
)
def test_numbers_of_any_type_become_unit_floats(save, images, scale, white):
    images = images.reshape(6, 4, 4)
    path = save(x=images)
    expected = images.astype("float32")[..., None] / np.float32(white)
    whole = load_images(path, test_fraction=0, validation_fraction=0, scale=scale).train.images()
    np.testing.assert_array_equal(whole, expected)
    streamed = np.concatenate(list(stream_images(path, (4, 4, 1), 4, scale=scale)))
    np.testing.assert_array_equal(streamed, expected)


@pytest.mark.parametrize(
    "read",
    [
        lambda path, scale: load_images(path, scale=scale),
        lambda path, scale: stream_images(path, (4, 4, 1), 2, scale=scale),
    ],
)
@pytest.mark.parametrize(
    ("images", "scale", "words"),
    [
        (np.linspace(0, 16, 96), None, "values from 0 to 16 (float64). Pass it as --scale"),
        (np.linspace(0, 255, 96), None, "values from 0 to 255 (float64). Pass it as --scale"),
        (np.arange(96, dtype="int32"), None, "values from 0 to 95 (int32). Pass it as --scale"),
        (np.arange(96, dtype="uint8") % 2, None, "values from 0 to 1 (uint8). Pass it as --scale"),
        (np.linspace(0, 16, 96), 8, "between 0 and the scale, 8. Received: values from 0 to 16"),
        (np.arange(96, dtype="uint8"), 1, "between 0 and the scale, 1. Received: values from 0 to 95"),
        (np.linspace(0, 1, 96), -1, "--scale must be a positive number. Received: -1"),
    ],
)
def test_a_scale_that_can_be_meant_in_two_ways_is_asked_for(save, complaint, read, images, scale, words):
    path = save(x=images.reshape(6, 4, 4))
    assert words in complaint(lambda path: read(path, scale), path)


def test_parts_of_different_types_keep_their_own_scales(save):
    data = load_images(save(x_train=np.full((9, 2, 2), 51, "uint8"), x_test=np.full((3, 2, 2), 0.5)))
    assert data.train.images().max() == np.float32(0.2) and data.test.images().max() == 0.5


def test_a_scale_is_refused_for_images_that_have_their_own(complaint):
    assert "--scale 16 with handwritten digits" in complaint(
        lambda path: load_images(path, scale=16), "digits"
    )


def test_dark_test_images_are_not_stretched(save):
    data = load_images(save(x_train=np.full((9, 2, 2), 255, "uint8"), x_test=np.ones((3, 2, 2), "uint8")))
    np.testing.assert_array_equal(data.test.images(), np.full((3, 2, 2, 1), 1 / 255, "float32"))


@pytest.mark.parametrize("read", [load_images, lambda path: list(stream_images(path, (20, 20, 1), 64))])
@pytest.mark.parametrize("cut", [0, 3, 200, -2000, -50])
def test_damaged_npz_is_named(save, pixels, complaint, read, cut):
    path = save(x=pixels(50, 20, 20))
    path.write_bytes(path.read_bytes()[:cut])
    assert str(path) in complaint(read, path)


@pytest.mark.parametrize("read", [load_images, lambda path: list(stream_images(path, (20, 20, 1), 64))])
def test_npz_with_damaged_contents_is_named(save, pixels, complaint, read):
    path = save(x=pixels(50, 20, 20))
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 0xFF
    path.write_bytes(contents)
    assert f"{path}[x]" in complaint(read, path)


def test_npz_member_cut_short_inside_a_whole_archive_is_named(tmp_path, pixels, complaint):
    np.save(tmp_path / "x.npy", pixels(50, 20, 20))
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", (tmp_path / "x.npy").read_bytes()[:-100])
    for read in (load_images, lambda path: list(stream_images(path, (20, 20, 1), 64))):
        assert "set.npz[x]" in complaint(read, tmp_path / "set.npz")


@pytest.mark.parametrize("order", ["C", "F"])
def test_streaming_in_small_chunks_equals_the_array(save, pixels, monkeypatch, order):
    monkeypatch.setattr("keras_ae.training.datasets._arrays.CHUNK_BYTES", 7 * 12)  # seven images at a time
    images = pixels(40, 4, 3)
    path = save(x=np.asarray(images, order=order))
    for batch_size in (1, 6, 40, 64):
        batches = list(stream_images(path, (4, 3, 1), batch_size))
        np.testing.assert_array_equal(np.concatenate(batches)[..., 0], images.astype("float32") / 255)
        assert {len(batch) for batch in batches[:-1]} <= {batch_size}


def test_validation_images_of_an_npz_file_are_used(tmp_path, pixels):
    for name in ("val", "valid", "dev", "validation"):
        path = tmp_path / f"{name}.npz"
        arrays = {"x_train": pixels(5, 4, 4), f"x_{name}": pixels(3, 4, 4), "x_testing": pixels(2, 4, 4)}
        np.savez(path, **arrays, **{f"y_{name}": [1, 0, 1], "y_train": [0] * 5, "y_testing": [1, 1]})
        data = load_images(path)
        assert [len(split) for split in (data.train, data.validation, data.test)] == [5, 3, 2]
        np.testing.assert_allclose(data.validation.images()[..., 0], arrays[f"x_{name}"] / 255, rtol=2e-7)
        assert data.validation.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("key", ["x_test", "val_images", "images_dev"])
def test_held_out_images_of_an_npz_file_are_never_trained_on(save, pixels, complaint, key):
    path = save(**{key: pixels(5, 4, 4)})
    assert "must contain training images, x_train" in complaint(load_images, path)
    assert next(iter(stream_images(path, (4, 4, 1), 5))).shape == (5, 4, 4, 1)


def test_arrays_that_are_not_used_are_named(tmp_path, pixels):
    np.savez(tmp_path / "a.npz", images=pixels(5, 4, 4), latents=np.zeros(5))
    with pytest.warns(DataWarning, match=r"1 array is left out: 1 not used \(latents\)"):
        load_images(tmp_path / "a.npz")


def test_broken_images_of_an_npz_file_are_named_or_left_out_with_their_labels(tmp_path, pixels, complaint):
    images = [tf.io.encode_jpeg(image).numpy() for image in pixels(4, 8, 8, 3)]
    images[1] = images[1][:20]
    arrays = {"jpeg": np.frombuffer(b"".join(images), "uint8"), "labels": [0, 1, 2, 3]}
    np.savez(tmp_path / "a.npz", **arrays, offsets=np.cumsum([0, *map(len, images)]))
    assert "image 1 of" in complaint(load_images, tmp_path / "a.npz")
    with pytest.warns(DataWarning, match="1 unreadable"):
        data = load_images(
            tmp_path / "a.npz", skip_broken=True, channels=1, validation_fraction=0, test_fraction=0
        )
    assert data.train.images().shape == (3, 8, 8, 1)
    assert [data.class_names[label] for label in data.train.labels] == ["0", "2", "3"]
