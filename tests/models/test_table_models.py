"""Auto-encoders of the rows of a table: objectives, scores and data frames, against values by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_ae.errors import InputError
from keras_ae.export import Artifact, to_onnx, to_saved_model
from keras_ae.layers import BinaryBottleneck, TableLikelihood, VectorQuantizer
from keras_ae.models import (
    AdversarialDisentangler,
    AutoEncoder,
    DiscreteVariationalAutoEncoder,
    SpeechAutoEncoder,
    VariationalAutoEncoder,
)
from keras_ae.networks import dense_decoder, dense_encoder
from keras_ae.tables import as_columns, fit_columns, values_of
from small_models import message

COLUMNS = as_columns(
    [
        {"name": "size", "mean": 1000.0, "scale": 50.0, "missing": True},
        {"name": "colour", "categories": ["blue", "red", "white"]},
        {"name": "age", "mean": 40.0, "scale": 10.0},
    ]
)
ROWS = np.array([[1050, 2, 30], [np.nan, 0, 45], [900, np.nan, np.nan], [990, 1, 41]], "float32")


def auto_encoder(bottleneck=None, scale=1.0, **options):
    networks = dense_encoder(COLUMNS, 2, units=(4,)), dense_decoder(COLUMNS, 2, units=(4,))
    likelihood = TableLikelihood(COLUMNS, observation_scale=scale)
    return AutoEncoder(*networks, bottleneck, likelihood=likelihood, **options)


def variational(**options):
    networks = dense_encoder(COLUMNS, 4, units=()), dense_decoder(COLUMNS, 2, units=(4,))
    return VariationalAutoEncoder(*networks, 2, likelihood=TableLikelihood(COLUMNS), seed=0, **options)


def discrete(**options):
    networks = dense_encoder(COLUMNS, 3, units=()), dense_decoder(COLUMNS, 3, units=())
    options["likelihood"] = TableLikelihood(COLUMNS)
    return DiscreteVariationalAutoEncoder(*networks, BinaryBottleneck(seed=0), **options)


def vector_quantized():
    return auto_encoder(VectorQuantizer(4, kmeans_samples=0))


def log_densities(parameters, scale=1.0):
    """`log p` of each value of ROWS, and whether it is observed."""
    parameters = np.asarray(parameters, "float64")
    found = np.zeros((4, 3))
    standardised = (ROWS[:, [0, 2]] - [1000, 40]) / [50, 10]
    found[:, [0, 2]] = np.nan_to_num(stats.norm.logpdf(standardised, parameters[:, :2], scale))
    log_p = special.log_softmax(parameters[:, 2:], axis=1)
    for row in (0, 1, 3):
        found[row, 1] = log_p[row, int(ROWS[row, 1])]
    return found, ~np.isnan(ROWS)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def test_an_auto_encoder_minimises_the_mean_negative_log_likelihood_of_the_observed_values():
    model = auto_encoder()
    logs, observed = log_densities(model.decoder(model.encoder(ROWS)))
    weights = np.array([1.0, 2.0, 0.0, 0.5])
    terms = model.compute_terms(ROWS, None, weights, training=False, player="model")
    assert float(terms["loss"]) == pytest.approx(
        -(logs * weights[:, None]).sum() / (observed * weights[:, None]).sum(), rel=1e-5
    )
    np.testing.assert_allclose(model.score(ROWS), -logs.sum(axis=1) / observed.sum(axis=1), rtol=1e-5)


def test_the_error_is_in_standard_deviations_and_the_reconstruction_fills_in():
    model = auto_encoder()
    filled = np.asarray(model.reconstruct(ROWS))
    assert np.isfinite(filled).all() and set(filled[:, 1]) <= {0.0, 1.0, 2.0}
    errors = ((ROWS - filled) / [50, 1, 10]) ** 2
    errors[:, 1] = np.where(np.isnan(ROWS[:, 1]), np.nan, ROWS[:, 1] != filled[:, 1])
    np.testing.assert_allclose(model.reconstruction_error(ROWS), np.nanmean(errors, axis=1), rtol=1e-4)


def test_the_score_of_a_variational_model_is_its_negative_elbo():
    model = variational(beta=0.1)
    features = model.features(ROWS)
    mean, log_variance = (np.asarray(part, "float64") for part in model.bottleneck.parameters(features))
    noise = np.random.default_rng(0).standard_normal((4, 2)).astype("float32")
    logs, _ = log_densities(model.decoder((mean + np.exp(log_variance / 2) * noise).astype("float32")))
    kl = (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2
    np.testing.assert_allclose(model.score(ROWS, noise), kl - logs.sum(axis=1), rtol=1e-4)


def test_a_missing_value_is_the_same_as_no_such_column():
    """The bound of a row with a missing value is that of the model without the column."""
    model = variational()
    other = np.array(ROWS)
    other[:, 2] = np.nan
    logs, _ = log_densities(model.decoder(model.encode(other)))
    kl = np.asarray(model.bottleneck.kl(model.features(other)))
    np.testing.assert_allclose(model.score(other), kl - logs[:, :2].sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("make", [auto_encoder, vector_quantized, variational, discrete])
def test_every_bottleneck_trains_on_a_table_with_missing_values_and_is_saved(make, tmp_path):
    model = make()
    model.compile(keras.optimizers.Adam(1e-2), metrics=["mae"], run_eagerly=True)
    x = np.repeat(ROWS, 4, axis=0)
    history = model.fit(x, batch_size=8, verbose=0, sample_weight=np.linspace(0, 1, 16)).history
    assert np.isfinite(list(history.values())).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert as_columns(again.preprocessing.columns) == COLUMNS
    np.testing.assert_allclose(again.score(ROWS), model.score(ROWS), rtol=1e-5)


def test_large_numbers_in_half_precision_are_finite():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = variational()
        terms = model.compute_terms(ROWS * [1e4, 1, 1], None, None, training=True, player="model")
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(float(terms["loss"]))
    assert model.encode(ROWS).dtype == "float16"


def test_xla_compiles_the_objective_to_the_same_value():
    model = auto_encoder()

    def loss(x):
        return model.compute_terms(x, None, None, training=False, player="model")["loss"]

    compiled = tf.function(loss, jit_compile=True)(tf.constant(ROWS))
    np.testing.assert_allclose(compiled, loss(tf.constant(ROWS)), rtol=1e-5)


def test_a_table_with_names_is_converted():
    class Frame:
        def __init__(self, table):
            self.table, self.columns, self.shape = table, list(table), (2, len(table))

        def __getitem__(self, name):
            return Frame({name: self.table[name]})

        def to_numpy(self):
            return next(iter(self.table.values()))

    model, names = (
        auto_encoder(),
        {"age": [45.0, 30.0], "colour": ["blue", "white"], "size": [np.nan, 1050.0]},
    )
    frame = Frame({name: np.array(values) for name, values in names.items()})
    np.testing.assert_allclose(model.score(frame), model.score(ROWS[[1, 0]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auto_encoder().fit([[1.0, 3.0, 2.0]]), "index from 0 to 2, or NaN, in the column colour"),
        (
            lambda: auto_encoder().encode(np.array([[np.inf, 0, 0]])),
            "a finite number, or NaN, in the column size",
        ),
        (lambda: auto_encoder().encode(np.zeros((1, 2))), r"must have the shape \(batch, 3\)"),
        (
            lambda: AutoEncoder(*[dense_encoder(3, 2)] * 2, likelihood="gaussian"),
            "None or a layers.TableLikelihood",
        ),
        (
            lambda: AutoEncoder(
                dense_encoder(COLUMNS, 2), dense_decoder(3, 2), likelihood=TableLikelihood(COLUMNS)
            ),
            r"decoder's output must have the shape \(batch, 5\)",
        ),
        (lambda: dense_encoder(0, 2), "columns must be at least 1"),
    ],
)
def test_what_is_no_row_of_the_table_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_vectors_need_no_columns():
    model = AutoEncoder(dense_encoder(6, 2, noise=0.1, dropout=0.1), dense_decoder(6, 2))
    model.compile(run_eagerly=True)
    model.fit(np.ones((8, 6), "float32"), verbose=0)
    assert model.reconstruct(np.ones((2, 6), "float32")).shape == (2, 6)


@pytest.mark.slow
def test_exports_take_the_table_with_missing_values(tmp_path):
    pytest.importorskip("onnxruntime")
    model = variational()
    names = {"size": [np.nan, 1050.0], "colour": ["blue", "white"], "age": [45.0, 30.0]}
    for write in (to_saved_model, to_onnx):
        write(model, tmp_path / write.__name__, endpoints=["encode", "reconstruct", "score"])
        artifact = Artifact.open(tmp_path / write.__name__)
        assert as_columns(artifact.preprocessing.columns) == COLUMNS
        np.testing.assert_allclose(
            artifact.run("score", x=names)["score"], model.score(ROWS[[1, 0]]), rtol=1e-5
        )
        rows = [[1050.0, 2.0, 30.0], [np.nan, 0.0, 45.0]]
        for x in (rows, np.array(rows), [[1050.0, "white", 30.0], [np.nan, "blue", 45.0]]):
            np.testing.assert_allclose(artifact.run("score", x=x)["score"], model.score(ROWS[:2]), rtol=1e-5)
        with pytest.raises(InputError, match="`score` must contain an index from 0 to 2"):
            artifact.run("score", x=np.full((1, 3), 7.0, "float32"))


@pytest.mark.parametrize(
    "make, start",
    [
        (
            lambda: variational(observation_scale=0.1),
            "observation_scale must be left out with a layers.Table",
        ),
        (lambda: discrete(observation_scale=0.1), "observation_scale must be left out with a layers.Table"),
        (
            lambda: auto_encoder(reconstruction_loss="mae"),
            "reconstruction_loss must be left out with a likelihood",
        ),
        (lambda: variational(reconstruction_loss="mae"), "reconstruction_loss must be left out with"),
        (
            lambda: AdversarialDisentangler(None, None, None, likelihood=TableLikelihood(COLUMNS)),
            "likelihood must be None for AdversarialDisentangler. Received",
        ),
        (
            lambda: SpeechAutoEncoder(None, None, None, likelihood=TableLikelihood(COLUMNS)),
            "likelihood must be None for SpeechAutoEncoder. Received",
        ),
    ],
)
def test_options_that_a_likelihood_of_tables_would_not_use_are_refused(make, start):
    assert message(make).startswith(start)


def test_columns_of_training_rows_give_a_model_of_others():
    table = {"size": np.arange(20.0), "colour": np.array(["red", "blue"] * 10)}
    columns = fit_columns(table)
    model = AutoEncoder(
        dense_encoder(columns, 2), dense_decoder(columns, 2), likelihood=TableLikelihood(columns)
    )
    assert model.encode(values_of({"size": [1], "colour": ["red"]}, columns)).shape == (1, 2)
