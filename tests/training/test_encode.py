"""`keras-ae encode`: the same codes from a run and from its exports, streamed, sharded, all or nothing."""

import json
import shutil
import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError, export
from keras_ae.layers import MaskedConv1D, VectorQuantizer
from keras_ae.models import AutoEncoder
from keras_ae.training.cli import main
from keras_ae.training.command_line.encoding import open_encoder
from keras_ae.training.commands._encode_images import encode_images
from keras_ae.training.datasets import ImageStream, stream_images


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    """`{kind: path}` of the endpoint `encode` alone."""
    folder = tmp_path_factory.mktemp("exported")
    model = keras.saving.load_model(trained_run / "model.keras")
    version = export.to_saved_model(model, folder / "saved_model", endpoints=["encode"])
    return {"saved_model": version, "base of saved models": version.parent}


@pytest.fixture(scope="module")
def exported_onnx(trained_run, tmp_path_factory):
    for package in ("tf2onnx", "onnx", "onnxruntime"):
        pytest.importorskip(package, exc_type=Exception)
    model = keras.saving.load_model(trained_run / "model.keras")
    return export.to_onnx(model, tmp_path_factory.mktemp("onnx"), endpoints=["encode"])["encode"]


@pytest.fixture
def encode(tmp_path, capsys):
    """Runs the command and returns the arrays of the file."""

    def call(run, images, *options, output="codes.npz"):
        path = tmp_path / output
        assert main(["encode", str(run), str(images), str(path), *map(str, options)]) == 0
        with np.load(path) as file:
            arrays = dict(file)
        assert f"{path}: {len(arrays['names'])} images\n" in capsys.readouterr().out
        return arrays

    return call


@pytest.fixture
def complaint(tmp_path, capsys):
    def call(run, images, *options):
        assert main(["encode", str(run), str(images), str(tmp_path / "new" / "codes.npz"), *options]) == 2
        assert not (tmp_path / "new").exists()
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return call


@pytest.fixture
def pictures(tmp_path):
    """Writes `{name: uint8 image}` as PNG files below a folder."""

    def write(images):
        for name, image in images.items():
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tf.io.encode_png(image).numpy())
        return tmp_path / "pictures"

    return write


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert values.dtype == second[name].dtype
        if values.dtype.kind == "f":
            # float32 sums of another runtime; the codes are equal
            np.testing.assert_allclose(second[name], values, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(second[name], values, err_msg=name)


# the same codes, whatever encodes


def test_run_gives_the_codes_of_its_model(encode, trained_run, small_npz):
    model = keras.saving.load_model(trained_run / "model.keras")
    images = np.load(small_npz)["images"][..., None] / np.float32(255)
    arrays = encode(trained_run, small_npz, "--batch-size", 7)
    assert arrays["codes"].dtype == np.int32 and arrays["codes"].shape == (40, 2, 2)
    np.testing.assert_array_equal(arrays["codes"], model.encode(images))
    np.testing.assert_array_equal(arrays["embedding"], model.bottleneck.decode(arrays["codes"]))
    assert arrays["names"].tolist() == [str(i) for i in range(40)]


@pytest.mark.parametrize("kind", ["keras file", "saved_model", "base of saved models", "onnx", "onnx folder"])
def test_every_form_of_the_model_gives_the_codes_of_the_run(encode, request, trained_run, small_npz, kind):
    if kind == "keras file":
        path = trained_run / "model.keras"
    elif kind.startswith("onnx"):
        file = request.getfixturevalue("exported_onnx")
        path = file if kind == "onnx" else file.parent
    else:
        path = request.getfixturevalue("exported")[kind]
    expected = encode(trained_run, small_npz, output="run.npz")
    assert_equal(expected, encode(path, small_npz, "--batch-size", 9))


def test_artifact_alone_is_enough(encode, exported, small_npz, tmp_path, monkeypatch):
    alone = shutil.copytree(exported["saved_model"], tmp_path / "elsewhere")
    monkeypatch.setattr(keras.saving, "load_model", None)  # no model is read
    assert encode(alone, small_npz)["codes"].shape == (40, 2, 2)


def test_half_precision_model_gives_the_codes_of_its_export(encode, small_npz, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 4, strides=4)])
        decoder = keras.Sequential([keras.Input((2, 2, 4)), keras.layers.Conv2DTranspose(1, 4, strides=4)])
        model = AutoEncoder(encoder, decoder, VectorQuantizer(32, kmeans_samples=0))
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(tmp_path / "half.keras")
    version = export.to_saved_model(model, tmp_path / "exported", endpoints=["encode"])
    assert_equal(
        encode(version, small_npz, output="a.npz"), encode(tmp_path / "half.keras", small_npz, output="b.npz")
    )


def test_users_own_functional_model_encodes(encode, small_npz, tmp_path):
    inputs = keras.Input((8, 8, 1), name="picture")
    codes = VectorQuantizer(8, kmeans_samples=0)(keras.layers.Conv2D(4, 4, strides=4)(inputs))
    model = keras.Model(inputs, keras.layers.Conv2DTranspose(1, 4, strides=4)(codes))
    model.save(tmp_path / "own.keras")
    assert encode(tmp_path / "own.keras", small_npz)["codes"].shape == (40, 2, 2)


# shards and names


@pytest.mark.parametrize("count", [2, 3])
def test_shards_put_together_are_the_whole(encode, trained_run, small_npz, count):
    whole = encode(trained_run, small_npz, output="whole.npz")
    for index in range(count):
        shard = encode(trained_run, small_npz, "--shard", f"{index}/{count}")
        assert_equal({name: values[index::count] for name, values in whole.items()}, shard)


def test_empty_shard_has_the_arrays_of_the_others(encode, trained_run, small_npz):
    whole = encode(trained_run, small_npz, output="whole.npz")
    empty = encode(trained_run, small_npz, "--shard", "50/60")
    assert {name: (0, *values.shape[1:]) for name, values in whole.items()} == {
        name: values.shape for name, values in empty.items()
    }


def test_folder_gives_names_in_the_order_of_the_paths(encode, trained_run, small_npz, pictures):
    images = np.load(small_npz)["images"][..., None]
    names = [f"{'ab'[i % 2]}/{i:02}.png" for i in range(10)]
    folder = pictures(dict(zip(names, images, strict=False)))
    arrays = encode(trained_run, folder, "--batch-size", 4)
    assert arrays["names"].tolist() == sorted(names)
    expected = encode(trained_run, small_npz, output="npz.npz")["codes"]
    for name, codes in zip(arrays["names"], arrays["codes"], strict=True):
        np.testing.assert_array_equal(codes, expected[names.index(name)], err_msg=name)


def test_single_image_is_encoded(encode, trained_run, pictures):
    folder = pictures({"one.png": np.zeros((8, 8, 1), "uint8")})
    assert encode(trained_run, folder / "one.png")["names"].tolist() == ["one.png"]


# other sizes


def test_images_of_another_size_are_refused_with_the_way_out(complaint, encode, trained_run, pictures):
    folder = pictures({"a.png": np.zeros((8, 8, 1), "uint8"), "b.png": np.full((12, 10, 1), 200, "uint8")})
    line = complaint(trained_run, folder)
    assert f"{folder / 'b.png'} with 12x10" in line and line.endswith("Or add --resize.")
    resized = encode(trained_run, folder, "--resize")
    stream = stream_images(folder, (8, 8, 1), 2, resize=True)
    model = keras.saving.load_model(trained_run / "model.keras")
    np.testing.assert_array_equal(resized["codes"], model.encode(next(iter(stream))))


def test_npz_of_another_size_is_refused_with_the_way_out(complaint, encode, trained_run, tmp_path):
    np.savez(tmp_path / "large.npz", images=np.zeros((3, 16, 16), "uint8"))
    assert "Received: (16, 16, 1). Or add --resize." in complaint(trained_run, tmp_path / "large.npz")
    assert len(encode(trained_run, tmp_path / "large.npz", "--resize")["codes"]) == 3


def test_run_trained_on_resized_images_says_so(complaint, trained_run, tmp_path):
    run = shutil.copytree(trained_run, tmp_path / "resized")
    config = json.loads((run / "config.json").read_text())
    config["settings"]["image_size"] = [8, 8]
    (run / "config.json").write_text(json.dumps(config))
    np.savez(tmp_path / "large.npz", images=np.zeros((3, 16, 16), "uint8"))
    line = complaint(run, tmp_path / "large.npz")
    assert line.endswith("Or add --resize: this run was trained with --image-size 8 8.")


def test_resizing_is_not_offered_where_the_channels_differ(complaint, trained_run, tmp_path):
    np.savez(tmp_path / "colour.npz", images=np.zeros((3, 8, 8, 3), "uint8"))
    assert "--resize" not in complaint(trained_run, tmp_path / "colour.npz")


# what is no encoder of images


def sequence_model():
    inputs, codes = keras.Input((None, 3)), keras.Input((None, 4))
    encoder = keras.Model(inputs, MaskedConv1D(4, 3)(inputs))
    return AutoEncoder(encoder, keras.Model(codes, MaskedConv1D(3, 3)(codes)), VectorQuantizer(8))


def model_of_any_size():
    inputs, codes = keras.Input((None, None, 1)), keras.Input((None, None, 4))
    encoder = keras.Model(inputs, keras.layers.Conv2D(4, 4, strides=4)(inputs))
    decoder = keras.Model(codes, keras.layers.Conv2DTranspose(1, 4, strides=4)(codes))
    return AutoEncoder(encoder, decoder, VectorQuantizer(8))


def model_without_an_encoder():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (sequence_model, "Received: x (None, None, 3), lengths (None,)."),
        (model_of_any_size, "Received: x (None, None, None, 1)."),
        (model_without_an_encoder, "Received: none."),
    ],
)
def test_model_that_does_not_encode_images_of_one_size_is_refused(
    complaint, tmp_path, small_npz, make, received
):
    make().save(tmp_path / "model.keras")
    line = complaint(tmp_path / "model.keras", small_npz)
    assert "must have an endpoint `encode` whose only input is images of one size" in line
    assert received in line


def test_artifact_with_free_axes_is_refused(complaint, exported, tmp_path, small_npz):
    artifact = shutil.copytree(exported["saved_model"], tmp_path / "free")
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["endpoints"]["encode"]["inputs"]["x"]["shape"] = [None, None, None, 1]
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    assert "Received: x (None, None, None, 1)." in complaint(artifact, small_npz)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_truncated_saved_model_is_named(complaint, exported, tmp_path, small_npz, name):
    artifact = shutil.copytree(exported["saved_model"], tmp_path / "cut")
    (artifact / name).write_bytes((artifact / name).read_bytes()[:300])
    assert f"The artifact in {artifact} is damaged: {name} must have" in complaint(artifact, small_npz)
    manifest = json.loads((artifact / "manifest.json").read_text())
    del manifest["contents"]  # as in exports of earlier versions
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    line = complaint(artifact, small_npz)
    assert f"the artifact in {artifact} cannot be loaded, perhaps a file is cut short" in line


def test_truncated_onnx_file_is_named(complaint, exported_onnx, tmp_path, small_npz):
    folder = shutil.copytree(exported_onnx.parent, tmp_path / "cut")
    (folder / "encode.onnx").write_bytes(exported_onnx.read_bytes()[:300])
    assert f"The artifact in {folder} is damaged: encode.onnx" in complaint(folder / "encode.onnx", small_npz)


@pytest.mark.parametrize("name", ["missing", "missing.keras"])
def test_missing_model_is_named(complaint, tmp_path, small_npz, name):
    assert f"{tmp_path / name} does not exist: RUN must be" in complaint(tmp_path / name, small_npz)


def test_file_that_is_no_model_is_named(complaint, small_npz):
    assert f"Received: path={small_npz}" in complaint(small_npz, small_npz)


# streaming, all or nothing


class Counting(ImageStream):
    """A stream that counts the images it has handed out, and fails at one of them."""

    def __init__(self, count, fail_at=None):
        super().__init__([], [str(i) for i in range(count)], (8, 8, 1), 2)
        self.fail_at = fail_at
        self.handed_out = 0

    def __iter__(self):
        for start in range(0, len(self), self.batch_size):
            if start == self.fail_at:
                raise OSError("the disk is gone")
            self.handed_out += self.batch_size
            yield np.full((self.batch_size, *self.image_shape), start, "float32")


def sums(images):
    return {"codes": images.sum(axis=(1, 2, 3)).astype("int32")}


def test_each_batch_is_encoded_before_the_next_is_read(tmp_path):
    stream, read, progress = Counting(10), [], []

    def encode(images):
        read.append(stream.handed_out)
        assert not (tmp_path / "codes.npz").exists()  # it appears when it is whole
        return sums(images)

    path = encode_images(encode, stream, tmp_path / "codes.npz", progress=progress.append)
    assert read == progress == [2, 4, 6, 8, 10]
    assert np.load(path)["codes"].tolist() == [64 * (i // 2 * 2) for i in range(10)]
    assert [file.name for file in tmp_path.iterdir()] == ["codes.npz"]


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    peaks = []
    for count in (20, 2000):
        tracemalloc.start()
        encode_images(lambda images: {"copy": images}, Counting(count), tmp_path / f"{count}.npz")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert np.load(tmp_path / "2000.npz")["copy"].nbytes == 2000 * 256
    assert peaks[1] < peaks[0] + 2000 * 128  # names only: 256 bytes an image would be the images


def test_failure_in_the_middle_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="the disk is gone"):
        encode_images(sums, Counting(10, fail_at=6), tmp_path / "new" / "deep" / "codes.npz")
    assert list(tmp_path.iterdir()) == []


def test_failure_in_the_middle_keeps_the_file_of_before(encode, trained_run, small_npz, pictures, tmp_path):
    before = encode(trained_run, small_npz)
    folder = pictures({f"{i}.png": np.zeros((8, 8, 1), "uint8") for i in range(5)})
    (folder / "3.png").write_bytes(b"no image")
    arguments = ["encode", str(trained_run), str(folder), str(tmp_path / "codes.npz"), "--batch-size", "2"]
    assert main(arguments) == 2
    assert_equal(before, dict(np.load(tmp_path / "codes.npz")))
    assert {path.name for path in tmp_path.iterdir()} == {"codes.npz", "pictures"}


def test_encoder_takes_batches_of_any_size_with_one_trace(trained_run):
    encoder = open_encoder(trained_run)
    assert encoder.shapes == {"x": (None, 8, 8, 1)} and not encoder.takes_waveforms
    images = np.random.default_rng(0).random((5, 8, 8, 1), "float32")
    together = encoder.run({"x": images})["codes"]
    apart = np.concatenate([encoder.run({"x": part})["codes"] for part in (images[:3], images[3:])])
    np.testing.assert_array_equal(together, apart)


# nothing is written over what is read


@pytest.mark.parametrize("output", ["data.npz", "link.npz", "run/checkpoint.npz"])
def test_an_output_that_is_an_input_is_refused(trained_run, small_npz, tmp_path, monkeypatch, capsys, output):
    shutil.copy(small_npz, tmp_path / "data.npz")
    (tmp_path / "link.npz").symlink_to("data.npz")
    shutil.copytree(trained_run, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.npz")}
    assert main(["encode", "run", "data.npz", output]) == 2
    assert f"The output {output} must not be an input" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.npz")} == before


def test_an_output_in_the_folder_of_images_is_refused(trained_run, pictures, capsys):
    folder = pictures({"a.png": np.zeros((8, 8, 1), "uint8")})
    assert main(["encode", str(trained_run), str(folder), str(folder / "codes.npz")]) == 2
    assert f"must not lie in {folder}, whose files are inputs" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_codes_may_be_kept_in_the_directory_of_the_run(trained_run, small_npz, tmp_path, capsys):
    run = shutil.copytree(trained_run, tmp_path / "run")
    for _ in range(2):  # what is written by the command itself is replaced
        assert main(["encode", str(run), str(small_npz), str(run / "codes.npz")]) == 0
    assert main(["encode", str(run), str(small_npz), str(run / "figures" / "codes.npz")]) == 2


def test_a_stream_keeps_its_source_from_being_replaced(small_npz, tmp_path):
    source = tmp_path / "in.npz"
    shutil.copy(small_npz, source)
    before = source.read_bytes()
    with pytest.raises(InputError, match="must not be an input"):
        encode_images(lambda images: {"copy": images}, stream_images(source, (8, 8, 1), 4), source)
    assert source.read_bytes() == before
