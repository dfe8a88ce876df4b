"""The voice converter against an adversary: its terms, who moves in which stage, its residual generator."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers import MaskedConv1D, SegmentMeans
from keras_ae.models import AdversarialVoiceConverter
from keras_ae.models.speech.adversarial_voice_converter import discriminator_terms, generator_terms
from keras_ae.networks import (
    conv_bank_encoder,
    patch_discriminator,
    speaker_classifier,
    speaker_decoder,
    speaker_encoder,
    table_adain_decoder,
)
from keras_ae.ops.sequences import call_under_mask

MELS, CONTENT, SPEAKERS = 4, 3, 3
DECODER = {"speaker_dim": 2, "filters": 4, "halvings": 1, "residual_blocks": 1}


def decoder(table=True, **options):
    return speaker_decoder(MELS, CONTENT, num_speakers=SPEAKERS if table else None, **DECODER, **options)


def made(table=True, residual=False, rate=0.05, eagerly=True, **options):
    keras.utils.set_random_seed(0)
    if residual:
        options["generator"] = decoder(table, starts_at_zero=True)
        options["discriminator"] = patch_discriminator(MELS, SPEAKERS, filters=4, blocks=1)
        options.setdefault("joint_steps", 0)
    if not table:
        options["speaker_encoder"] = speaker_encoder(MELS, 2, filters=4, bank=1, strides=(2,))
    model = AdversarialVoiceConverter(
        conv_bank_encoder(MELS, CONTENT, filters=4, bank=2, halvings=1, residual_blocks=1),
        decoder(table),
        speaker_classifier(CONTENT, SPEAKERS, units=4, segments=2),
        seed=0,
        **options,
    )
    others = [player.name for player in model.players()[1:]]
    sgd = keras.optimizers.SGD
    model.compile(sgd(rate), **{f"{name}_optimizer": sgd(rate) for name in others}, run_eagerly=eagerly)
    return model


def utterances(examples=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, 9, MELS)).astype("float32")
    lengths = rng.integers(4, 10, examples).astype("int32")
    return {"x": x, "lengths": lengths, "speaker": np.arange(examples, dtype="int32") % SPEAKERS}


def weights_of(model):
    parts = {"content_encoder": model.content_encoder, "speaker_encoder": model.speaker_encoder}
    parts |= {"decoder": model.decoder, "adversary": model.adversary.classifier}
    parts |= {"generator": model.generator, "discriminator": model.discriminator}
    return {name: [w.numpy() for w in part.weights] for name, part in parts.items() if part is not None}


def moved(before, after):
    return {n for n in before if any((a != b).any() for a, b in zip(before[n], after[n], strict=True))}


@pytest.mark.slow
@pytest.mark.parametrize("table", [True, False], ids=["table", "encoder"])
def test_each_stage_moves_its_players_and_no_others(table):
    options = {"adversary_updates": 2, "discriminator_updates": 3}
    model = made(table, True, autoencoder_steps=1, adversary_steps=1, joint_steps=2, **options)
    seen = []
    for _ in range(5):
        before = weights_of(model)
        model.train_on_batch(utterances())
        seen.append((model.stage, moved(before, weights_of(model))))
    own = {"content_encoder", "decoder"} | (set() if table else {"speaker_encoder"})
    joint, residual = ("joint", own | {"adversary"}), ("residual", {"generator", "discriminator"})
    assert seen == [("auto_encoder", own), ("adversary", {"adversary"}), joint, joint, residual]
    steps = {"": 3, "adversary_": 1 + 2 * 2, "discriminator_": 3, "generator_": 1}
    for name, expected in steps.items():
        assert int(getattr(model, f"{name}optimizer").iterations) == expected, name


@pytest.mark.parametrize("player", ["model", "adversary", "generator", "discriminator"])
def test_gradients_of_a_player_reach_its_own_variables(player):
    model = made(table=False, residual=True)
    own = {id(v) for one in model.players() if one.name == player for v in one.variables()}
    with tf.GradientTape() as tape:
        loss = model.compute_terms(utterances(), None, None, training=False, player=player)["loss"]
    gradients = zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True)
    reached = {id(v) for v, gradient in gradients if gradient is not None}
    assert own <= reached or player == "discriminator"  # the bias of its score falls out of the difference
    if player == "adversary":
        assert reached == own


def test_the_loss_of_the_model_is_error_and_weighted_adversary():
    weights = {"linear_weight": 0.5, "correlation_weight": 0.3}
    model = made(adversarial_weight=0.4, adversarial_loss="entropy", **weights)
    x = utterances()
    terms = model.compute_terms(x, None, None, training=False, player="model")
    real = np.arange(9) < x["lengths"][:, None]
    error = np.abs(x["x"] - np.asarray(model.reconstruct(x))).mean(axis=2)[real].mean()
    assert float(terms["reconstruction_loss"]) == pytest.approx(error, rel=1e-5)
    content = model.content(x)
    logits = model.adversary.logits(content, content._keras_mask).numpy().astype("float64")
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    entropy = (p * np.log(p)).sum(axis=-1).mean() + np.log(SPEAKERS)
    assert float(terms["adversarial_loss"]) == pytest.approx(entropy, rel=1e-4)
    means = np.asarray(SegmentMeans(8)(content, mask=content._keras_mask)).reshape(6, -1)
    alike = means @ means.T / (1 + 0.1 + 1e-4)  # the covariance starts as the identity
    same = np.equal.outer(x["speaker"], x["speaker"])
    linear = alike[same & ~np.eye(6, dtype=bool)].mean() - alike[~same].mean()
    assert float(terms["speaker_dependence"]) == pytest.approx(linear, rel=1e-3)
    squares = np.corrcoef(np.asarray(content)[np.asarray(content._keras_mask)], rowvar=False) ** 2
    repeated = (squares.sum() - CONTENT) / (CONTENT * (CONTENT - 1))
    assert float(terms["channel_correlation"]) == pytest.approx(repeated, rel=1e-2)
    expected = error + 0.4 * (entropy + 0.5 * linear) + 0.3 * repeated
    assert float(terms["loss"]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_the_decoder_alone_learns_that_its_conversions_say_the_same():
    model = made(joint_steps=0, decoder_steps=1, consistency_weight=0.7)
    x = utterances()
    terms = model.compute_terms(x, None, None, training=False, player="decoder")
    content, real = model.content(x), np.arange(9) < x["lengths"][:, None]
    others = np.roll(x["speaker"], -1)
    again = model.content({"x": model.convert(x, others), "lengths": x["lengths"]})
    codes = np.asarray(content._keras_mask)
    difference = np.square(np.asarray(again) - np.asarray(content)).mean(axis=2)[codes].mean()
    error = np.abs(x["x"] - np.asarray(model.reconstruct(x))).mean(axis=2)[real].mean()
    assert float(terms["consistency_loss"]) == pytest.approx(difference, rel=1e-4)
    assert float(terms["loss"]) == pytest.approx(error + 0.7 * difference, rel=1e-4)
    before = weights_of(model)
    model.decoder_optimizer.learning_rate = 0.1
    for _ in range(20):
        model.train_on_batch(x)
    assert moved(before, weights_of(model)) == {"decoder"}
    assert model.evaluate(x, batch_size=6, verbose=0, return_dict=True)["consistency_loss"] < 0.8 * difference


def linear_judge(kernel, speaker_kernel):
    def judge(frames):
        frames = ops.cast(frames, "float32")
        return ops.sum(frames * kernel, axis=(1, 2)), ops.mean(frames, axis=1) @ speaker_kernel

    return judge


def test_terms_of_the_discriminator_and_the_generator_are_those_of_numpy():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 5, 7, MELS)).astype("float32")
    kernel = rng.normal(size=(7, MELS)).astype("float32")
    speakers = rng.normal(size=(MELS, SPEAKERS)).astype("float32")
    labels, weight = np.array([0, 1, 2, 0, 1]), np.array([1, 2, 0, 1, 1], "float32")

    def mean(values):
        return np.average(values, weights=weight)

    def cross_entropy(frames):
        logits = frames.mean(axis=1) @ speakers
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(5), labels]

    judge, mix = linear_judge(kernel, speakers), np.linspace(0, 1, 5).astype("float32")
    terms = discriminator_terms(judge, real, ops.convert_to_tensor(fake), labels, mix, 10.0, weight)
    expected = {
        "critic_loss": mean(((fake - real) * kernel).sum(axis=(1, 2))),
        "gradient_penalty": (np.linalg.norm(kernel) - 1) ** 2,  # of a linear critic, everywhere
        "real_speaker_loss": mean(cross_entropy(real)),
    }
    expected["loss"] = sum(expected.values()) + 9.0 * expected["gradient_penalty"]
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4), name
    terms = generator_terms(judge, ops.convert_to_tensor(fake), labels, weight)
    assert float(terms["generator_loss"]) == pytest.approx(-mean((fake * kernel).sum(axis=(1, 2))), rel=1e-4)
    assert float(terms["converted_speaker_loss"]) == pytest.approx(mean(cross_entropy(fake)), rel=1e-4)


@pytest.mark.slow
def test_an_untrained_generator_adds_nothing_and_a_trained_one_is_in_every_conversion():
    model, x = made(residual=True), utterances()
    target = ops.convert_to_tensor([1, 2, 0, 1, 2, 0])
    content = model.content(x)
    masks = [content._keras_mask, None]

    def said(network):
        real = np.arange(9)[:, None] < x["lengths"][:, None, None]
        return np.where(real, call_under_mask(network, [content, target], masks)[:, :9], 0)

    before = model.convert(x, target)
    np.testing.assert_array_equal(before, said(model.decoder))
    model.fit(x, batch_size=6, epochs=2, verbose=0)
    after = model.convert(x, target)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, said(model.decoder) + said(model.generator), atol=1e-6)


@pytest.mark.slow
def test_the_residual_generator_learns_to_be_taken_for_real():
    """Frames whose bands lie 2 higher than the decoder's: the generator learns to add what is missing."""
    model = made(residual=True, rate=0.0, discriminator_updates=2)
    x = {**utterances(24), "x": 0.1 * utterances(24)["x"] + 2.0}
    adam = keras.optimizers.Adam
    names = [f"{player.name}_optimizer" for player in model.players()[1:]]
    model.compile(adam(0.0), **{name: adam(5e-3, beta_1=0.5) for name in names}, jit_compile=False)
    frames = [np.asarray(model.convert(x, x["speaker"]))]
    model.fit(x, batch_size=24, epochs=150, verbose=0)
    frames.append(np.asarray(model.convert(x, x["speaker"])))
    real = np.arange(9) < x["lengths"][:, None]
    before, after = (abs(one[real].mean() - 2.0) for one in frames)
    assert before > 1.5 and after < 0.5, (before, after)


@pytest.mark.slow
def test_the_content_passes_the_adversary_and_the_speaker_is_in_the_decoder():
    """Speakers who differ by a constant in every band: the converted frames move by it."""
    rng = np.random.default_rng(1)
    words = rng.normal(size=(96, 9, 1)).astype("float32")
    speaker = np.arange(96, dtype="int32") % SPEAKERS
    x = {"x": np.repeat(words, MELS, axis=2) + (speaker - 1.0)[:, None, None].astype("float32")}
    x |= {"speaker": speaker, "lengths": np.full(96, 9, "int32")}
    model = made(adversarial_weight=0.3, adversary_updates=2, autoencoder_steps=30)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    model.fit(x, batch_size=32, epochs=60, verbose=0)
    low, high = (np.asarray(model.convert(x, np.full(96, s))).mean() for s in (0, 2))
    assert high - low > 1.4  # the speakers lie 2 apart


@pytest.mark.parametrize("table", [True, False], ids=["table", "vector"])
def test_the_adain_decoder_gives_each_speaker_a_voice(table):
    """A row of the table does what the same vector does; noise is for training alone."""
    keras.utils.set_random_seed(0)
    options = {"num_speakers": SPEAKERS if table else None, "speaker_dim": 2, "filters": 4, "halvings": 1}
    network = table_adain_decoder(MELS, CONTENT, noise=1.0, seed=0, **options)
    content = np.random.default_rng(0).normal(size=(2, 5, CONTENT)).astype("float32")
    voices = np.array([[1.0, -1.0], [0.5, 2.0]], "float32")
    speaker = np.array([2, 0])
    if table:
        network.get_layer("speakers").embeddings.assign(np.stack([voices[1], voices[1], voices[0]]))
    frames = np.asarray(network([content, speaker if table else voices]))
    inner = network.get_layer("adain_decoder")
    np.testing.assert_allclose(frames, inner([content, voices]), rtol=1e-5, atol=1e-6)
    assert frames.shape == (2, 10, MELS) and np.abs(frames[0] - frames[1]).max() > 1e-3
    noisy = network([content, speaker if table else voices], training=True)
    assert np.abs(noisy - frames).max() > 1e-2


def test_a_standardised_content_has_mean_0_and_deviation_1():
    network = conv_bank_encoder(MELS, 3, filters=4, bank=1, halvings=1, standardize=True)
    x = np.random.default_rng(0).normal(size=(8, 20, MELS)).astype("float32")
    z = np.asarray(network(x, training=True))
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0.0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1.0, atol=2e-2)


def test_the_networks_say_what_they_take():
    with pytest.raises(ValueError, match="must be given together, and joint_steps"):
        made(joint_steps=3)
    with pytest.raises(ValueError, match="updates must be at least 1"):
        made(adversary_updates=0)
    with pytest.raises(
        InputError, match='"speaker".*Received: a dictionary with "lengths", "x", without "speaker"'
    ):
        made().fit({name: utterances()[name] for name in ("x", "lengths")}, verbose=0)
    assert made().num_speakers == SPEAKERS


@pytest.mark.parametrize(
    "network, inputs",
    [
        (lambda: conv_bank_encoder(MELS, 3, filters=4, parts=[MaskedConv1D(MELS, 1)]), MELS),
        (lambda: speaker_classifier(MELS, 3, units=4), MELS),
        (lambda: patch_discriminator(MELS, 3, filters=4), MELS),
    ],
    ids=["encoder", "classifier", "discriminator"],
)
def test_padding_reaches_no_network(network, inputs):
    keras.utils.set_random_seed(0)
    network = network()
    x = np.random.default_rng(0).normal(size=(1, 21, inputs)).astype("float32")
    alone = keras.tree.flatten(network(x))
    padded = np.concatenate([x, np.full((1, 6, inputs), 1e3, "float32")], axis=1)
    mask = ops.convert_to_tensor(np.arange(27)[None] < 21)
    together = keras.tree.flatten(call_under_mask(network, padded, mask))
    for one, other in zip(alone, together, strict=True):
        if len(one.shape) == 3:
            other = other[:, : one.shape[1]]
        np.testing.assert_allclose(other, one, atol=1e-5)  # float32 sums in another order
