"""Deep InfoMax: what it minimises, whose variables learn from what, and what it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.layers import MaskedConv1D, MutualInformationNetwork
from keras_ae.losses import info_nce, jensen_shannon_mi
from keras_ae.models import DeepInfoMax
from keras_ae.models.contrastive._local_maps import sample_positions

X = np.random.default_rng(0).random((10, 8, 8, 1)).astype("float32")


def encoder():
    inputs = keras.Input((8, 8, 1))
    local = keras.layers.Conv2D(6, 4, strides=4, activation="relu", name="local")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(local)))


def made(**options):
    keras.utils.set_random_seed(0)
    return DeepInfoMax(encoder(), local="local", mi_units=8, prior_units=(8,), seed=0, **options)


def terms(model, x=X, player="model", training=False, sample_weight=None):
    return model.compute_terms(x, None, sample_weight, training=training, player=player)


def test_local_and_global_terms_are_the_estimators_of_the_dot_products():
    model = made(alpha=0.3, beta=0.7, temperature=2.0)
    z = np.asarray(model.encode(X))
    local = np.asarray(keras.Model(model.encoder.input, model.encoder.get_layer("local").output)(X))
    vectors = {name: np.asarray(network(z)) for name, network in model.embedding_networks.items()}
    locations = np.asarray(model.map_networks["local"](local.reshape(10, 4, 6)))
    whole = np.asarray(model.map_networks["global"](local.reshape(10, 24)))
    scores = np.einsum("nd,mld->nml", vectors["local"], locations) / 2.0
    expected = float(jensen_shannon_mi(scores))
    expected_global = float(jensen_shannon_mi(vectors["global"] @ whole.T / 2.0))
    found = terms(model)
    assert float(found["local_loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(found["global_loss"]) == pytest.approx(expected_global, rel=1e-5)
    assert float(found["loss"]) == pytest.approx(0.3 * expected_global + 0.7 * expected, rel=1e-5)
    np.testing.assert_allclose(model.score(X), np.einsum("nnl->nl", scores).mean(1), rtol=1e-4)


def test_two_outputs_do_instead_of_a_name_and_the_estimator_is_chosen():
    named = made(estimator="info_nce")
    graph = named.encoder
    outputs = [graph.output, graph.get_layer("local").output]
    both = DeepInfoMax(keras.Model(graph.input, outputs), estimator="info_nce", mi_units=8)
    both.set_weights(named.get_weights())
    np.testing.assert_array_equal(both.encode(X), named.encode(X))
    assert float(terms(both)["loss"]) == pytest.approx(float(terms(named)["loss"]), rel=1e-6)
    scores = np.einsum(
        "nd,mld->nml",
        named.embedding_networks["local"](named.encode(X)),
        named.map_networks["local"](named.maps(X)[1]),
    )
    assert float(terms(named)["local_loss"]) == pytest.approx(float(info_nce(scores)), rel=1e-5)


def gradients(model, loss_of, player):
    """`{"encoder", "networks", "discriminator"}`: the largest gradient on each."""
    with tf.GradientTape() as tape:
        loss = loss_of(terms(model, player=player, training=True))
    groups = {
        "encoder": model.encoder.trainable_variables,
        "networks": [v for n in model.embedding_networks.values() for v in n.trainable_variables],
        "discriminator": model.prior_matching.trainable_variables,
    }
    flat = tape.gradient(loss, [v for group in groups.values() for v in group])
    sizes = iter([0.0 if g is None else float(np.abs(g).max()) for g in flat])
    return {name: max(next(sizes) for _ in group) for name, group in groups.items()}


def test_the_encoder_never_learns_from_the_loss_of_the_discriminator():
    model = made(gamma=1.0)
    found = gradients(model, lambda t: t["loss"], "discriminator")
    assert found["encoder"] == found["networks"] == 0.0 and found["discriminator"] > 0
    trained = {id(v) for v in model.players()[0].variables()}
    assert not trained & {id(v) for v in model.players()[1].variables()}


@pytest.mark.parametrize("prior", ["uniform", "gaussian"])
def test_a_step_of_the_encoder_raises_the_discriminators_opinion_of_it(prior):
    model = made(gamma=1.0, prior=prior)
    before = model.prior_matching(model.encode(X)).numpy().mean()
    variables = model.encoder.trainable_variables
    with tf.GradientTape() as tape:
        loss = terms(model)["prior_loss"]
    assert float(loss) == pytest.approx(
        np.mean(np.log1p(np.exp(-np.asarray(model.prior_matching(model.encode(X)))))), rel=1e-5
    )
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(0.1 * gradient)
    assert model.prior_matching(model.encode(X)).numpy().mean() > before


@pytest.mark.slow
def test_prior_matching_draws_the_embeddings_to_the_prior():
    """Codes that start far from the prior come to its mean and deviation."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2,))
    local = keras.layers.Reshape((1, 2))(inputs)
    z = keras.layers.Dense(
        2, kernel_initializer="identity", bias_initializer=keras.initializers.Constant(2.5)
    )
    model = DeepInfoMax(
        keras.Model(inputs, [z(inputs), local]),
        **{"beta": 1e-6, "gamma": 1.0, "prior": "gaussian", "mi_units": 4, "prior_units": (16,), "seed": 0},
    )
    x = 0.3 * np.random.default_rng(0).standard_normal((256, 2)).astype("float32")
    adam, faster = (keras.optimizers.Adam(rate, beta_1=0.0) for rate in (2e-2, 5e-2))
    model.compile(adam, discriminator_optimizer=faster, jit_compile=False, steps_per_execution=50)
    model.fit(np.tile(x, (300, 1)), batch_size=256, shuffle=False, verbose=0)
    z = np.asarray(model.encode(x))
    assert np.abs(z.mean(axis=0)).max() < 0.25 and np.abs(z.std(axis=0) - 1.0).max() < 0.25


@pytest.mark.slow
def test_no_prior_no_discriminator_and_the_loss_is_the_encoders():
    model = made()
    assert [player.name for player in model.players()] == ["model"]
    model = made(gamma=0.5)
    model.compile("adam", discriminator_optimizer="sgd", jit_compile=False)
    logs = model.fit(X, verbose=0).history
    assert set(logs) == {"loss", "local_loss", "prior_loss", "discriminator_loss"}
    assert logs["loss"][0] == pytest.approx(logs["local_loss"][0] + 0.5 * logs["prior_loss"][0], rel=1e-5)


def test_sampled_locations_are_distinct_and_real():
    generator = keras.random.SeedGenerator(0)
    local = np.tile(np.arange(6.0)[None, :, None], (50, 1, 1)).astype("float32")
    drawn, mask = sample_positions(tf.constant(local), None, 4, generator)
    assert mask is None and all(len(set(row)) == 4 for row in drawn[:, :, 0].numpy())
    assert len(set(map(tuple, np.sort(drawn[:, :, 0].numpy())))) > 5
    real = tf.constant(np.arange(6)[None] < np.array([3, 6] * 25)[:, None])
    drawn, mask = sample_positions(tf.constant(local), real, 4, generator)
    assert mask.numpy().sum(axis=1).tolist() == [3, 4] * 25
    assert (drawn.numpy()[:, :, 0][0::2][mask.numpy()[0::2]] < 3).all()
    assert sample_positions(tf.constant(local), None, 99, generator)[0].shape == (50, 6, 1)


def test_padding_of_sequences_of_one_length_is_no_part_of_the_whole_map():
    inputs = keras.Input((4, 2))
    local = MaskedConv1D(3, 1, name="local")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(local)))
    model = DeepInfoMax(network, local="local", alpha=1.0, mi_units=8)
    x = np.random.default_rng(0).standard_normal((5, 4, 2)).astype("float32")
    lengths = np.array([4, 2, 1, 3, 4], "int32")
    dirty = np.where((np.arange(4) < lengths[:, None])[:, :, None], x, 99.0).astype("float32")
    clean, other = (terms(model, {"x": values, "lengths": lengths}) for values in (x, dirty))
    for name, value in clean.items():
        assert float(other[name]) == pytest.approx(float(value), rel=1e-5)


@pytest.mark.slow
def test_it_learns_what_the_locations_share():
    """Each of four patches shows one of two signs of the image, under its own strong noise."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (512, 2))
    patterns = rng.standard_normal((2, 16))
    patches = np.einsum("nk,kp->np", signs, patterns)[:, None] + 2.0 * rng.standard_normal((512, 4, 16))
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 16))
    local = keras.layers.Dense(16, activation="relu", name="local")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(local)))
    model = DeepInfoMax(network, local="local", mi_units=16)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    history = model.fit(patches.astype("float32"), batch_size=64, epochs=12, verbose=0).history
    assert history["local_loss"][-1] < -0.2  # 0 tells nothing
    z = np.asarray(model.encode(patches.astype("float32")))
    design = np.c_[z, np.ones(len(z))]
    fitted = design @ np.linalg.lstsq(design, signs, rcond=None)[0]
    assert ((fitted > 0) == (signs > 0)).mean() > 0.85


def test_network_starts_near_the_identity_where_there_is_room():
    keras.utils.set_random_seed(0)
    network = MutualInformationNetwork(6)
    network.build((None, 4))
    kernel = np.asarray(network.shortcut.kernel)
    np.testing.assert_array_equal(np.diag(kernel), np.ones(4))
    assert np.abs(kernel - np.eye(4, 6)).max() <= 0.01
    y = np.asarray(network(np.random.default_rng(0).random((5, 4)).astype("float32")))
    np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-5)  # layer normalisation
    with pytest.raises(ValueError, match="units must be at least 1"):
        MutualInformationNetwork(0)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"estimator": "mine"}, "estimator must be one of"),
        ({"alpha": 0.0, "beta": 0.0}, "alpha or beta must be positive"),
        ({"gamma": -1.0}, "at least 0"),
        ({"prior": "cauchy"}, "prior must be 'uniform' or 'gaussian'"),
        ({"sample_locations": 0}, "sample_locations must be at least 1"),
        ({"temperature": 0.0}, "temperature must be positive"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)


def test_an_encoder_without_a_local_map_is_refused():
    with pytest.raises(InputError, match="local must be the name of a layer"):
        DeepInfoMax(encoder(), local="map")
    with pytest.raises(InputError, match="must return .embedding, local map."):
        DeepInfoMax(encoder())
    graph = encoder()
    with pytest.raises(InputError, match=r"local map \(batch, ..., channels\)"):
        DeepInfoMax(graph, local=graph.layers[-1].name)
