import gzip

import numpy as np
import pytest

from keras_ae.training.datasets import load_images, stream_images


@pytest.fixture
def mnist(tmp_path, pixels, write_idx):
    """A folder like MNIST's: 12 training and 5 test images."""

    def write(style="{}-{}-idx{}-ubyte", prefix="", folder=tmp_path / "mnist"):
        folder.mkdir(exist_ok=True)
        arrays = {}
        for part, count in (("train", 12), ("t10k", 5)):
            arrays[part] = pixels(count, 4, 3, seed=count), np.arange(count, dtype="uint8") % 10
            write_idx(folder / (prefix + style.format(part, "images", 3)), arrays[part][0])
            write_idx(folder / (prefix + style.format(part, "labels", 1)), arrays[part][1])
        return folder, arrays

    return write


@pytest.mark.parametrize("style", ["{}-{}-idx{}-ubyte", "{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte"])
def test_idx_folder_keeps_the_official_test_images(mnist, style):
    folder, arrays = mnist(style)
    data = load_images(folder, validation_fraction=0.25)
    assert data.image_shape == (4, 3, 1) and data.name == "mnist"
    assert (len(data.train), len(data.validation), len(data.test)) == (9, 3, 5)
    np.testing.assert_array_equal(data.test.images()[..., 0], arrays["t10k"][0].astype("float32") / 255)
    np.testing.assert_array_equal(data.test.labels, arrays["t10k"][1])
    np.testing.assert_array_equal(data.train.labels, arrays["train"][1][data.train.rows])
    assert data.description["test_split"] == "official"


def test_one_idx_file_stands_for_its_set(mnist):
    folder, _ = mnist()
    data = load_images(folder / "t10k-labels-idx1-ubyte")
    assert len(data.train) + len(data.validation) == 12 and len(data.test) == 5


def test_two_sets_in_a_folder_need_one_to_be_named(mnist, complaint):
    mnist(prefix="letters-")
    folder, _ = mnist(prefix="digits-")
    assert "digits-..., letters-..." in complaint(load_images, folder)
    assert len(load_images(folder / "letters-train-images-idx3-ubyte").test) == 5


def test_idx_training_images_alone_are_split(tmp_path, pixels, write_idx):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(20, 4, 4))
    data = load_images(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (14, 2, 4)
    assert data.num_classes is None and data.class_names == () and data.train.labels is None


def test_idx_test_images_alone_are_never_trained_on(tmp_path, pixels, write_idx, complaint):
    path = write_idx(tmp_path / "t10k-images-idx3-ubyte", pixels(5, 4, 4))
    for source in (path, tmp_path):
        assert "must contain training images, such as train-images" in complaint(load_images, source)
        assert next(iter(stream_images(source, (4, 4, 1), 5))).shape == (5, 4, 4, 1)


def test_streaming_one_idx_file_streams_that_file(mnist):
    folder, arrays = mnist()
    stream = stream_images(folder / "t10k-images-idx3-ubyte", (4, 3, 1), batch_size=2)
    images = np.concatenate(list(stream))
    np.testing.assert_array_equal(images[..., 0], arrays["t10k"][0].astype("float32") / 255)


def test_streaming_an_idx_folder_streams_training_then_test_images(mnist):
    folder, arrays = mnist()
    stream = stream_images(folder, (4, 3, 1), batch_size=5)
    images = np.concatenate(list(stream))
    np.testing.assert_array_equal(images[:12, ..., 0], arrays["train"][0].astype("float32") / 255)
    assert stream.names[0] == "train/0" and stream.names[-1] == "test/4"


def test_cut_idx_file_is_named(mnist, complaint):
    folder, _ = mnist()
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-7])
    message = complaint(load_images, folder)
    assert str(path) in message and "must have 144 bytes" in message and "Received: 137" in message


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
@pytest.mark.parametrize("contents", [b"", b"\0\0", b"\x89PNG\r\n\x1a\n and so on"])
def test_file_that_is_not_idx_is_named(tmp_path, name, contents, complaint):
    (tmp_path / name).write_bytes(gzip.compress(contents) if name.endswith(".gz") else contents)
    assert name in complaint(load_images, tmp_path)


def test_labels_in_the_place_of_images_are_named(tmp_path, write_idx, complaint):
    write_idx(tmp_path / "train-images-idx3-ubyte", np.arange(30, dtype="uint8"))
    assert "Received: 0, 0, 8, 1" in complaint(load_images, tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-20], lambda packed: b"none", lambda packed: packed[:30]]
)
def test_damaged_gzip_is_named(tmp_path, pixels, write_idx, complaint, damage):
    path = write_idx(tmp_path / "train-images-idx3-ubyte.gz", pixels(20, 4, 4))
    path.write_bytes(damage(path.read_bytes()))
    assert str(path) in complaint(load_images, tmp_path)


def test_idx_labels_without_images_are_refused(tmp_path, write_idx, complaint):
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(10, dtype="uint8"))
    assert (
        "must contain a file of images, such as train-images-idx3-ubyte. Received: only labels"
        in complaint(load_images, tmp_path)
    )


def test_idx_labels_must_fit_the_images(mnist, write_idx, complaint):
    folder, _ = mnist()
    write_idx(folder / "train-labels-idx1-ubyte", np.zeros(11, "uint8"))
    assert "12 images and labels of shape (11,)" in complaint(load_images, folder)


def test_idx_parts_must_have_one_shape(mnist, pixels, write_idx, complaint):
    folder, _ = mnist()
    write_idx(folder / "t10k-images-idx3-ubyte", pixels(5, 4, 4))
    assert "(4, 3, 1) and (4, 4, 1)" in complaint(load_images, folder)


def test_idx_file_without_images_is_refused(tmp_path, pixels, write_idx, complaint):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(0, 4, 4))
    assert "must contain at least one image with pixels. Received" in complaint(load_images, tmp_path)
