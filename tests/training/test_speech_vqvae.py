"""The recipe of units of speech, from training to report."""

import json

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.layers import BinaryBottleneck, GaussianBottleneck, GumbelOneHot, VectorQuantizer
from keras_ae.models import SpeechAutoEncoder
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes import RECIPES
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
