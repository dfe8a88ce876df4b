import numpy as np
import pytest

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import stream_images


@pytest.fixture
def sources(tmp_path, pixels, write_images, write_idx):
    """Every kind of source, 23 images of 6x5 each, as `{kind: (path, names)}`."""
    folder, written = write_images(*(f"{'ab'[i % 2]}/{i:02}.png" for i in range(23)))
    images = pixels(23, 6, 5)
    np.savez(tmp_path / "plain.npz", x=images)
    np.savez_compressed(tmp_path / "split.npz", x_train=images[:17], x_test=images[17:])
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx" / "train-images-idx3-ubyte.gz", images[:17])
    write_idx(tmp_path / "idx" / "t10k-images-idx3-ubyte", images[17:])
    numbers = [str(i) for i in range(23)]
    both = [f"train/{i}" for i in range(17)] + [f"test/{i}" for i in range(6)]
    return {
        "folder": (folder, sorted(written)),
        "npz": (tmp_path / "plain.npz", numbers),
        "npz with test images": (tmp_path / "split.npz", both),
        "idx": (tmp_path / "idx", both),
    }


KINDS = ["folder", "npz", "npz with test images", "idx"]


@pytest.mark.parametrize("kind", KINDS)
def test_stream_hands_out_every_image_in_the_order_of_the_names(sources, kind):
    path, names = sources[kind]
    stream = stream_images(path, (6, 5, 1), batch_size=4)
    batches = list(stream)
    assert stream.names == names and len(stream) == 23
    assert sum(map(len, batches)) == 23 and max(map(len, batches)) == 4
    assert all(batch.dtype == np.float32 and batch.shape[1:] == (6, 5, 1) for batch in batches)
    np.testing.assert_array_equal(np.concatenate(list(stream)), np.concatenate(batches))  # a second pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_shards_cover_every_image_exactly_once(sources, kind, count):
    path, names = sources[kind]
    whole = dict(zip(names, np.concatenate(list(stream_images(path, (6, 5, 1), 8))), strict=True))
    seen = []
    for index in range(count):
        stream = stream_images(path, (6, 5, 1), batch_size=4, shard=(index, count))
        assert stream.names == names[index::count]
        images = [image for batch in stream for image in batch]
        for name, image in zip(stream.names, images, strict=True):
            np.testing.assert_array_equal(image, whole[name])
        seen += stream.names
    assert sorted(seen) == sorted(names)


def test_digits_can_be_streamed():
    stream = stream_images("digits", (8, 8, 1), batch_size=1000)
    assert [len(batch) for batch in stream] == [1000, 797]


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_another_size_are_refused_or_resized(sources, kind, complaint):
    path, _ = sources[kind]
    message = complaint(stream_images, path, (8, 9, 1), 4)
    assert ("8x9" in message and "6x5" in message) or ("(8, 9, 1)" in message and "(6, 5, 1)" in message)
    images = np.concatenate(list(stream_images(path, (8, 9, 1), 4, resize=True)))
    assert images.shape == (23, 8, 9, 1) and images.min() >= 0 and images.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resize", [False, True])
def test_images_with_other_channels_than_the_models_are_refused(sources, kind, resize, complaint):
    message = complaint(stream_images, sources[kind][0], (6, 5, 3), 4, resize=resize)
    assert ("3 channels" in message and "with 1" in message) or ("5, 3)" in message and "5, 1)" in message)


@pytest.mark.parametrize("resize", [False, True])
def test_colour_image_on_the_way_is_named(sources, write_images, resize, complaint):
    folder, _ = sources["folder"]
    write_images("b/13.png", channels=3)
    stream = stream_images(folder, (6, 5, 1), 4, resize=resize)
    message = complaint(list, stream)
    assert f"{folder / 'b' / '13.png'} with 3" in message and "--channels 1" in message
    converted = stream_images(folder, (6, 5, 1), 4, resize=resize, channels=1)
    assert sum(map(len, converted)) == 23


def test_broken_image_on_the_way_is_named_after_the_good_batches(sources, complaint):
    folder, names = sources["folder"]
    (folder / names[9]).write_bytes((folder / names[9]).read_bytes()[:40])
    batches = iter(stream_images(folder, (6, 5, 1), 4))
    assert len(next(batches)) == 4 and len(next(batches)) == 4
    assert str(folder / names[9]) in complaint(next, batches)


def test_image_of_another_size_on_the_way_is_named(sources, write_images, complaint):
    folder, _ = sources["folder"]
    write_images("b/13.png", size=(7, 7))
    assert f"{folder / 'b' / '13.png'} with 7x7" in complaint(list, stream_images(folder, (6, 5, 1), 4))


def test_all_broken_images_on_the_way_are_named_at_once_or_left_out(sources, complaint):
    folder, names = sources["folder"]
    whole = dict(zip(names, np.concatenate(list(stream_images(folder, (6, 5, 1), 4))), strict=True))
    broken = [names[9], names[10], names[22]]
    for name in broken:
        (folder / name).write_bytes(b"hello")
    message = complaint(list, stream_images(folder, (6, 5, 1), 4))
    assert message.startswith(f"{folder / broken[0]} is not a readable image")
    assert f"2 more cannot be read: {folder / broken[1]}, {folder / broken[2]}. Or leave them" in message
    stream = stream_images(folder, (6, 5, 1), 4, skip_broken=True)
    with pytest.warns(
        DataWarning, match=r"3 files are left out: 3 unreadable \(a/18.png, a/20.png, b/21.png\)"
    ):
        images = np.concatenate(list(stream))
    assert stream.names == [name for name in names if name not in broken]
    np.testing.assert_array_equal(images, [whole[name] for name in stream.names])


def test_every_folder_is_read_whatever_it_is_called(write_images, pixels):
    folder, written = write_images("test/1.png", "valid/2.png", "train/3.png", "4.png", "other/5.png")
    stream = stream_images(folder, (6, 5, 1), 4)
    assert stream.names == sorted(written)


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 0)])
def test_impossible_shard_is_refused(complaint, shard):
    assert str(shard) in complaint(stream_images, "digits", (8, 8, 1), 4, shard)


def test_batch_size_below_one_is_refused(complaint):
    assert "must be at least 1. Received: 0" in complaint(stream_images, "digits", (8, 8, 1), 0)


def test_folder_is_not_held_in_memory(sources, monkeypatch):
    folder, names = sources["folder"]
    stream = stream_images(folder, (6, 5, 1), batch_size=4)
    first = next(iter(stream))
    held = [
        value for store, _ in stream.parts for value in vars(store).values() if isinstance(value, np.ndarray)
    ]
    assert len(first) == 4 and held
    assert {array.shape for array in held} == {(len(names),)}  # a path and a decoder of each, no pixels


@pytest.mark.parametrize("kind", ["npz", "npz with test images"])
def test_npz_is_read_in_chunks(sources, kind, monkeypatch):
    monkeypatch.setattr("keras_ae.training.datasets._arrays.CHUNK_BYTES", 5 * 30)  # five images at a time
    loaded = []
    monkeypatch.setattr(np, "load", lambda *args, **kwargs: loaded.append(args))
    assert sum(map(len, stream_images(sources[kind][0], (6, 5, 1), 4))) == 23
    assert loaded == []
