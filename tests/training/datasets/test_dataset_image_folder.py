import os
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import load_images, stream_images

ALL = {"validation_fraction": 0, "test_fraction": 0}  # everything is for training


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_folder_of_lossless_images(write_images, suffix, channels):
    folder, written = write_images(*(f"{i}{suffix}" for i in range(4)), channels=channels)
    data = load_images(folder, **ALL)
    expected = np.stack([written[name] for name in sorted(written)])
    if suffix == ".bmp":  # always colour
        expected = np.broadcast_to(expected, (4, 6, 5, 3))
    assert data.image_shape == expected.shape[1:] and data.train.labels is None
    images = data.train.images()
    assert images.dtype == np.float32
    # the graph may multiply by 1/255 where numpy divides: one unit in the last place
    np.testing.assert_allclose(images, expected / 255, rtol=2e-7)
    np.testing.assert_array_equal(data.train.images([2, 0]), images[[2, 0]])
    np.testing.assert_array_equal(data.train.images(slice(1, 3)), images[1:3])


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
def test_folder_of_jpeg_images(tmp_path, suffix):
    colours = np.array([[0, 128, 255], [40, 40, 40], [250, 10, 90]], "uint8")
    for i, colour in enumerate(colours):
        image = np.broadcast_to(colour, (16, 16, 3))
        (tmp_path / f"{i}{suffix}").write_bytes(tf.io.encode_jpeg(image, quality=100).numpy())
    images = load_images(tmp_path, **ALL).train.images()
    # one colour has no detail to lose; its conversion to luma and chroma and back rounds by a level
    np.testing.assert_allclose(
        images, np.broadcast_to(colours[:, None, None], (3, 16, 16, 3)) / 255, atol=1.01 / 255
    )


def test_first_frame_of_a_gif(write_images):
    folder, written = write_images("a.gif", "b.gif")
    images = load_images(folder, **ALL).train.images()
    expected = np.stack([written["a.gif"] // 2 * 2, written["b.gif"] // 2 * 2])
    np.testing.assert_allclose(images, np.broadcast_to(expected, (2, 6, 5, 3)) / 255, rtol=2e-7)


def test_sub_folders_are_labels(write_images):
    folder, _ = write_images("dog/1.png", "cat/deep/2.png", "cat/3.png", "dog/4.png")
    data = load_images(folder, **ALL)
    assert data.class_names == ("cat", "dog") and data.num_classes == 2
    np.testing.assert_array_equal(data.train.labels, [0, 0, 1, 1])  # cat/3, cat/deep/2, dog/1, dog/4


def test_images_beside_sub_folders_have_no_labels(write_images):
    folder, _ = write_images("cat/1.png", "2.png")
    assert load_images(folder, **ALL).num_classes is None


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "DEV", "testing")])
def test_folders_of_splits_are_found_by_every_name(write_images, names):
    files = [f"{split}/{label}/{i}.png" for split in names for i, label in enumerate("abb")]
    folder, written = write_images(*files, "readme.png")
    with pytest.warns(DataWarning, match=r"1 next to the folders of splits \(readme.png\)"):
        data = load_images(folder)
    for name, split in zip(names, (data.train, data.validation, data.test), strict=True):
        expected = np.stack([written[file] for file in files if file.startswith(name)]) / 255
        np.testing.assert_allclose(split.images(), expected, rtol=2e-7)
        assert split.labels.tolist() == [0, 1, 1]
    assert data.description["validation_split"] == data.description["test_split"] == "official"


def test_test_images_are_never_trained_on(write_images, complaint):
    folder, _ = write_images("test/1.png", "valid/2.png", "test/3.png")
    assert "must contain a folder train next to test, valid" in complaint(load_images, folder)


def test_splits_within_one_outer_folder_are_splits_of_images(write_images):
    folder, _ = write_images("set/train/cat/1.png", "set/train/dog/2.png", "set/test/dog/3.png")
    data = load_images(folder, validation_fraction=0)
    assert (len(data.train), len(data.test)) == (2, 1)
    assert data.class_names == ("cat", "dog") and data.test.labels.tolist() == [1]


def test_a_class_named_train_is_a_class(write_images):
    folder, _ = write_images("train/1.png", "bus/2.png", "bus/3.png")
    assert load_images(folder, **ALL).class_names == ("bus", "train")


def test_train_and_test_folders_are_the_official_split(write_images):
    folder, written = write_images("train/a/1.png", "train/b/2.png", "train/b/3.png", "test/b/4.png")
    data = load_images(folder, validation_fraction=0)
    assert (len(data.train), len(data.test)) == (3, 1) and data.class_names == ("a", "b")
    np.testing.assert_array_equal(data.test.labels, [1])
    np.testing.assert_allclose(data.test.images()[0], written["test/b/4.png"] / 255, rtol=2e-7)


def test_hidden_files_and_other_files_are_left_out_and_named(write_images):
    folder, _ = write_images("1.png", "2.png", ".hidden.png", ".cache/3.png")
    (folder / "notes.txt").write_text("none of these")
    with pytest.warns(DataWarning) as caught:
        data = load_images(folder, **ALL)
    assert len(data.train) == 2
    assert str(caught[0].message) == (
        f"folder {folder}: 3 files are left out: "
        "2 hidden (.cache/, .hidden.png); 1 .txt, no image (notes.txt)."
    )
    assert data.description["left_out"] == {
        "count": 3,
        "by_reason": {"hidden": 2, ".txt, no image": 1},
        "examples": {"hidden": [".cache/", ".hidden.png"], ".txt, no image": ["notes.txt"]},
    }


def test_a_file_that_cannot_be_opened_is_left_out_and_named(write_images):
    folder, _ = write_images("1.png", "2.png")
    (folder / "moved").symlink_to(folder / "elsewhere")  # what it leads to is gone
    with pytest.warns(DataWarning, match=r"1 without an ending, no image \(moved\)"):
        data = load_images(folder, **ALL)
    assert len(data.train) == 2


@pytest.mark.parametrize(("terminal", "many"), [(True, 3), (True, 4), (False, 3)])
def test_checking_many_images_shows_its_progress_on_a_terminal(
    write_images, monkeypatch, capsys, terminal, many
):
    folder, _ = write_images("1.png", "2.png", "3.png")
    monkeypatch.setattr("keras_ae.training.datasets._reading.MANY", many)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    load_images(folder, **ALL)
    out = capsys.readouterr().out
    if terminal and many == 3:
        assert out.startswith("Checking the images\n") and "3/3" in out
    else:
        assert out == ""


def test_linked_folders_are_read_once(write_images, tmp_path):
    write_images("cat/1.png", folder=tmp_path / "elsewhere")
    folder, _ = write_images("dog/1.png")
    (folder / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    (folder / "dog" / "loop").symlink_to(folder)
    with pytest.warns(DataWarning, match=r"1 link to a folder that is read already \(dog/loop\)"):
        data = load_images(folder, **ALL)
    assert data.class_names == ("cat", "dog")


def test_a_link_never_takes_the_files_of_a_real_folder(write_images):
    folder, _ = write_images("train/cat/1.png", "zoo/cat/2.png")
    (folder / "latest").symlink_to("train")
    (folder / "train" / "a").symlink_to(folder / "zoo")
    with pytest.warns(DataWarning, match=r"2 link to a folder that is read already \(latest, train/a\)"):
        data = load_images(folder, **ALL)
    assert data.class_names == ("train", "zoo")


def test_order_does_not_depend_on_the_file_system(write_images, monkeypatch):
    names = [f"{label}/{i}.png" for label in "cab" for i in range(4)]
    folder, _ = write_images(*names)
    first = load_images(folder)
    walk = os.walk

    def reversed_walk(top, **options):
        for place, folders, files in walk(top, **options):
            folders.reverse()
            yield place, folders, files[::-1]

    monkeypatch.setattr(os, "walk", reversed_walk)
    second = load_images(folder)
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(first, split).images(), getattr(second, split).images())
        np.testing.assert_array_equal(getattr(first, split).labels, getattr(second, split).labels)


def test_images_of_several_sizes_are_resized(write_images):
    folder, _ = write_images("a.png", "b.png", size=(6, 5))
    write_images("c.png", size=(9, 12))
    data = load_images(folder, image_size=(4, 8), **ALL)
    images = data.train.images()
    assert data.image_shape == (4, 8, 1) and images.shape == (3, 4, 8, 1)
    assert images.min() >= 0 and images.max() <= 1


def test_batches_hold_the_images_in_order(write_images):
    folder, _ = write_images(*(f"{i}.png" for i in range(7)))
    split = load_images(folder, **ALL).train
    batches = list(split.batches(3).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(batches), split.images())


def test_different_sizes_name_two_images_and_the_remedy(write_images, complaint):
    folder, _ = write_images("a.png", "b.png")
    write_images("c.png", size=(9, 12))
    message = complaint(load_images, folder)
    assert (
        f"{folder / 'a.png'} with 6x5 and {folder / 'c.png'} with 9x12" in message
        and "--image-size" in message
    )


@pytest.mark.parametrize("image_size", [None, (4, 4)])
def test_grey_and_colour_mixed_are_counted(write_images, complaint, image_size):
    folder, _ = write_images("a.png", "b.png")
    write_images("c.png", channels=3)
    message = complaint(load_images, folder, image_size=image_size)
    assert f"Received: 2 grey, 1 RGB, such as {folder / 'a.png'} and {folder / 'c.png'}" in message
    assert "--channels 1" in message and "--channels 3" in message


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no image at all"])
def test_broken_image_is_named_before_training(write_images, complaint, suffix, damage):
    folder, _ = write_images(*(f"{i}{suffix}" for i in range(5)), size=(20, 20), channels=3)
    broken = folder / f"3{suffix}"
    broken.write_bytes(damage(broken.read_bytes()))
    assert complaint(load_images, folder).startswith(
        f"{broken} is not a readable image, perhaps cut short: replace or remove it."
    )


def test_all_broken_images_are_named_at_once_or_left_out(write_images, complaint):
    folder, written = write_images(*(f"{'ab'[i % 2]}/{i:03}.png" for i in range(300)))
    broken = ["a/000.png", "a/002.png", "b/299.png"]
    for name in broken:
        (folder / name).write_bytes((folder / name).read_bytes()[:30])
    message = complaint(load_images, folder)
    assert message.startswith(f"{folder / broken[0]} is not a readable image")
    assert f"2 more cannot be read: {folder / broken[1]}, {folder / broken[2]}." in message
    assert "--skip-broken" in message
    with pytest.warns(DataWarning, match=r"3 unreadable \(a/000.png, a/002.png, b/299.png\)"):
        data = load_images(folder, skip_broken=True, **ALL)
    names = [name for name in sorted(written) if name not in broken]
    np.testing.assert_allclose(
        data.train.images(), np.stack([written[name] for name in names]) / 255, rtol=2e-7
    )
    assert data.train.labels.tolist() == [int(name[0] == "b") for name in names]
    assert data.description["left_out"]["count"] == 3
    for name in names:
        (folder / name).write_bytes(b"hello")
    assert "299 more cannot be read" in complaint(load_images, folder, skip_broken=True)


def test_image_that_changed_after_opening_is_named_when_read(write_images, complaint):
    folder, _ = write_images(*(f"{i}.png" for i in range(5)))
    split = load_images(folder, **ALL).train
    (folder / "2.png").write_bytes(b"")
    assert str(folder / "2.png") in complaint(split.images)
    (folder / "2.png").unlink()
    assert "2.png no longer exists" in complaint(split.images)
    write_images("2.png", size=(3, 3))
    assert "must have 6x5 pixels. Received" in complaint(split.images)


def test_missing_source_is_named(tmp_path, complaint):
    for name in ("nowhere", "nothing.npz"):
        assert complaint(load_images, tmp_path / name).startswith(f"{tmp_path / name} does not exist")


def test_empty_folder_is_refused(tmp_path, complaint):
    assert "an empty folder" in complaint(load_images, tmp_path)


def test_folder_without_images_tells_what_it_holds(tmp_path, complaint):
    for name in ("a.heic", "b.heic", "README"):
        (tmp_path / name).touch()
    message = complaint(load_images, tmp_path)
    assert ".png" in message
    assert "1 without an ending, no image (README); 2 .heic, no image (a.heic, b.heic)" in message


def test_unknown_kind_of_file_is_refused(tmp_path, complaint):
    (tmp_path / "images.tar").touch()
    assert "a file ending in .tar" in complaint(load_images, tmp_path / "images.tar")


def test_single_image_cannot_be_trained_on_but_streamed(write_images, complaint):
    folder, written = write_images("a.png")
    assert "Received: a file ending in .png" in complaint(load_images, folder / "a.png")
    stream = stream_images(folder / "a.png", (6, 5, 1), 4)
    assert stream.names == ["a.png"]
    np.testing.assert_allclose(next(iter(stream))[0], written["a.png"] / 255, rtol=2e-7)


@pytest.mark.parametrize("size", [(0, 4), (4,), (-1, 4)])
def test_impossible_image_size_is_refused(complaint, size):
    assert str(size) in complaint(load_images, "digits", image_size=size)
