"""What Keras users do with a model."""

import keras
import numpy as np
import pytest


def assert_finite(history):
    for name, values in history.history.items():
        assert np.isfinite(values).all(), name
        assert all(isinstance(value, float) for value in values), name


def test_history_has_every_term_as_a_float_with_validation(case, trained):
    history = trained[case.name].history
    assert_finite(history)
    for term in ("loss", "val_loss"):
        assert term in history.history
    if "vq" in case.name or case.name in ("gumbel", "binary", "users_functional"):
        for term in ("usage", "perplexity", "val_usage", "val_perplexity"):
            assert term in history.history


@pytest.mark.only(noisy=True)  # the others: one device against two replicas, test_replicas.py
def test_eager_training_gives_the_same_weights(case, trained):
    model = case.trained(run_eagerly=True)
    for ours, theirs in zip(model.get_weights(), trained[case.name].get_weights(), strict=True):
        # eager and graph order float32 sums differently; Adam at 1e-2 turns that into 1e-4
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_clone_is_the_same_model_with_fresh_weights(case, trained):
    clone = keras.models.clone_model(trained[case.name])
    original = [w.shape for w in trained[case.name].weights]
    assert [w.shape for w in clone.weights] == original


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")  # of what only fit trains
# a nested model takes one tensor; padded sequences and labels come in a dictionary
@pytest.mark.only(sequence=False, labels=0)
def test_works_inside_of_another_model(case):
    x = case.data()
    inputs = keras.Input(x.shape[1:], dtype=x.dtype)
    outer = keras.Model(inputs, keras.layers.Flatten()(case.make()(inputs)))
    outer.compile("sgd", "mse", run_eagerly=True)  # sooner made than traced
    assert_finite(outer.fit(x, np.zeros((len(x), *outer.output_shape[1:])), verbose=0))


def test_untrainable_model_stands_still(case, trained):
    model, before = case.make(), trained[case.name].get_weights()
    model.set_weights(before)
    model.trainable = False
    options = {"loss": "mse"} if case.functional else {}
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True, **options)  # sooner made than traced
    model.fit(**case.fit_arguments(case.data()), verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.only(functional=False)  # a user's own model weights its own loss
def test_zero_sample_weight_removes_an_example(case):
    x = case.data(6)
    garbage, other = keras.tree.map_structure(np.copy, x), case.other_data(x)
    values, others = (part[case.values] if isinstance(part, dict) else part for part in (garbage, other))
    values[4:] = others[4:]
    if values.dtype.kind == "f":
        values[5] = np.nan
    weight = np.array([1, 1, 1, 1, 0, 0], "float32")
    model, trainings = case.compiled(keras.optimizers.SGD(1e-2), run_eagerly=True), []
    start = [variable.numpy() for variable in model.variables]  # draws of random numbers too
    for batch in (x, garbage):
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
        model.fit(batch, sample_weight=weight, batch_size=6, epochs=1, verbose=0, shuffle=False)
        trainings.append(model.get_weights())
    for clean, dirty in zip(*trainings, strict=True):
        np.testing.assert_allclose(clean, dirty, atol=1e-5)


BOTTLENECKS = ["VectorQuantizer", "GumbelOneHot", "BinaryBottleneck", "GaussianBottleneck"]


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_a_layer_shared_by_two_branches_counts_both(name):
    from keras_ae import layers

    makers = {
        "VectorQuantizer": lambda: layers.VectorQuantizer(8, kmeans_samples=64, seed=0),
        "GaussianBottleneck": lambda: layers.GaussianBottleneck(4),
    }
    shared = makers.get(name, getattr(layers, name))()
    left, right = keras.Input((4,)), keras.Input((4,))
    outputs = keras.layers.Add()([shared(keras.layers.Dense(4)(left)), shared(keras.layers.Dense(4)(right))])
    model = keras.Model([left, right], keras.layers.Dense(4)(outputs))
    model.compile("adam", "mse")
    x = np.random.default_rng(0).random((12, 4), "float32")
    assert_finite(model.fit([x, x], x, batch_size=5, epochs=2, verbose=0))
    if name != "GaussianBottleneck":
        assert float(keras.ops.sum(shared.usage.counts)) == 2 * 12 * (4 if name == "BinaryBottleneck" else 1)
