"""The recipe of units of speech, from training to report."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation.attempts import recorded
from keras_ae.evaluation.speech import units as speech_units
from keras_ae.layers import BinaryBottleneck, GaussianBottleneck, GumbelOneHot, VectorQuantizer
from keras_ae.models import SpeechAutoEncoder
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes import RECIPES
from keras_ae.training.recipes.speech.speech_vqvae import unit_purity
from keras_ae.training.run import train

RATE = 8000
SMALL = {"sample_rate": RATE, "filters": 4, "embedding_dim": 4, "num_embeddings": 8, "num_mels": 10}


def write_tones(path, **columns):
    """40 utterances of 0.2 s and more: two tones."""
    audio = [np.sin(np.arange(1600 + 40 * i) * (0.3 + 0.3 * (i % 2))) for i in range(40)]
    offsets = np.concatenate([[0], np.cumsum([len(a) for a in audio])])
    samples = (np.concatenate(audio) * 9000).astype("int16")
    np.savez(path, audio=samples, offsets=offsets, sample_rate=RATE, **columns)
    return path


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    path = tmp_path_factory.mktemp("speech") / "tones.npz"
    return write_tones(path, speaker=np.arange(40) % 2)


def test_a_run_measures_its_units_and_plays_them(npz, tmp_path):
    recipe = RECIPES["speech-vqvae"](data=str(npz), epochs=1, batch_size=8, crop_seconds=0.2, **SMALL)
    run = train(recipe, runs=tmp_path, verbose=False)
    model = run.load_model()
    assert isinstance(model, SpeechAutoEncoder) and model.compiled
    metrics = json.loads((run.directory / "metrics.json").read_text())
    assert set(metrics["test"]) == {"usage", "speaker_accuracy", "reconstruction_loss"}
    assert metrics["baselines"]["log-mel"]["speaker_accuracy"] == 1.0  # two tones
    assert model.encode(np.zeros((1, RATE), "float32")).shape == (1, 51)
    assert len(list((run.directory / "listening").glob("*"))) > 0


@pytest.mark.parametrize(
    "name, kind",
    [("vq", VectorQuantizer), ("gaussian", GaussianBottleneck), ("gumbel", GumbelOneHot)]
    + [("binary", BinaryBottleneck), ("none", type(None))],
)
def test_every_bottleneck_sits_in_the_same_network(name, kind, npz):
    data = load_speech(npz, sample_rate=RATE)
    recipe = RECIPES["speech-vqvae"](bottleneck=name, **SMALL)
    model = recipe.build_model(data, 1)
    assert type(model.bottleneck) is kind
    x = next(data.train.batches(2).as_numpy_iterator())
    assert np.isfinite(np.asarray(model.reconstruct(x))).all()
    if model.discrete:
        from keras_ae.evaluation.speech.units import number_of_units, units_and_embeddings

        units, embeddings = units_and_embeddings(model, data.validation)
        assert number_of_units(model) == 8
        assert max(one.max() for one in units) < 8
        lengths = -(-(1 + data.validation.lengths // 80) // 2)
        assert [len(one) for one in embeddings] == [len(one) for one in units] == lengths.tolist()


def test_the_statistics_are_those_of_the_training_utterances(npz):
    data = load_speech(npz, sample_rate=RATE)
    model = RECIPES["speech-vqvae"](**SMALL).build_model(data, 1)
    mel, normalization = model.target.layers[1:]
    frames = np.concatenate(
        [np.asarray(mel(data.train.waveform(i)[None]))[0] for i in range(len(data.train))]
    )
    # float64 in one pass against float32 in another order
    np.testing.assert_allclose(normalization.mean, frames.mean(axis=0), rtol=1e-4)


def test_speech_of_unknown_speakers_is_refused(tmp_path):
    data = load_speech(write_tones(tmp_path / "unknown.npz"), sample_rate=RATE)
    with pytest.raises(InputError, match="must contain names of speakers"):
        RECIPES["speech-vqvae"](**SMALL).build_model(data, 1)


def test_the_encoder_hears_noise_and_other_throats_in_training_and_the_target_does_not(npz):
    data = load_speech(npz, sample_rate=RATE)
    model = RECIPES["speech-vqvae"](**{**SMALL, "noise": 1.0}).build_model(data, 1)
    x = next(data.train.batches(4).as_numpy_iterator())
    codes = [np.asarray(model.encoder(x["x"], training=training)) for training in (False, False, True)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert np.abs(codes[2] - codes[0]).max() > 1e-3
    targets = [np.asarray(model.target(x["x"], training=training)) for training in (False, True)]
    np.testing.assert_array_equal(*targets)


@pytest.mark.parametrize(
    "setting, value, message",
    [
        ("noise", 1.1, "--noise must be from 0 to 1"),
        ("warp", 1.0, "--warp must be at least 0 and below 1"),
        ("warp", -0.1, "--warp must be at least 0 and below 1"),
        ("jitter", 0.6, "--jitter must be from 0 to 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(setting, value, message):
    with pytest.raises(InputError, match=message):
        RECIPES["speech-vqvae"](**{setting: value})


def test_bits_make_a_power_of_two(npz):
    recipe = RECIPES["speech-vqvae"](bottleneck="binary", num_embeddings=12)
    with pytest.raises(InputError, match="must be a power of two"):
        recipe.make_bottleneck()


def phones_of(*utterances):
    """A split whose utterances have these phones at frames of 10 ms."""
    lengths = np.array([80 * (len(phones) - 1) + 30 for phones in utterances])

    def phone_frames(index, frames, hop):
        assert hop == 80 and frames == len(utterances[index])
        return np.array(utterances[index])

    return SimpleNamespace(lengths=lengths, phone_frames=phone_frames)


def test_units_are_named_on_training_utterances_and_judged_on_test_utterances():
    train, test = phones_of([0, 0, 1, 1, 1, 2, 2], [1, 1, 1]), phones_of([0, 1, 1, 1, 2, 2, 2], [1, 1, 0])
    data = SimpleNamespace(sample_rate=RATE, train=train, test=test)
    # unit 3 is the phone 0, unit 5 is 1 (6 of 7 frames), unit 0 is 2, and unit 7 has no phone
    train_units = [np.array([3, 5, 5, 0]), np.array([5, 5])]
    test_units = [np.array([3, 5, 0, 0]), np.array([7, 3])]
    # frames: 0 0 1 1 2 2 2 instead of 0 1 1 1 2 2 2; none none 0 instead of 1 1 0
    assert unit_purity(data, train_units, test_units, 8) == pytest.approx((6 + 1) / 10)
    pure = phones_of([0, 0, 1, 1, 2])
    data = SimpleNamespace(sample_rate=RATE, train=pure, test=pure)
    assert unit_purity(data, [np.arange(3)], [np.arange(3)], 3) == 1.0


class Units:
    """A trained model of which only the results are known."""

    discrete = True

    def evaluate(self, *_, **__):
        return {"reconstruction_loss": 0.25}

    def target_of(self, x, mask):
        return x[:, ::80, None], mask[:, ::80]


@pytest.fixture
def spoken(tmp_path):
    """Two speakers, each with utterances of the phones a b and of b a; the second begins after 100 ms."""
    first = np.arange(40) // 2 % 2
    path = write_tones(
        tmp_path / "phones.npz",
        speaker=np.arange(40) % 2,
        phone_start=np.tile([0, 800], 40),
        phone=np.stack([first, 1 - first], axis=1).ravel(),
        phone_offsets=2 * np.arange(41),
        phone_names=["a", "b"],
    )
    return load_speech(path, sample_rate=RATE)


def test_units_of_phones_and_speakers_are_pure_and_tell_the_speaker(spoken, monkeypatch):
    def units_and_embeddings(model, split):
        phones = speech_units.phones_of_frames(split, 80)
        return [one[::2] + 2 * speaker for one, speaker in zip(phones, split.speaker, strict=True)], None

    monkeypatch.setattr(speech_units, "units_and_embeddings", units_and_embeddings)
    monkeypatch.setattr(speech_units, "number_of_units", lambda model: 8)
    report = RECIPES["speech-vqvae"](**SMALL).measure(Units(), spoken)
    assert report["test"] == {
        "purity": 1.0,
        "usage": 0.5,
        "speaker_accuracy": 1.0,
        "reconstruction_loss": 0.25,
    }
    assert set(report["baselines"]["log-mel"]) == {"speaker_accuracy"}


def test_without_units_the_error_is_measured_alone(spoken, monkeypatch):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    loss = {"test": {"reconstruction_loss": 0.25}}
    monkeypatch.setattr(speech_units, "units_and_embeddings", fail)
    with recorded() as attempts:
        assert RECIPES["speech-vqvae"](**SMALL).measure(Units(), spoken) == loss
    assert list(attempts.failed) == ["units"] and "out of memory" in attempts.failed["units"]
    continuous = Units()
    continuous.discrete = False
    with recorded() as attempts:
        assert RECIPES["speech-vqvae"](**SMALL).measure(continuous, spoken) == loss
        assert RECIPES["speech-vqvae"](probe=False, **SMALL).measure(Units(), spoken) == loss
    assert attempts.failed == {}
