"""Evaluation has random numbers of its own: neither it nor a method that draws changes the training."""

import keras
import numpy as np
import pytest

from keras_ae.layers import BinaryBottleneck
from keras_ae.models import DiscreteVariationalAutoEncoder, VariationalAutoEncoder

X = np.random.default_rng(0).integers(0, 2, (6, 5)).astype("float32")


@keras.saving.register_keras_serializable(package="tests")
class AlwaysNoisy(keras.layers.Layer):
    """A user's layer that draws in training and in inference."""

    def __init__(self, seed=1, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), dtype="float32", seed=self.generator)


class NoisyOnceBuilt(AlwaysNoisy):
    """Creates its generator when it is built."""

    def __init__(self, **kwargs):
        keras.layers.Layer.__init__(self, **kwargs)

    def build(self, input_shape):
        self.generator = keras.random.SeedGenerator(1)


def networks(features, latent):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(features), AlwaysNoisy()])
    return encoder, keras.Sequential([keras.Input((latent,)), keras.layers.Dense(5)])


def vae():
    model = VariationalAutoEncoder(*networks(4, 2), 2, seed=0)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


def discrete_vae():
    model = DiscreteVariationalAutoEncoder(*networks(4, 4), BinaryBottleneck(seed=0))
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


def state(model):
    return [np.array(np.asarray(variable)) for variable in model.variables]


def counts(model):
    """Number of draws of the bottleneck and of the user's layer."""
    return [int(g.state[1]) for g in (model.bottleneck.seed_generator, model.encoder.layers[-1].generator)]


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


class Calls(keras.callbacks.Callback):
    """Calls a function of the model in the middle of each epoch, of each validation, and after each epoch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_train_batch_end(self, batch, logs=None):
        self.function(self.model)

    on_test_batch_end = on_epoch_end = on_train_batch_end


@pytest.mark.parametrize("make", [vae, discrete_vae])
def test_every_evaluation_is_the_same_and_changes_no_state(make):
    model = make()
    model.fit(X, epochs=1, batch_size=4, verbose=0)
    before = state(model)
    first = model.evaluate(X, batch_size=4, verbose=0, return_dict=True)
    on_batch = [model.test_on_batch(X, return_dict=True) for _ in range(2)]
    assert model.evaluate(X, batch_size=4, verbose=0, return_dict=True) == first
    assert on_batch[0] == on_batch[1] == model.evaluate(X, batch_size=6, verbose=0, return_dict=True)
    assert_same(before, state(model))


def test_a_loaded_model_is_evaluated_with_the_same_draws(tmp_path):
    model = vae()
    model.fit(X, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.evaluate(X, verbose=0, return_dict=True)
    assert again.evaluate(X, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)


def test_draws_of_an_evaluation_are_not_those_of_the_training():
    model, seen = vae(), []
    callback = keras.callbacks.LambdaCallback()
    callback.on_test_batch_begin = lambda batch, logs=None: seen.append(counts(model))
    model.fit(X, validation_data=(X,), batch_size=3, epochs=2, verbose=0, callbacks=[callback])
    assert seen == 2 * [[2**30, 2**30], [2**30 + 1, 2**30 + 1]]  # the same ones in each epoch
    assert counts(model) == [4, 4]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_stopped_evaluation_gives_the_states_of_the_training_back(error):
    def stop(model):
        assert counts(model) == [2**30 + 1, 2**30 + 1]
        raise error

    model = vae()
    before = state(model)
    with pytest.raises(error):
        model.evaluate(X, verbose=0, callbacks=[Calls(stop)])
    assert_same(before, state(model))


@pytest.mark.parametrize("eager", [True, False])
def test_an_evaluation_that_builds_the_model_does_not_count_as_draws_of_the_training(eager):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Dense(4), NoisyOnceBuilt()])
    model = VariationalAutoEncoder(encoder, keras.Sequential([keras.layers.Dense(5)]), 2, seed=0)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=eager)
    model.evaluate(X, verbose=0)
    assert counts(model) == [0, 0]


def test_layers_that_share_a_generator_get_its_state_back():
    encoder, shared = networks(4, 2)[0], AlwaysNoisy()
    shared.generator = encoder.layers[-1].generator
    model = VariationalAutoEncoder(encoder, keras.Sequential([keras.layers.Dense(5), shared]), 2, seed=0)
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(X, batch_size=3, epochs=1, verbose=0)
    before = state(model)
    model.evaluate(X, verbose=0)
    assert counts(model) == [2, 4]
    assert_same(before, state(model))


@pytest.mark.parametrize("again", [False, True], ids=["one_fit", "two_fits"])
def test_validation_does_not_change_the_training(again):
    models = vae(), vae()
    for model, options in zip(models, ({}, {"validation_data": (X[:4],)}), strict=True):
        model.fit(X, batch_size=4, epochs=2, verbose=0, **options)
        if again:
            model.fit(X, batch_size=4, epochs=1, verbose=0)
    assert_same(*map(state, models))


@pytest.mark.slow
def test_methods_that_draw_do_not_change_the_training():
    drawn = []

    def draw(model):
        drawn.append([np.asarray(model.sample(4)), np.asarray(model.bottleneck.draw(X[:, :4], seed=3))])
        model.test_on_batch(X)

    models = discrete_vae(), discrete_vae()
    for model, callbacks in zip(models, ([], [Calls(draw)]), strict=True):
        model.fit(X, validation_data=(X,), batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
    assert_same(*map(state, models))
    (first, fixed), (second, again) = drawn[-2:]
    assert (first != second).any()
    np.testing.assert_array_equal(fixed, again)


def test_bounds_do_not_advance_the_generator_of_the_bottleneck():
    model = discrete_vae()
    before = counts(model)[0]
    bounds = [model.elbo(X), model.elbo(X), model.log_likelihood(X, 3)]
    assert counts(model)[0] == before
    assert (np.asarray(bounds[0]) != np.asarray(bounds[1])).any()
