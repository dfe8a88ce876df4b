"""`TableFeatures` and `TableLikelihood` against values by hand and by SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_ae.errors import InputError
from keras_ae.layers import TableFeatures, TableLikelihood
from keras_ae.tables import as_columns, table_features

COLUMNS = as_columns(
    [
        {"name": "colour", "categories": ["blue", "red", "white"]},
        {"name": "size", "mean": 10.0, "scale": 2.0, "missing": True},
        {"name": "good", "categories": ["no", "yes"]},
        {"name": "age", "mean": -1.0, "scale": 0.5},
        {"name": "fast", "categories": ["no", "yes"]},
    ]
)
ROWS = np.array([[2, 14, 0, -1, 1], [np.nan, np.nan, 1, np.nan, np.nan], [0, 9, np.nan, -2, 0]], "float32")


def test_features_are_standardised_numbers_indicators_and_one_hot_categories():
    expected = [
        # size, age; size is missing; colour; good; fast
        [2, 0, 0, 0, 0, 1, 1, 0, 0, 1],
        [0, 0, 1, 0, 0, 0, 0, 1, 0, 0],
        [-0.5, -2, 0, 1, 0, 0, 0, 0, 1, 0],
    ]
    layer = TableFeatures(COLUMNS)
    np.testing.assert_allclose(layer(ROWS), expected)
    np.testing.assert_allclose(table_features(ROWS, COLUMNS), expected)
    assert layer.compute_output_shape((None, 5)) == (None, 10)


def test_features_of_what_is_no_value_are_those_of_a_missing_one_and_outliers_are_clipped():
    rows = np.array([[3, np.inf, 0.5, 1e9, -1]], "float32")
    expected = [[0, 1000, 1, 0, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(TableFeatures(COLUMNS)(rows), expected)
    np.testing.assert_array_equal(table_features(rows, COLUMNS), expected)


def test_features_in_half_precision_are_computed_in_single():
    columns = as_columns([{"name": "year", "mean": 2000.0, "scale": 10.0}])
    found = TableFeatures(columns, dtype="mixed_float16")(np.array([[2000.5]], "float32"))
    assert found.dtype == "float16"
    np.testing.assert_allclose(found, [[0.05]], rtol=1e-3)  # the half precision of 2000.5 is 2000 or 2001


@pytest.mark.parametrize("scale", [1.0, 0.25, "learned"])
def test_the_likelihood_is_that_of_independent_columns(scale):
    layer = TableLikelihood(COLUMNS, observation_scale=scale)
    parameters = np.random.default_rng(0).normal(size=(3, 9)).astype("float32")
    layer.build((None, 9))
    found = layer.log_prob(ROWS, parameters)
    s = 1.0 if scale == "learned" else scale  # where a learned scale starts
    means, colour, good, fast = np.split(parameters.astype("float64"), [2, 5, 7], axis=1)
    expected = np.zeros((3, 5))
    standardised = (ROWS[:, [1, 3]] - [10.0, -1.0]) / [2.0, 0.5]
    densities = stats.norm.logpdf(standardised, means, s)
    expected[:, [1, 3]] = np.where(np.isnan(standardised), 0, densities)
    for place, logits in ((0, colour), (2, good), (4, fast)):
        log_p = special.log_softmax(logits, axis=1)
        for row in range(3):
            if not np.isnan(ROWS[row, place]):
                expected[row, place] = log_p[row, int(ROWS[row, place])]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_probabilities_of_a_category_sum_to_1():
    layer, parameters = TableLikelihood(COLUMNS[:1]), np.array([[0.3, -2.0, 1.0]] * 3, "float32")
    total = np.exp(layer.log_prob(np.array([[0.0], [1.0], [2.0]], "float32"), parameters)).sum()
    assert total == pytest.approx(1.0, rel=1e-5)


def test_the_reconstruction_is_in_the_units_of_the_table():
    parameters = np.array([[0.5, -1.0, 0.0, 3.0, 1.0, 2.0, -2.0, 0.0, 0.1]], "float32")
    np.testing.assert_allclose(TableLikelihood(COLUMNS)(parameters), [[1, 11, 0, -1.5, 1]])


def test_errors_are_squared_standard_deviations_and_wrong_categories():
    reconstruction = np.array([[1, 11, 0, -1.5, 1]] * 3, "float32")
    expected = [[1, 2.25, 0, 1, 0], [0, 0, 1, 0, 0], [1, 1, 0, 1, 1]]
    layer = TableLikelihood(COLUMNS)
    np.testing.assert_allclose(layer.errors(ROWS, reconstruction), expected)
    np.testing.assert_array_equal(layer.observed(ROWS), ~np.isnan(ROWS))


def test_missing_values_have_no_gradient_and_give_none_that_is_not_finite():
    layer = TableLikelihood(COLUMNS)
    parameters = tf.Variable(np.zeros((3, 9), "float32"))
    with tf.GradientTape() as tape:
        layer(parameters)
        total = tf.reduce_sum(layer.log_prob(tf.constant(ROWS), parameters))
    gradient, scales = tape.gradient(total, [parameters, *layer.trainable_variables])
    assert np.isfinite(gradient).all() and np.isfinite(scales).all()
    np.testing.assert_array_equal(gradient[1] != 0, [False] * 5 + [True, True, False, False])


def test_a_learned_scale_is_best_at_the_standard_deviation_of_the_residuals():
    layer = TableLikelihood([{"name": "size"}])
    layer.build((None, 1))
    np.testing.assert_allclose(layer.scales, [1.0], rtol=1e-6)
    layer.trainable_variables[0].assign([np.log(np.expm1(0.3 - 0.01))])  # 0.01 + softplus of it is 0.3
    np.testing.assert_allclose(layer.scales, [0.3], rtol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(layer.log_prob(np.array([[0.3], [-0.3]], "float32"), tf.zeros((2, 1))))
    (gradient,) = tape.gradient(loss, layer.trainable_variables)
    np.testing.assert_allclose(gradient, [0.0], atol=1e-5)


@pytest.mark.parametrize("layer", [TableFeatures(COLUMNS), TableLikelihood(COLUMNS, observation_scale=0.5)])
def test_the_columns_are_saved_in_the_configuration(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.columns == layer.columns and again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TableFeatures(COLUMNS)(np.zeros((2, 4))), r"shape \(batch, 5\)"),
        (lambda: TableLikelihood(COLUMNS)(np.zeros((2, 5))), r"shape \(batch, 9\).*dense_decoder"),
        (lambda: TableLikelihood(COLUMNS, observation_scale=0), "must be 'learned' or a positive number"),
        (lambda: TableLikelihood(COLUMNS, observation_scale="fixed"), "must be 'learned' or a positive"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
