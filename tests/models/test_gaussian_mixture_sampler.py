"""A Gaussian mixture over the embeddings of an auto-encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from keras_ae.export import to_onnx
from keras_ae.layers import TableLikelihood, VectorQuantizer
from keras_ae.models import AutoEncoder, GaussianMixtureSampler, VariationalAutoEncoder
from keras_ae.networks import dense_decoder, dense_encoder
from keras_ae.tables import TableColumn
from small_models import IMAGES, auto_encoder, disentangler, message, speech_auto_encoder, two_level

CENTRES = np.array([[-4.0, 0.0], [4.0, 1.0]])
SHARES = (0.25, 0.75)


@pytest.fixture(scope="module")
def data():
    """A quarter of the points at one place, the others, of another spread, at a second one."""
    rng = np.random.default_rng(0)
    near = rng.multivariate_normal(CENTRES[0], [[0.2, 0.1], [0.1, 0.3]], 250)
    far = rng.multivariate_normal(CENTRES[1], [[0.5, -0.2], [-0.2, 0.2]], 750)
    return np.concatenate([near, far]).astype("float32")


def identity():
    parts = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)]
    for part in parts:
        part.layers[0].set_weights([np.eye(2), np.zeros(2)])
    return AutoEncoder(*parts)


def adapted(data, covariance="full"):
    model = GaussianMixtureSampler(identity(), 2, covariance=covariance)
    model.adapt(data)
    return model


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_log_prob_and_score_are_those_of_scikit_learn(data, covariance):
    model = adapted(data, covariance)
    kind = {"full": "full", "diagonal": "diag"}[covariance]
    expected = GaussianMixture(2, covariance_type=kind, random_state=0).fit(data.astype("float64"))
    np.testing.assert_allclose(model.log_prob(data), expected.score_samples(data), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(model.score(data), -expected.score_samples(data), rtol=1e-3, atol=1e-3)
    loss = compiled(model).evaluate(data, verbose=0)
    np.testing.assert_allclose(loss, -expected.score(data), rtol=1e-4)


def compiled(model):
    model.compile("sgd", run_eagerly=True)
    return model


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_samples_have_the_shares_means_and_covariances_of_the_data(data, covariance):
    drawn = np.asarray(adapted(data, covariance).sample(4000, seed=0))
    far = drawn[:, 0] > 0
    np.testing.assert_allclose(far.mean(), SHARES[1], atol=0.03)  # 4 standard errors
    for rows, own in ((drawn[~far], data[:250]), (drawn[far], data[250:])):
        np.testing.assert_allclose(rows.mean(axis=0), own.mean(axis=0), atol=0.1)
        wanted = np.cov(own.T) if covariance == "full" else np.diag(own.var(axis=0))
        np.testing.assert_allclose(np.cov(rows.T), wanted, atol=0.08)


def test_at_a_low_temperature_the_means_are_drawn(data):
    drawn = np.asarray(adapted(data).sample(50, seed=0, temperature=1e-4))
    means = np.stack([data[:250].mean(axis=0), data[250:].mean(axis=0)])
    distance = np.abs(drawn[:, None] - means).max(axis=-1).min(axis=-1)
    assert distance.max() < 0.01


def test_the_quantile_of_the_first_number_determines_the_component(data):
    model = adapted(data)
    first = np.asarray(model.means)[0]
    share = float(np.exp(np.asarray(model.log_weights)[0]))
    border = norm.ppf(share)
    noise = np.zeros((2, 3), "float32")
    noise[:, 0] = border - 0.01, border + 0.01
    points, gap = model.embedding_of_noise(noise)
    np.testing.assert_allclose(points, np.asarray(model.means), atol=1e-6)
    np.testing.assert_allclose(points[0], first, atol=1e-6)
    np.testing.assert_allclose(gap, 0.01 * norm.pdf(border), rtol=0.1)
    outputs = model.endpoints()["sample"].function(noise=ops.convert_to_tensor(noise))
    np.testing.assert_allclose(outputs["reconstruction"], points, atol=1e-6)


def test_traversals_are_in_deviations_of_the_mixture(data):
    model = adapted(data)
    mean, deviation = model.coordinate_scale()
    np.testing.assert_allclose(mean, data.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(deviation, data.std(axis=0), atol=1e-3)
    found = np.asarray(model.traverse(data[:1], [0], steps=3, span=1.0))[0, 0]
    np.testing.assert_allclose(found[:, 0], mean[0] + deviation[0] * np.array([-1, 0, 1]), atol=1e-5)
    np.testing.assert_allclose(found[:, 1], data[0, 1], atol=1e-6)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_deviations_far_from_zero_keep_their_digits(covariance):
    far = np.random.default_rng(0).normal(2000.0, 0.1, (200, 2)).astype("float32")
    mean, deviation = adapted(far, covariance).coordinate_scale()
    np.testing.assert_allclose(mean, far.mean(axis=0, dtype="float64"), rtol=1e-6)
    np.testing.assert_allclose(deviation, far.std(axis=0, dtype="float64"), rtol=1e-2)


def test_a_saved_model_draws_the_same(data, tmp_path):
    model = adapted(data)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.sample(5, seed=0), model.sample(5, seed=0))
    np.testing.assert_array_equal(loaded.score(data), model.score(data))
    assert loaded.get_config()["covariance"] == "full"


def test_batches_of_a_data_set_and_maps_of_features_are_taken(data):
    model = GaussianMixtureSampler(identity(), 2)
    model.adapt(tf.data.Dataset.from_tensor_slices(data).batch(300))
    np.testing.assert_allclose(model.means, adapted(data).means, atol=1e-4)
    maps = GaussianMixtureSampler(auto_encoder(), 1, covariance="diagonal", regularization=1e-3)
    maps.adapt(IMAGES)
    assert maps.sample(3, seed=0).shape == (3, 4, 4, 1)


def test_the_label_of_a_conditioned_decoder_is_given():
    model = GaussianMixtureSampler(disentangler(), 1)
    model.adapt({"x": IMAGES, "label": np.zeros(6, "int32")})
    drawn = model.sample(2, seed=0, label=[0, 2])
    expected = model.auto_encoder.decode(model.sample_codes(2, seed=0), label=np.array([0, 2]))
    np.testing.assert_array_equal(drawn, expected)
    endpoint = model.endpoints()["sample"]
    assert set(endpoint.inputs) == {"noise", "label"}
    noise = np.random.default_rng(0).standard_normal((2, 3), "float32")
    found = endpoint.function(noise=ops.convert_to_tensor(noise), label=ops.array([0, 2], "int32"))
    np.testing.assert_allclose(found["reconstruction"], drawn, atol=1e-6)


def test_endpoints_keep_the_ranges_and_the_examples_of_the_auto_encoder():
    conditional = VariationalAutoEncoder(
        *(labelled(size) for size in (4, 2)), 2, likelihood="gaussian", num_labels=3
    )
    table = GaussianMixtureSampler(conditional, 1).endpoints()
    assert table["score"].value_ranges == table["sample"].value_ranges == {"labels": (0, 2)}
    zeros = {"noise": np.zeros((40, 3), "float32"), "labels": np.zeros(40, "int32")}
    drawn = table["sample"].sample(zeros)
    assert set(drawn["labels"]) == {0, 1, 2} and len(np.unique(drawn["noise"])) > 100

    columns = [TableColumn(name="size", mean=1000.0), TableColumn(name="colour", categories=("b", "r"))]
    networks = dense_encoder(columns, 2, units=()), dense_decoder(columns, 2, units=())
    rows = GaussianMixtureSampler(AutoEncoder(*networks, likelihood=TableLikelihood(columns)), 1).endpoints()
    x = rows["score"].sample({"x": np.full((1, 2), 0.7, "float32")})["x"]
    np.testing.assert_allclose(x, [[1000 + 4 * 0.6 / 0.9 - 2, 1]], rtol=1e-6)


def labelled(size):
    x, label = keras.Input((2,)), keras.Input((), dtype="int32")
    known = keras.layers.Concatenate()([x, keras.layers.Embedding(3, 2)(label)])
    return keras.Model([x, label], keras.layers.Dense(size)(known))


def test_half_precision_is_finite(data):
    encoder, decoder = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2))
    vae = VariationalAutoEncoder(encoder, decoder, 2, likelihood="gaussian", dtype="mixed_float16")
    model = GaussianMixtureSampler(vae, 2, dtype="mixed_float16")
    model.adapt(data)
    assert model.log_prob(model.embed(data)).dtype == "float32"
    assert np.isfinite(np.asarray(model.sample(20, seed=0))).all()


@pytest.mark.slow
def test_onnx_files_equal_the_model(data, tmp_path):
    pytest.importorskip("tf2onnx", exc_type=Exception)
    written = to_onnx(adapted(data), tmp_path / "onnx", endpoints=["sample", "score"])
    assert set(written) == {"sample", "score"}  # verified in a process of its own


def weighted():
    arrays = (np.zeros((8, 2), "float32"), np.zeros(8), np.ones(8))
    return tf.data.Dataset.from_tensor_slices(arrays).batch(4)


def unfitted(*args, **kwargs):
    return GaussianMixtureSampler(identity(), *args, **kwargs)


@pytest.mark.parametrize(
    "call, start",
    [
        (lambda: unfitted(2).sample(1), "adapt must be called before sample"),
        (lambda: unfitted(2).score(np.zeros((1, 2))), "adapt must be called before"),
        (lambda: unfitted(2).adapt(np.zeros((1, 2))), "x must contain at least 2"),
        (lambda: unfitted(2).adapt(weighted()), "x must be a data set without sample_weight"),
        (lambda: unfitted(2).fit(np.zeros((9, 2))), "GaussianMixtureSampler must be fitted by adapt"),
        (lambda: unfitted(2).sample(1, 3), "length must be None"),
        (lambda: unfitted(0), "num_components must be at least 1"),
        (lambda: unfitted(covariance="tied"), "covariance must be one of"),
        (lambda: GaussianMixtureSampler(auto_encoder(VectorQuantizer(4))), "auto_encoder must be a built"),
        (lambda: GaussianMixtureSampler(two_level()), "auto_encoder must be a built"),
        (lambda: GaussianMixtureSampler(speech_auto_encoder()), "auto_encoder must have embeddings of one"),
    ],
)
def test_what_is_not_valid_is_refused(call, start):
    assert message(call).startswith(start)
