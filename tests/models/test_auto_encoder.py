import keras
import numpy as np
import pytest
from keras import ops

from keras_ae import InputError
from keras_ae.layers import BinaryBottleneck, VectorQuantizer
from keras_ae.models import AutoEncoder

X = np.random.default_rng(0).normal(size=(10, 4, 3)).astype("float32")
TARGET = np.random.default_rng(1).normal(size=(10, 4, 3)).astype("float32")
WEIGHTS = np.array([1, 0, 2, 1, 1, 0.5, 0, 1, 3, 1], "float32")


@keras.saving.register_keras_serializable(package="tests")
def absolute_error(x, x_hat):
    return ops.abs(x - x_hat)


def auto_encoder(bottleneck=None, regularizer=None, **options):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(2, kernel_regularizer=regularizer)])
    decoder = keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(3)])
    return AutoEncoder(encoder, decoder, bottleneck, **options)


def compiled(*args, optimizer="sgd", **options):
    model = auto_encoder(*args, **options)
    model.compile(optimizer, jit_compile=False)
    return model


def reconstruction(model, x=X):
    (w, b), (v, c) = (
        (np.asarray(k), np.asarray(d)) for k, d in (model.encoder.weights, model.decoder.weights)
    )
    return (x @ w + b) @ v + c


def cross_entropy(x, logits):
    return np.logaddexp(0, logits) - x * logits


LOSSES = [
    ("mse", lambda x, x_hat: (x - x_hat) ** 2),
    ("mae", lambda x, x_hat: np.abs(x - x_hat)),
    ("MeanSquaredError", lambda x, x_hat: (x - x_hat) ** 2),
    (keras.losses.BinaryCrossentropy(from_logits=True), cross_entropy),
    (absolute_error, lambda x, x_hat: np.abs(x - x_hat)),
]


@pytest.mark.parametrize(
    "loss, expected", LOSSES, ids=["name", "other name", "class name", "Loss", "function"]
)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
def test_reconstruction_loss_is_a_name_a_loss_or_a_function(loss, expected, weights):
    model = auto_encoder(reconstruction_loss=loss)
    terms = model.compute_terms(X, None, weights, training=False, player="model")
    per_example = expected(X, reconstruction(model)).reshape(10, -1).mean(axis=1)
    mean = np.average(per_example, weights=weights)
    for name in ("loss", "reconstruction_loss"):
        assert float(terms[name]) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    "loss", [loss for loss, _ in LOSSES], ids=lambda loss: str(getattr(loss, "name", loss))[:12]
)
def test_reconstruction_loss_goes_through_the_config(loss):
    model = auto_encoder(reconstruction_loss=loss)
    copy = AutoEncoder.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    arguments = {"y": None, "sample_weight": None, "training": False, "player": "model"}
    expected = model.compute_terms(X, **arguments)["loss"]
    np.testing.assert_array_equal(copy.compute_terms(X, **arguments)["loss"], expected)


def test_y_is_the_target_of_the_reconstruction():
    model = compiled()
    result = model.evaluate(X, TARGET, batch_size=4, verbose=0, return_dict=True)
    assert result["loss"] == pytest.approx(np.mean((reconstruction(model) - TARGET) ** 2), rel=1e-5)
    (w, b), (v, c) = (layer.get_weights() for layer in (model.encoder, model.decoder))
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    model.fit(X, TARGET, batch_size=10, verbose=0)
    error = (X @ w + b) @ v + c - TARGET
    gradient = 2 / error.size * np.einsum("bld,blf->df", X @ w + b, error)
    np.testing.assert_allclose(model.decoder.get_weights()[0], v - 0.1 * gradient, rtol=1e-4, atol=1e-6)


def test_x_alone_is_enough_and_sample_weights_count_without_a_target():
    model = compiled()
    plain = model.evaluate(X, batch_size=10, verbose=0, return_dict=True)
    assert plain["loss"] == pytest.approx(np.mean((reconstruction(model) - X) ** 2), rel=1e-5)
    weighted = model.evaluate(X, sample_weight=WEIGHTS, batch_size=10, verbose=0, return_dict=True)
    per_example = ((reconstruction(model) - X) ** 2).mean(axis=(1, 2))
    assert weighted["loss"] == pytest.approx(np.average(per_example, weights=WEIGHTS), rel=1e-5)


def test_the_loss_is_the_reconstruction_and_what_the_parts_add():
    quantizer = VectorQuantizer(4, kmeans_samples=0, commitment_cost=0.5, seed=0)
    model = auto_encoder(quantizer, keras.regularizers.L2(0.1))
    features = np.asarray(model.encoder(X))
    embedding = np.asarray(model.embed(X))
    (v, c), w = model.decoder.get_weights(), model.encoder.get_weights()[0]
    terms = model.compute_terms(X, None, None, training=False, player="model")
    error = np.mean((embedding @ v + c - X) ** 2)
    assert float(terms["reconstruction_loss"]) == pytest.approx(error, rel=1e-5)
    added = 0.5 * np.mean((features - embedding) ** 2) + 0.1 * np.sum(w**2)
    assert float(terms["loss"]) == pytest.approx(error + added, rel=1e-5)
    # nothing is left over for the next step
    again = model.compute_terms(X, None, None, training=False, player="model")
    assert float(again["loss"]) == float(terms["loss"])


@pytest.mark.parametrize("bottleneck", [None, BinaryBottleneck, lambda: VectorQuantizer(4, kmeans_samples=0)])
def test_encode_embed_decode_and_reconstruct_agree(bottleneck):
    model = auto_encoder(bottleneck and bottleneck())
    codes, embedding = model.encode(X), model.embed(X)
    assert embedding.shape == (10, 4, 2)
    expected = model(X)
    for ours in (
        model.decode(codes),
        model.decode(embedding),
        model.reconstruct(X),
        model.predict(X, verbose=0),
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
    if bottleneck:
        assert codes.dtype == "int32"
        np.testing.assert_array_equal(model.bottleneck.decode(codes), embedding)
    else:
        np.testing.assert_array_equal(codes, embedding)


@pytest.mark.parametrize("width", [2, 4])
def test_a_decoder_of_another_shape_is_refused(width):
    encoder = keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(width)])
    with pytest.raises(InputError) as error:
        AutoEncoder(encoder, decoder)
    for part in (f"(None, 4, {width})", "(None, 4, 3)", "Change the decoder"):
        assert part in str(error.value)


def test_a_loss_given_to_compile_is_refused_with_the_place_where_it_belongs():
    with pytest.raises(TypeError, match="Received: loss.*constructor"):
        auto_encoder().compile("adam", loss="mse", metrics=["mae"])


def test_training_reconstructs_what_a_line_can():
    """Points on a plane in three dimensions pass through two numbers."""
    plane = np.random.default_rng(2).normal(size=(2, 3))
    x = (np.random.default_rng(3).normal(size=(3200, 2)) @ plane).astype("float32").reshape(-1, 4, 3)
    model = compiled(optimizer=keras.optimizers.Adam(3e-2))
    model.fit(x, batch_size=16, epochs=4, verbose=0)
    assert model.evaluate(x, batch_size=100, verbose=0, return_dict=True)["loss"] < 5e-3 * np.var(x)
