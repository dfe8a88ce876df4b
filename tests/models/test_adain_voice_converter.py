"""AdaIN voice conversion: networks and objective against numpy, and what it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.layers import InstanceNormalization, LinearDependence, SpectralPerturbation
from keras_ae.models import AdaINVoiceConverter
from keras_ae.networks import adain_decoder, content_encoder, speaker_encoder

MELS, CONTENT, VOICE = 6, 3, 4
SMALL = {"filters": 5, "bank": 2, "strides": (2, 1)}


def model(encoder=None, decoder=None, **options):
    keras.utils.set_random_seed(0)
    content = content_encoder(MELS, 2 * CONTENT, **{**SMALL, **(encoder or {})})
    decoder = adain_decoder(MELS, CONTENT, VOICE, **{"filters": 5, "strides": (2, 1), **(decoder or {})})
    return AdaINVoiceConverter(content, speaker_encoder(MELS, VOICE, **SMALL), decoder, **options)


def frames(examples=4, length=11, seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.linspace(4, length, examples).astype("int32")
    x = rng.standard_normal((examples, length, MELS)).astype("float32")
    return {"x": x, "lengths": lengths, "speaker": np.array([0, 1, 0, 1][:examples], "int32")}


# the networks


def convolution(x, kernel, bias):
    """Of one utterance, zeros beyond its ends, float64."""
    reach = len(kernel) - 1
    padded = np.pad(np.asarray(x, "float64"), ((reach // 2, reach - reach // 2), (0, 0)))
    return bias + sum(padded[j : len(x) + j] @ tap for j, tap in enumerate(kernel))


def normalized(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


def test_a_block_of_the_decoder_is_that_of_the_paper():
    keras.utils.set_random_seed(0)
    network = adain_decoder(MELS, CONTENT, VOICE, filters=5, strides=(2,))
    rng = np.random.default_rng(0)
    for weight in network.weights:  # biases too: a missing one would not show
        weight.assign(rng.normal(size=weight.shape))
    first, conv, scale, conv_up, scale_up, out = [
        [weight.numpy() for weight in layer.weights] for layer in network.layers if layer.weights
    ]
    content, voice = rng.normal(size=(7, CONTENT)), rng.normal(size=VOICE)

    def adain(x, weights):
        gamma, beta = np.split(voice @ weights[0] + weights[1], 2)
        return gamma * normalized(x) + beta

    h = np.maximum(normalized(convolution(content, *first)), 0)
    g = np.maximum(adain(convolution(h, *conv), scale), 0)
    up = convolution(g, *conv_up)  # (7, 10): channel 2 c + j is channel c of frame j
    up = up.reshape(7, 5, 2).transpose(0, 2, 1).reshape(14, 5)
    h = np.maximum(adain(up, scale_up), 0) + np.repeat(h, 2, axis=0)
    # float32 sums of some tens of terms, scaled by normalisation
    np.testing.assert_allclose(
        network([content[None], voice[None]])[0], h @ out[0] + out[1], rtol=1e-3, atol=1e-3
    )


def test_a_block_of_the_content_encoder_is_that_of_the_paper():
    keras.utils.set_random_seed(0)
    network = content_encoder(MELS, 4, filters=5, bank=2, strides=(2,))
    one, two, mix, conv, down, out = [
        [weight.numpy() for weight in layer.weights] for layer in network.layers if layer.weights
    ]
    x = np.random.default_rng(0).normal(size=(7, MELS))
    bank = [np.maximum(convolution(x, *weights), 0) for weights in (one, two)]
    h = np.maximum(normalized(convolution(np.concatenate([*bank, x], axis=1), *mix)), 0)
    g = np.maximum(normalized(convolution(h, *conv)), 0)
    g = np.maximum(normalized(convolution(g, *down)[::2]), 0)
    pooled = np.stack([h[2 * i : 2 * i + 2].mean(axis=0) for i in range(4)])
    # as above
    np.testing.assert_allclose(network(x[None])[0], (g + pooled) @ out[0] + out[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("instance_norm", [True, False])
def test_normalisation_takes_level_and_colour_of_an_utterance_away(instance_norm):
    """Louder by one factor and shifted in every band: the same words of another voice and microphone."""
    encoder = content_encoder(MELS, 4, filters=5, bank=0, strides=(2,), instance_norm=instance_norm)
    x = frames()["x"]
    other = 2.0 * x + np.random.default_rng(1).normal(size=MELS).astype("float32")
    distance = np.abs(np.asarray(encoder(x) - encoder(other))).max()
    # exact up to epsilon beside the variance of the channels: 1e-5 of about 1
    assert distance < 1e-3 if instance_norm else distance > 0.1


def test_without_instance_norm_and_adain_nothing_is_normalised():
    network = model({"instance_norm": False}, {"adain": False, "normalize_content": False})
    kinds = {type(layer).__name__ for layer in network._flatten_layers()}
    assert not kinds & {"InstanceNormalization", "AdaIN"} and "AddCondition" in kinds
    assert {"InstanceNormalization", "AdaIN"} <= {type(layer).__name__ for layer in model()._flatten_layers()}
    x = frames()
    assert np.isfinite(np.asarray(network.convert(x, frames(seed=1)))).all()


@pytest.mark.parametrize("strides, codes", [((1,), 11), ((2, 2), 3), ((4,), 3), ((1, 2, 1, 2), 3)])
def test_content_has_the_rate_asked_for_and_the_voice_has_none(strides, codes):
    network = content_encoder(MELS, 4, filters=3, bank=1, strides=strides)
    decoder = adain_decoder(MELS, 4, VOICE, filters=3, strides=strides)
    content = network(frames()["x"])
    assert content.shape == (4, codes, 4)
    assert decoder([content, tf.zeros((4, VOICE))]).shape[1] >= 11
    voice = speaker_encoder(MELS, VOICE, filters=3, bank=1, strides=strides)
    assert voice(frames()["x"]).shape == (4, VOICE)


# the objective


def test_the_loss_is_the_equation():
    network, x = model(reconstruction_weight=7.0, kl_weight=0.3), frames()
    terms = network.compute_terms(x, None, None, training=False, player="model")
    reconstruction, errors, divergences = np.asarray(network.reconstruct(x)), [], []
    for one, other, length in zip(x["x"], reconstruction, x["lengths"], strict=True):
        errors.append(np.abs(one - other)[:length])
        raw = np.asarray(network.content_encoder(one[None, :length]), "float64")[0]
        mean, variance = raw[:, :CONTENT], np.exp(10 * np.tanh(raw[:, CONTENT:] / 10))
        divergences.append(0.5 * (mean**2 + variance - 1 - np.log(variance)))
    error, kl = np.concatenate(errors).mean(), np.concatenate(divergences).mean()
    # float32 means of some hundred values
    np.testing.assert_allclose(terms["reconstruction_loss"], error, rtol=1e-5)
    np.testing.assert_allclose(terms["kl_loss"], kl, rtol=1e-5)
    np.testing.assert_allclose(terms["loss"], 7.0 * error + 0.3 * kl, rtol=1e-5)


def test_content_is_the_mean_and_training_samples_around_it():
    network, x = model(seed=0), frames()
    np.testing.assert_array_equal(network.content(x["x"]), network.content_encoder(x["x"])[..., :CONTENT])
    losses = [network.compute_terms(x, None, None, True, "model")["loss"] for _ in range(2)]
    assert losses[0] != losses[1]
    still = [network.compute_terms(x, None, None, False, "model")["loss"] for _ in range(2)]
    assert still[0] == still[1]


def mask_of(x):
    return np.arange(x["x"].shape[1]) < x["lengths"][:, None]


def test_the_weight_of_the_kl_warms_up_over_the_training_steps():
    network, weights = model(kl_weight=keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)), []
    for training in (True, True, False, True, True, True, True):
        network.compute_terms(frames(), None, None, training, "model")
        weights.append(float(network.kl_weight))
    assert weights == [0.0, 0.25, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_the_voice_is_that_of_the_next_utterance_of_the_speaker():
    network, x = model(voice_of="speaker"), frames(6)
    x["speaker"] = np.array([2, 0, 2, 1, 0, 2], "int32")
    network.voice = lambda x, example, mask, training: (example, mask)  # what the speaker encoder is given
    given = tf.constant(x["x"])
    _, (example, mask) = network._spoken_and_voice(x, given, given, mask_of(x), None, True)
    next_one = [2, 4, 5, 3, 1, 0]
    np.testing.assert_array_equal(example, x["x"][next_one])
    np.testing.assert_array_equal(mask, mask_of(x)[next_one])
    weight = np.array([1, 1, 0, 1, 0, 1], "float32")  # what does not count lends no voice
    _, (example, _) = network._spoken_and_voice(x, given, given, None, weight, True)
    np.testing.assert_array_equal(example, x["x"][[5, 1, 5, 3, 1, 0]])
    _, (alone, _) = network._spoken_and_voice(x, given, given, mask_of(x), None, False)
    np.testing.assert_array_equal(alone, x["x"])  # to validate no partner is needed


@pytest.mark.parametrize("voice_of", ["utterance", "speaker"])
def test_target_and_voice_are_perturbed_alike_and_content_otherwise(voice_of):
    network, x = model(perturbation=SpectralPerturbation(0.0, 1.0, seed=0), voice_of=voice_of), frames()
    network.voice = lambda x, example, mask, training: example
    given = tf.constant(x["x"])
    heard = network._view(given, True)
    target, example = network._spoken_and_voice(x, given, given, mask_of(x), None, True)
    bends = [np.asarray(part) - x["x"] for part in (heard, target)]
    partners = [2, 3, 0, 1] if voice_of == "speaker" else [0, 1, 2, 3]
    bends.append(np.asarray(example) - x["x"][partners])
    # float32 differences of numbers of size 1
    np.testing.assert_allclose(bends[1], bends[2], atol=1e-5)
    assert np.abs(bends[0] - bends[1]).max() > 0.1
    np.testing.assert_array_equal(network._view(given, False), given)
    for part in network._spoken_and_voice(x, given, given, mask_of(x), None, False):
        np.testing.assert_array_equal(part, given)


def test_consistency_is_how_far_two_views_are_apart():
    given = {"perturbation": SpectralPerturbation(0.2, 1.0, seed=0), "consistency_weight": 3.0}
    network, x = model(kl_weight=0.0, reconstruction_weight=0.0, **given), frames()
    terms = network.compute_terms(x, None, None, True, "model")
    assert terms["consistency_loss"] > 0.0
    # float32 products
    np.testing.assert_allclose(terms["loss"], 3.0 * terms["consistency_loss"], rtol=1e-6)
    assert network.compute_terms(x, None, None, False, "model")["consistency_loss"] == 0.0
    assert "consistency_loss" not in model().compute_terms(x, None, None, True, "model")


def test_independence_is_that_of_eight_parts_of_the_content():
    network, x = model(independence_weight=5.0), frames(6)
    x["speaker"] = np.array([0, 1, 0, 1, 2, 2], "int32")
    x["lengths"] = np.full(6, 16, "int32")  # 8 codes: each is a part
    x["x"] = np.random.default_rng(1).standard_normal((6, 16, MELS)).astype("float32")
    terms = network.compute_terms(x, None, None, False, "model")
    parts = np.asarray(network.content(x)).reshape(6, 8 * CONTENT)
    expected = LinearDependence()(parts, x["speaker"])
    np.testing.assert_allclose(terms["speaker_dependence"], expected, rtol=1e-5)
    without = model().compute_terms(x, None, None, False, "model")
    # float32 sums
    np.testing.assert_allclose(terms["loss"] - without["loss"], 5.0 * expected, rtol=1e-4)


def test_voices_of_speakers_ask_who_speaks():
    network, x = model(voice_of="speaker"), frames()
    alone = {name: x[name] for name in ("x", "lengths")}
    with pytest.raises(InputError, match="speaker must be given"):
        network.compute_terms(alone, None, None, True, "model")
    network.compute_terms(alone, None, None, False, "model")
    with pytest.raises(ValueError, match="voice_of"):
        model(voice_of="nobody")


def test_another_target_can_be_given():
    network, x = model(), frames()
    clean, far = (
        float(network.compute_terms(x, target, None, False, "model")["reconstruction_loss"])
        for target in (None, x["x"] + 10.0)
    )
    assert 9.0 < far - clean < 11.0


def test_a_content_encoder_without_log_variances_is_refused():
    with pytest.raises(InputError, match="contents of 3 channels"):
        AdaINVoiceConverter(
            content_encoder(MELS, CONTENT, **SMALL),
            speaker_encoder(MELS, VOICE, **SMALL),
            adain_decoder(MELS, CONTENT, VOICE, filters=5),
        )


def test_it_comes_back_with_its_options(tmp_path):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    options = {"kl_weight": schedule, "perturbation": SpectralPerturbation(0.1, 0.5), "voice_of": "speaker"}
    network, x = model(**options), frames()
    network.compute_terms(x, None, None, True, "model")
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.encode(x), network.encode(x), atol=1e-6)
    assert again.voice_of == "speaker" and again.perturbation.tilt == 0.5
    assert int(again.warm_up.step) == 1
    assert any(isinstance(layer, InstanceNormalization) for layer in again._flatten_layers())


# what it learns


def spoken(voices, words, seed=0, length=12):
    """Frames of words (a wave over time in half of the bands) by voices (a level of each band)."""
    rng = np.random.default_rng(seed)
    time = np.arange(length)[:, None]
    wave = 1.5 * np.sin(0.6 * time + np.array(words)[:, None, None]) * (np.arange(MELS) % 2)
    return (wave + np.asarray(voices)[:, None] + 0.05 * rng.standard_normal(wave.shape)).astype("float32")


@pytest.mark.slow
def test_one_utterance_of_an_unseen_voice_is_enough_to_convert():
    rng = np.random.default_rng(0)
    x = spoken(rng.normal(size=(256, MELS)), rng.uniform(0, 6.28, 256))
    network = model(
        {"filters": 16, "bank": 0, "strides": (2,)}, {"filters": 16, "strides": (2,)}, kl_weight=0.01, seed=0
    )
    network.compile(keras.optimizers.Adam(1e-2))
    network.fit(x, batch_size=32, epochs=15, verbose=0)
    unseen, words = rng.normal(size=(2, 20, MELS)), rng.uniform(0, 6.28, 20)
    source, target = spoken(unseen[0], words, 1), spoken(unseen[1], words[::-1], 2)
    converted = np.asarray(network.convert(source, target))
    expected = spoken(unseen[1], words, 3)
    error, nothing = np.abs(converted - expected).mean(), np.abs(source - expected).mean()
    # a level of N(0, 1) apart from another is 1.1 on average, what is left is a fraction of it
    assert error < 0.5 * nothing
    content = np.abs(np.asarray(network.content(source) - network.content(expected))).mean()
    spread = np.abs(np.asarray(network.content(source) - network.content(source[::-1]))).mean()
    assert content < 0.25 * spread  # the same words are the same content, whoever says them
