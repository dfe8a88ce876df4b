"""The adversarial disentangler: whose step moves what, the ramp of its weight, and what it removes."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_ae.errors import InputError
from keras_ae.evaluation import probe
from keras_ae.models import AdversarialDisentangler

CLASSES = 3


def networks(inputs=8, dim=4, units=16, penalty=None):
    encoder = keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(units, "relu", kernel_regularizer=penalty), layers.Dense(dim)]
    )
    z, label = keras.Input((dim,)), keras.Input((), dtype="int32")
    known = layers.Concatenate()([z, layers.Embedding(CLASSES, 4)(label)])
    decoder = keras.Model([z, label], layers.Dense(inputs)(layers.Dense(units, "relu")(known)))
    adversary = keras.Sequential(
        [keras.Input((dim,)), layers.Dense(units, "relu"), layers.Dense(CLASSES, kernel_regularizer=penalty)]
    )
    return encoder, decoder, adversary


def made(rate=0.05, penalty=None, **options):
    keras.utils.set_random_seed(0)
    model = AdversarialDisentangler(*networks(penalty=penalty), **options)
    sgd = keras.optimizers.SGD
    model.compile(sgd(rate), adversary_optimizer=sgd(rate), jit_compile=False)
    return model


def data(examples=24, seed=0):
    rng = np.random.default_rng(seed)
    label = np.arange(examples, dtype="int32") % CLASSES
    return {"x": rng.normal(size=(examples, 8)).astype("float32"), "label": label}


def weights_of(model):
    parts = (model.encoder, model.decoder, model.adversary.classifier)
    return [[weight.numpy() for weight in part.weights] for part in parts]


def moved(before, after):
    """Whether encoder, decoder, adversary have moved."""
    return [
        any(not np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        for old, new in zip(before, after, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss, penalty", [("confusion", "l2"), ("entropy", None), ("gradient_reversal", None)]
)
def test_the_adversary_moves_itself_alone_and_the_encoder_never_moves_it(loss, penalty):
    for standing, expected in (
        ("optimizer", [False, False, True]),
        ("adversary_optimizer", [True, True, False]),
    ):
        model = made(adversarial_loss=loss, penalty=penalty)
        getattr(model, standing).learning_rate = 0.0
        before = weights_of(model)
        model.train_on_batch(data())
        assert moved(before, weights_of(model)) == expected, standing


def test_each_stage_moves_its_players_for_its_steps():
    model = made(autoencoder_steps=2, adversary_steps=1)
    seen = []
    for _ in range(4):
        before = weights_of(model)
        model.train_on_batch(data())
        seen.append((model.stage, moved(before, weights_of(model))))
    both = ("auto_encoder", [True, True, False])
    assert seen == [both, both, ("adversary", [False, False, True]), ("joint", [True, True, True])]
    assert (int(model.optimizer.iterations), int(model.adversary_optimizer.iterations)) == (3, 1 + 5)


@pytest.mark.slow
def test_the_weight_rises_over_the_joint_steps_only(tmp_path):
    ramp = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 0.8)
    model = made(autoencoder_steps=2, adversary_steps=2, adversarial_weight=ramp)
    seen = []
    for step in range(10):
        if step == 6:  # also where the training goes on elsewhere
            model.save(tmp_path / "model.keras")
            model = keras.saving.load_model(tmp_path / "model.keras")
        model.train_on_batch(data())
        seen.append(float(model.adversary.weight.variable))
    np.testing.assert_allclose(seen, [0.0] * 4 + [0.0, 0.2, 0.4, 0.6, 0.8, 0.8], atol=1e-6)


def test_evaluation_moves_neither_weight_nor_stage():
    ramp = keras.optimizers.schedules.PolynomialDecay(0.2, 4, 0.8)
    model = made(adversarial_weight=ramp)
    before = model.get_weights()
    logs = model.evaluate(data(), verbose=0, return_dict=True)
    expected = logs["reconstruction_loss"] + 0.2 * logs["adversarial_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_loss_of_the_first_stage_has_no_adversary():
    model = made(rate=0.0, autoencoder_steps=10, adversarial_weight=3.0)
    logs = model.train_on_batch(data(), return_dict=True)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"], rel=1e-6)
    assert logs["adversarial_loss"] == logs["adversary_loss"] == 0.0


@pytest.mark.slow
def test_sample_weights_reach_every_term():
    keep = np.array([1.0] * 18 + [0.0] * 6, "float32")
    one, other = made(), made()
    one.fit(data(), sample_weight=keep, batch_size=24, epochs=2, verbose=0, shuffle=False)
    kept = {name: values[:18] for name, values in data().items()}
    other.fit(kept, batch_size=18, epochs=2, verbose=0, shuffle=False)
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)  # float32 sums of 24 and of 18


def test_the_label_has_the_name_that_it_is_given():
    model = made(label="speaker")
    x = data()
    with pytest.raises(InputError, match='"speaker".*Received: .*unknown "label", without "speaker"'):
        model.fit(x, verbose=0)
    model.fit({"x": x["x"], "speaker": x["label"]}, verbose=0)
    assert model.encode(x["x"]).shape == (24, 4)  # encoding asks for none
    assert set(model.endpoints()["decode"].inputs) == {"embedding", "speaker"}
    assert set(model.endpoints()["encode"].inputs) == {"x"}
    for name, endpoint in model.endpoints().items():
        expected = {} if name == "encode" else {"speaker": (0, CLASSES - 1)}
        assert endpoint.value_ranges == expected, name


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="adversary_updates must be at least 1"):
        made(adversary_updates=0)
    with pytest.raises(ValueError, match="at least 0"):
        made(autoencoder_steps=-1)


def nuisance_data(examples, seed, mixing):
    """`x` mixes a content of two classes and a nuisance of three, both with noise."""
    rng = np.random.default_rng(seed)
    content, label = rng.integers(0, 2, examples), rng.integers(0, CLASSES, examples)
    hidden = np.concatenate([3.0 * np.eye(2)[content], 3.0 * np.eye(CLASSES)[label]], axis=1)
    x = (hidden + 0.3 * rng.normal(size=hidden.shape)) @ mixing
    return {"x": x.astype("float32"), "label": label.astype("int32")}, content


@pytest.mark.slow
def test_a_nuisance_goes_and_the_content_stays():
    """A fresh probe on held-out examples: the nuisance falls from 1 to near chance, the content stays."""
    mixing = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0][:5]
    train, _ = nuisance_data(512, 2, mixing)
    held_out, content = nuisance_data(600, 3, mixing)
    found = {}
    for name, strength in (("without", 0.0), ("with", 1.0)):
        keras.utils.set_random_seed(0)
        ramp = keras.optimizers.schedules.PolynomialDecay(0.0, 200, strength)
        steps = {"adversary_updates": 3, "autoencoder_steps": 64, "adversary_steps": 32}
        model = AdversarialDisentangler(*networks(dim=3, units=32), adversarial_weight=ramp, **steps)
        adam = keras.optimizers.Adam
        model.compile(adam(3e-3), adversary_optimizer=adam(5e-3), jit_compile=False)
        model.fit(train, batch_size=32, epochs=45 if strength else 8, verbose=0)
        z = np.asarray(model.encode(held_out["x"]))
        found[name] = probe(z, held_out["label"])["linear"], probe(z, content)["linear"]
    assert found["without"][0] > 0.9, found
    assert found["with"][0] < 0.5, found  # chance .33; 150 held-out examples: two deviations are .08
    assert found["with"][1] > 0.95, found
