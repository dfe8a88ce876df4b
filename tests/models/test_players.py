"""The training step of a model with two players, against numpy and against itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.models import BaseModel, Player
from keras_ae.ops.terms import weighted_mean


@keras.saving.register_keras_serializable(package="tests")
class Encoding(BaseModel):
    """An encoder that makes the critic's score small, a critic, updated twice, that draws it to 1."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = keras.layers.Dense(2, use_bias=False)
        self.critic = keras.layers.Dense(1, use_bias=False)
        self.track_terms("encoder_loss", "critic_loss")

    def build(self, input_shape):
        self.encoder.build(input_shape)
        self.critic.build((None, 2))
        self.built = True

    def players(self):
        return [
            Player("encoder", lambda: self.encoder.trainable_variables),
            Player("critic", lambda: self.critic.trainable_variables, updates=2),
        ]

    def compute_terms(self, x, y, sample_weight, training, player):
        score = ops.cast(self.critic(self.encoder(x))[:, 0], "float32")
        target = 0.0 if player == "encoder" else 1.0
        loss = weighted_mean(ops.square(score - target), sample_weight)
        return {"loss": loss, f"{player}_loss": loss}


X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")


def compiled(optimizer="sgd", dtype=None, **options):
    keras.utils.set_random_seed(0)
    model = Encoding(dtype=dtype)
    model.build((None, 3))
    model.compile(optimizer, **{"jit_compile": False, **options})
    return model


def numpy_step(w, v, x, rates):
    """One update of the encoder `w`, then two of the critic `v`; returns the losses too."""

    def residual(target):
        return (x @ w @ v)[:, 0] - target

    losses = [np.mean(residual(0) ** 2)]
    w = w - rates[0] * 2 / len(x) * x.T @ np.outer(residual(0), v[:, 0])
    for _ in range(2):
        losses.append(np.mean(residual(1) ** 2))
        v = v - rates[1] * 2 / len(x) * ((x @ w).T @ residual(1))[:, None]
    return w, v, losses


def test_each_player_descends_its_own_loss_as_often_as_it_says():
    sgd = keras.optimizers.SGD
    model = compiled(sgd(0.1), critic_optimizer=sgd(0.05))
    w, v = (np.asarray(kernel, "float64") for kernel in (model.encoder.kernel, model.critic.kernel))
    history = model.fit(X, batch_size=6, epochs=2, verbose=0, shuffle=False).history
    losses = []
    for batch in (X[:6], X[6:]) * 2:
        w, v, step = numpy_step(w, v, batch, (0.1, 0.05))
        losses.append(step)
    np.testing.assert_allclose(model.encoder.kernel, w, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.critic.kernel, v, rtol=1e-4, atol=1e-6)
    encoder, *critic = np.reshape(losses, (2, 2, 3)).mean(axis=1).T
    np.testing.assert_allclose(history["encoder_loss"], encoder, rtol=1e-4)
    np.testing.assert_allclose(history["critic_loss"], np.mean(critic, axis=0), rtol=1e-4)
    np.testing.assert_allclose(history["loss"], encoder, rtol=1e-4)  # that of the first player
    assert set(history) == {"loss", "encoder_loss", "critic_loss"}
    assert (int(model.optimizer.iterations), int(model.critic_optimizer.iterations)) == (4, 8)


@pytest.mark.parametrize("standing, moving", [("encoder", "critic"), ("critic", "encoder")])
def test_variables_of_a_player_stand_still_while_another_learns(standing, moving):
    model = compiled("sgd")
    optimizer = {"encoder": model.optimizer, "critic": model.critic_optimizer}[standing]
    optimizer.learning_rate = 0.0
    before = {name: getattr(model, name).kernel.numpy() for name in (standing, moving)}
    model.train_on_batch(X)
    np.testing.assert_array_equal(getattr(model, standing).kernel, before[standing])
    assert np.abs(getattr(model, moving).kernel - before[moving]).max() > 1e-4


def test_further_players_take_a_fresh_copy_of_the_optimizer_unless_given_one():
    model = compiled(keras.optimizers.Adam(3e-3))
    assert model.critic_optimizer is not model.optimizer
    assert model.critic_optimizer.get_config() == model.optimizer.get_config()
    model = compiled("adam", critic_optimizer="rmsprop")
    assert isinstance(model.critic_optimizer, keras.optimizers.RMSprop)


def test_optimizers_are_built_on_the_variables_of_their_player_inside_compile():
    model = compiled("adam")
    for optimizer, layer in ((model.optimizer, model.encoder), (model.critic_optimizer, model.critic)):
        assert optimizer.built
        slots = [variable for variable in optimizer.variables if variable.shape == layer.kernel.shape]
        assert len(slots) == 2


def test_a_model_that_is_not_built_builds_at_the_first_step():
    model = Encoding()
    model.compile("adam", jit_compile=False)
    model.fit(X, batch_size=6, verbose=0)
    assert int(model.critic_optimizer.iterations) == 4


def test_evaluation_reports_both_players_and_changes_nothing():
    model = compiled("sgd")
    before = model.get_weights()
    result = model.evaluate(X, batch_size=5, verbose=0, return_dict=True)
    _, _, (encoder, critic, _) = numpy_step(*(np.asarray(w, "float64") for w in before), X, (0, 0))
    assert result["encoder_loss"] == pytest.approx(encoder, rel=1e-5)  # batches of 5, 5 and 2, weighted alike
    assert result["critic_loss"] == pytest.approx(critic, rel=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_sample_weights_reach_both_players():
    keep = np.array([1.0] * 8 + [0.0] * 4, "float32")
    one, other = compiled("sgd"), compiled("sgd")
    one.fit(X, sample_weight=keep, batch_size=12, verbose=0, shuffle=False)
    other.fit(X[:8], batch_size=12, verbose=0, shuffle=False)
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_reload_has_both_optimizers_and_goes_on_bit_for_bit(tmp_path):
    model = compiled("adam", critic_optimizer=keras.optimizers.RMSprop(2e-3, momentum=0.9))
    model.fit(X, batch_size=6, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.critic_optimizer, keras.optimizers.RMSprop)
    assert (int(loaded.optimizer.iterations), int(loaded.critic_optimizer.iterations)) == (2, 4)
    for name in ("optimizer", "critic_optimizer"):
        ours, theirs = getattr(model, name), getattr(loaded, name)
        assert ours.get_config() == theirs.get_config()
        for one, other in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(one, other)
    for each in (model, loaded):
        each.fit(X, batch_size=6, verbose=0, shuffle=False)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_mixed_float16_scales_the_loss_of_every_player(tmp_path):
    model = compiled("adam", dtype="mixed_float16")
    scaled = keras.optimizers.LossScaleOptimizer
    model.fit(X, batch_size=6, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        for optimizer in (each.optimizer, each.critic_optimizer):
            assert isinstance(optimizer, scaled)
            assert not isinstance(optimizer.inner_optimizer, scaled)
    for name in ("optimizer", "critic_optimizer"):
        ours, theirs = getattr(model, name).variables, getattr(loaded, name).variables
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_the_loss_scale_does_not_change_the_step():
    plain, scaled = compiled("sgd"), compiled("sgd")
    scale = keras.optimizers.LossScaleOptimizer
    scaled.compile(
        scale(keras.optimizers.SGD()), critic_optimizer=scale(keras.optimizers.SGD()), jit_compile=False
    )
    for model in (plain, scaled):
        model.train_on_batch(X)
    for ours, theirs in zip(plain.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"loss": "mse"}, {"encoder_optimizer": "sgd"}, {"metrics": ["mae"]}], ids=str
)
def test_unknown_arguments_of_compile_are_named_with_the_known_ones(options):
    with pytest.raises(TypeError) as error:
        compiled("adam", **options)
    for part in (
        "Encoding owns its objective",
        "optimizer, critic_optimizer",
        f"Received: {next(iter(options))}",
    ):
        assert part in str(error.value)


def test_a_model_without_terms_says_what_to_define():
    model = BaseModel()
    with pytest.raises(TypeError, match="must define compute_terms"):
        model.compute_terms(tf.constant(X), None, None, True, "model")
