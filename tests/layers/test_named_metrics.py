"""Names of the metrics of several layers of one model."""

import keras
import numpy as np
import pytest

from keras_ae.layers import GaussianBottleneck, GumbelOneHot, VectorQuantizer

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
EXPECTED = {
    *("loss", "usage", "usage_1", "usage_2", "perplexity", "perplexity_1", "perplexity_2"),
    *("commitment_loss", "commitment_loss_1", "kl_loss", "kl_loss_1"),
}


def model(names=(None, None)):
    inputs = keras.Input((4,))
    first, second = (VectorQuantizer(8, kmeans_samples=0, name=name, seed=0) for name in names)
    both = keras.layers.Add()([first(inputs), second(keras.layers.Dense(4)(inputs))])
    codes = GumbelOneHot(kl_weight=0.1)(both)
    made = keras.Model(inputs, keras.layers.Dense(4)(GaussianBottleneck(3)(codes)))
    made.compile("adam", "mse", run_eagerly=True)
    return made


def logged(model):
    return model.evaluate(X, X, verbose=0, return_dict=True)


def test_metrics_of_layers_without_a_name_do_not_overwrite_each_other():
    assert set(logged(model())) == EXPECTED


def test_a_layer_that_is_alone_in_another_model_has_no_number():
    """Of two layers of one model the second, taken into a model of its own."""
    made = model()
    _, second = (layer for layer in made.layers if isinstance(layer, VectorQuantizer))
    made(X)
    assert second.usage.name == "usage_1"
    keras.Sequential([second])(X)
    assert (second.usage.name, second.metric_name("used_codes")) == ("usage", "used_codes")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_names_depend_on_the_model_alone(tmp_path):
    made = model()
    before = logged(made)
    for _ in range(3):
        VectorQuantizer(2)  # another name by Keras for each that follows
    again = model()
    again.set_weights(made.get_weights())
    made.save(tmp_path / "model.keras")
    clone = keras.models.clone_model(made)
    clone.set_weights(made.get_weights())
    clone.compile("adam", "mse")
    for other in (again, clone, keras.saving.load_model(tmp_path / "model.keras")):
        assert logged(other) == pytest.approx(before, rel=1e-5)


def test_both_layers_are_measured_under_their_own_name():
    made = model()
    first, second = (layer for layer in made.layers if isinstance(layer, VectorQuantizer))
    first.set_codebook(np.full((8, 4), 100.0) * np.eye(8)[:, :4] + 50)
    second.set_codebook(np.full((8, 4), 100.0) * np.eye(8)[:, :4] + 50)
    second.set_codebook(X)
    result = logged(made)
    assert {first.usage.name, second.usage.name} == {"usage", "usage_1"}
    for layer in (first, second):
        assert result[layer.usage.name] == pytest.approx(float(layer.usage.result()))
        assert layer.metric_name("used_codes") == layer.usage.name.replace("usage", "used_codes")


def test_a_name_that_was_given_is_the_prefix():
    names = set(logged(model(("top", None))))
    assert {"top_usage", "usage", "usage_1", "top_commitment_loss", "commitment_loss"} <= names
