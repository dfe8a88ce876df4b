"""`keras-ae sample`, `decode`, `interpolate` and `score`, compared with the methods of the model."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.audio import write_wav
from keras_ae.layers import TableLikelihood, VectorQuantizer
from keras_ae.models import AutoEncoder, GenerativeAutoEncoder, VariationalAutoEncoder
from keras_ae.networks import dense_decoder, dense_encoder
from keras_ae.tables import fit_columns, table_of, values_of
from keras_ae.training.cli import main
from small_models import auto_encoder, flat_parts, prior, skip_thought, speech_auto_encoder, vae

PIXELS = {"modality": "images", "value_range": (0, 1), "image_size": (4, 4), "channels": 1}
X = np.random.default_rng(1).random((5, 4, 4, 1), "float32")
TABLE = {
    "size": np.array([130.0, np.nan, 110.0, 150.0, 90.0]),
    "colour": np.array(["red", "blue", "", "dark, red", "blue"]),
    "kind": np.array(["a", "b", "", "a", "b"]),
}
COLUMNS = fit_columns({name: TABLE[name] for name in ("size", "colour")})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of saved models and of five images, which are also in an array."""
    folder = tmp_path_factory.mktemp("explored")
    keras.utils.set_random_seed(0)
    quantized = auto_encoder(VectorQuantizer(4, seed=0))
    models = {
        "vae": vae(),
        "plain": AutoEncoder(*flat_parts(2, 2)),
        "codes": quantized,
        "prior": GenerativeAutoEncoder(quantized, prior(quantized.code_shape, num_labels=3)),
    }
    for name, model in models.items():
        model.preprocessing = PIXELS
        model.save(folder / f"{name}.keras")
    likelihood, decoder = TableLikelihood(COLUMNS), dense_decoder(COLUMNS, 2, units=(4,))
    rows = VariationalAutoEncoder(dense_encoder(COLUMNS, 4, units=(4,)), decoder, 2, likelihood=likelihood)
    rows.save(folder / "rows.keras")
    AutoEncoder(dense_encoder(COLUMNS, 2, units=(4,)), decoder, likelihood=likelihood).save(
        folder / "plain_rows.keras"
    )
    np.savez(folder / "table.npz", **TABLE)
    np.savez(folder / "x.npz", images=X)
    (folder / "images").mkdir()
    for row, image in enumerate(X):
        png = tf.io.encode_png(np.round(image * 255).astype("uint8")).numpy()
        (folder / "images" / f"{'abcde'[row]}.png").write_bytes(png)
    return folder


@pytest.fixture(scope="module")
def loaded(place):
    """Function of a name that returns the saved model."""
    return lambda name: keras.saving.load_model(place / f"{name}.keras")


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    """Function that runs a command in an empty folder and returns its exit code."""
    monkeypatch.chdir(tmp_path)

    def call(command, model, *arguments):
        return main([command, str(place / f"{model}.keras"), *map(str, arguments)])

    return call


def arrays(path):
    with np.load(path) as file:
        return dict(file)


def pixels(path):
    return tf.io.decode_png(path.read_bytes()).numpy()


def test_samples_are_decoded_draws_of_the_seed_in_every_kind_of_output(run, loaded, tmp_path):
    assert run("sample", "vae", "a.npz", "--num", 3, "--seed", 5, "--temperature", 0.5) == 0
    found, model = arrays("a.npz"), loaded("vae")
    codes = model.sample_codes(3, seed=5, temperature=0.5)
    np.testing.assert_allclose(found["embedding"], codes, rtol=1e-6)
    np.testing.assert_allclose(found["images"], model.decode(codes), atol=1e-6)
    assert run("sample", "vae", "folder", "--num", 3, "--seed", 5, "--temperature", 0.5) == 0
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["0.png", "1.png", "2.png"]
    expected = np.round(255 * found["images"][2])
    np.testing.assert_array_equal(pixels(tmp_path / "folder" / "2.png"), expected)
    assert run("sample", "vae", "all.png", "--num", 12) == 0
    assert pixels(tmp_path / "all.png").shape[2] == 4  # a drawing of several images


def test_samples_of_codes_have_the_labels(run, loaded, capsys):
    assert run("sample", "prior", "a.npz", "--num", 2, "--labels", 0, 2) == 0
    codes = loaded("prior").sample_codes(2, seed=0, labels=[0, 2])
    np.testing.assert_array_equal(arrays("a.npz")["codes"], codes)
    assert run("sample", "prior", "b.npz") == 2
    assert "--labels must be given" in capsys.readouterr().err


def test_a_model_without_a_prior_gets_a_mixture_of_its_embeddings(run, loaded, place, capsys):
    assert run("sample", "plain", "a.npz", "--data", place / "x.npz", "--num-components", 2) == 0
    assert "a Gaussian mixture of 2 components was fitted to the embeddings of 5" in capsys.readouterr().out
    assert arrays("a.npz")["embedding"].shape == (16, 2)
    assert run("sample", "plain", "b.npz") == 2
    assert "--data must be given" in capsys.readouterr().err
    assert run("sample", "codes", "b.npz") == 2
    assert "keras-ae train vqvae-prior --model" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option, start",
    [
        (["--labels", "1"], "--labels must be left out"),
        (["--length", "3"], "--length must be used only with a model of sequences"),
        (["--batch-size", "0"], "--num, --num-components and --batch-size must be at least 1"),
    ],
)
def test_options_are_refused_before_the_mixture_is_fitted(option, start, run, place, capsys, monkeypatch):
    monkeypatch.setattr("keras_ae.training.commands.sample.GaussianMixtureSampler.adapt", None)
    assert run("sample", "plain", "a.npz", "--data", place / "x.npz", *option) == 2
    assert capsys.readouterr().err.startswith(f"keras-ae: {start}")


@pytest.mark.parametrize("model", ["vae", "codes"])
def test_decoded_codes_are_the_clipped_reconstructions(run, loaded, place, model, tmp_path):
    assert run("encode", model, place / "images", "codes.npz") == 0
    assert run("decode", model, "codes.npz", "back.npz", "--batch-size", 2) == 0
    images = np.stack([pixels(path) for path in sorted((place / "images").iterdir())]) / np.float32(255)
    expected = np.clip(np.asarray(loaded(model).reconstruct(images)), 0, 1)
    found = arrays("back.npz")
    np.testing.assert_allclose(found["images"], expected, atol=1e-5)
    assert found["names"].tolist() == [f"{letter}.png" for letter in "abcde"]
    assert run("decode", model, "codes.npz", "folder") == 0
    picture = pixels(tmp_path / "folder" / "c.png").astype(int)
    assert np.abs(picture - np.round(255 * expected[2])).max() <= 1


def test_paths_are_those_of_the_model(run, loaded, place, tmp_path):
    np.savez("first.npz", images=X[:2])
    np.savez("second.npz", images=X[3:])
    options = ["--steps", 3, "--path", "spherical"]
    assert run("interpolate", "vae", "first.npz", "second.npz", "a.npz", *options) == 0
    expected = np.asarray(loaded("vae").interpolate(X[:2], X[3:], 3, path="spherical"))
    np.testing.assert_allclose(arrays("a.npz")["images"], expected.reshape(6, 4, 4, 1), atol=1e-5)
    assert run("interpolate", "vae", "first.npz", "second.npz", "folder", *options) == 0
    assert (tmp_path / "folder" / "1-2.png").is_file()


def test_scores_are_those_of_the_model_one_row_for_each_example(run, loaded, place):
    assert run("score", "vae", place / "images", "a.csv") == 0
    assert run("score", "vae", place / "x.npz", "a.npz", "--batch-size", 2) == 0
    model, found = loaded("vae"), arrays("a.npz")
    np.testing.assert_allclose(found["score"], model.score(X), rtol=1e-5)
    np.testing.assert_allclose(found["reconstruction_error"], model.reconstruction_error(X), rtol=1e-5)
    rows = dicts("a.csv")
    assert [row["name"] for row in rows] == [f"{letter}.png" for letter in "abcde"]
    scores = [float(row["score"]) for row in rows]
    np.testing.assert_allclose(scores, found["score"], rtol=0.01)  # of pixels of 8 bits


def dicts(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def assert_rows(found, expected):
    """The rows of a .csv file are those of an array, with names in place of the indices of categories."""
    expected = table_of(expected, COLUMNS)
    assert list(found[0]) == ["size", "colour"]
    assert [row["colour"] for row in found] == expected["colour"].tolist()
    np.testing.assert_allclose([float(row["size"]) for row in found], expected["size"], rtol=1e-5)


def test_scores_of_a_table_have_the_labels_of_its_rows(run, loaded, place):
    assert run("score", "rows", place / "table.npz", "a.csv", "--label", "kind", "--batch-size", 2) == 0
    model, values = loaded("rows"), values_of(TABLE, COLUMNS)
    found = dicts("a.csv")
    assert list(found[0]) == ["name", "score", "reconstruction_error", "label"]
    assert [row["name"] for row in found] == ["0", "1", "2", "3", "4"]
    assert [row["label"] for row in found] == TABLE["kind"].tolist()
    np.testing.assert_allclose([float(row["score"]) for row in found], model.score(values), rtol=1e-4)
    errors = [float(row["reconstruction_error"]) for row in found]
    np.testing.assert_allclose(errors, model.reconstruction_error(values), rtol=1e-4)
    assert run("score", "rows", place / "table.npz", "a.npz") == 0
    assert set(arrays("a.npz")) == {"names", "score", "reconstruction_error"}  # no label was named


def test_samples_of_a_table_have_its_units_and_categories(run, loaded, place, capsys):
    assert run("sample", "rows", "a.csv", "--num", 5, "--seed", 3, "--batch-size", 2) == 0
    model = loaded("rows")
    assert_rows(dicts("a.csv"), model.decode(model.sample_codes(5, seed=3)))
    options = ["--data", place / "table.npz", "--num-components", 1, "--num", 3]
    assert run("sample", "plain_rows", "b.csv", *options) == 0
    assert "fitted to the embeddings of 5 rows" in capsys.readouterr().out
    assert len(dicts("b.csv")) == 3


def test_an_encoded_table_is_decoded_to_its_reconstruction(run, loaded, place):
    assert run("encode", "rows", place / "table.npz", "codes.npz") == 0
    assert run("decode", "rows", "codes.npz", "back.csv", "--batch-size", 2) == 0
    assert_rows(dicts("back.csv"), loaded("rows").reconstruct(values_of(TABLE, COLUMNS)))


def test_vectors_of_sentences_are_decoded_and_interpolated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = skip_thought()
    model.save("model.keras")
    (tmp_path / "lines.txt").write_text("how much\nis this\n")
    assert main(["encode", "model.keras", "lines.txt", "vectors.npz"]) == 0
    assert main(["decode", "model.keras", "vectors.npz", "back.txt", "--decoder", "previous"]) == 0
    vectors = model.encode(["how much", "is this"])
    assert (tmp_path / "back.txt").read_text().splitlines() == model.decode(vectors, decoder="previous")
    assert main(["interpolate", "model.keras", "how much", "is this", "path.txt", "--steps", "3"]) == 0
    expected = model.interpolate("how much", "is this", 3)
    assert (tmp_path / "path.txt").read_text().splitlines() == expected


def test_codes_of_speech_are_decoded_in_the_given_voice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = speech_auto_encoder(VectorQuantizer(4, seed=0))
    model.save("model.keras")
    (tmp_path / "speech").mkdir()
    rng = np.random.default_rng(0)
    for name, samples in (("a", 40), ("b", 60)):
        write_wav(tmp_path / "speech" / f"{name}.wav", 0.1 * rng.standard_normal(samples), 100)
    assert main(["encode", "model.keras", "speech", "codes.npz"]) == 0
    assert main(["decode", "model.keras", "codes.npz", "voice"]) == 2
    assert "--speaker must be given" in capsys.readouterr().err
    assert main(["decode", "model.keras", "codes.npz", "voice", "--speaker", "1", "--iterations", "2"]) == 0
    assert main(["decode", "model.keras", "codes.npz", "other", "--speaker", "1", "--iterations", "0"]) == 2
    assert "--iterations must be at least 1. Received: 0" in capsys.readouterr().err
    codes = arrays("codes.npz")
    rows = codes["codes"][codes["offsets"][1] :]
    frames = model.decode(rows[None], speaker=np.array([1]))
    expected = len(model.to_waveform(frames, iterations=1)[0])
    audio = tf.audio.decode_wav((tmp_path / "voice" / "b.wav").read_bytes())
    assert audio.audio.shape[0] == expected and int(audio.sample_rate) == 100
    assert main(["score", "model.keras", "speech", "a.npz", "--speaker", "2"]) == 0
    assert arrays("a.npz")["names"].tolist() == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    "command, start",
    [
        (["sample", "vae", "a.gif"], "OUTPUT must be a folder, a .png file or an .npz file"),
        (
            ["sample", "vae", "a.png", "--num", "0"],
            "--num, --num-components and --batch-size must be at least 1",
        ),
        (["sample", "vae", "a.png", "--num", "500"], "OUTPUT must be a folder or an .npz file"),
        (["sample", "vae", "a.png", "--labels", "1"], "--labels must be left out"),
        (["sample", "prior", "a.png", "--labels", "7"], "--labels must be"),
        (["sample", "vae", "a.png", "--data", "x.npz"], "--data must be used only with a model without a"),
        (["sample", "vae", "a.png", "--length", "3"], "--length must be used only with a model of sequences"),
        (
            ["sample", "prior", "a.png", "--labels", "0", "--length", "3"],
            "--length must be used only with a model of sequences",
        ),
        (
            ["sample", "prior", "a.png", "--labels", "0", "--num-components", "10"],
            "--num-components must be used only with a model without a prior",
        ),
        (["decode", "vae", "x.npz", "a.npz"], "CODES must contain embedding"),
        (["decode", "vae", "no.npz", "a.npz"], "no.npz does not exist"),
        (["decode", "vae", "z.npz", "z.npz"], "The output z.npz must not be an input"),
        (["decode", "vae", "x.npz", "a.npz", "--decoder", "next"], "--decoder must be used only with text"),
        (
            ["interpolate", "vae", "x.npz", "one.npz", "a.npz"],
            "FIRST and SECOND must contain the same",
        ),
        (["interpolate", "vae", "x.npz", "x.npz", "a.npz", "--steps", "1"], "--steps must be at least 2"),
        (["score", "vae", "x.npz", "a.txt"], "OUTPUT must be a .csv or .npz file"),
        (["score", "vae", "x.npz", "a.csv", "--label", "kind"], "--label must be used only with tables"),
        (["score", "rows", "x.npz", "a.csv", "--skip-broken"], "--skip-broken must be used only with images"),
        (["score", "rows", "t.npz", "a.csv", "--label", "b"], "--label must be a column of npz file t.npz"),
        (["score", "rows", "t.npz", "a.csv", "--batch-size", "0"], "--batch-size must be at least 1"),
        (["sample", "rows", "a.npz"], "OUTPUT must be a .csv file for rows of a table"),
        (["sample", "rows", "a.csv", "--speaker", "1"], "--speaker must be used only with speech"),
        (["decode", "rows", "z.npz", "z.npz"], "OUTPUT must be a .csv file for rows of a table"),
        (
            ["interpolate", "rows", "t.npz", "t.npz", "a.csv"],
            "RUN of keras-ae interpolate must be a model of",
        ),
    ],
)
def test_what_is_not_valid_is_refused_in_one_line(command, start, run, capsys, tmp_path):
    np.savez("x.npz", images=X)
    np.savez("one.npz", images=X[:1])
    np.savez("z.npz", embedding=np.zeros((2, 2), "float32"))
    np.savez("t.npz", **TABLE)
    assert run(*command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.removeprefix("keras-ae: ").startswith(start)
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz", "one.npz", "z.npz", "t.npz"}
