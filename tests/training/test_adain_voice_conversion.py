"""The recipe of AdaIN voice conversion."""

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.layers import AdaIN, InstanceNormalization, SpectralPerturbation
from keras_ae.models import AdaINVoiceConverter
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes import RECIPES

RATE = 8000
SMALL = {
    "sample_rate": RATE,
    "filters": 4,
    "speaker_filters": 4,
    "content_dim": 3,
    "bank": 1,
    "strides": (2,),
}


def write_tones(path, **columns):
    """40 utterances of 0.2 s and more: two tones."""
    audio = [np.sin(np.arange(1600 + 40 * i) * (0.3 + 0.3 * (i % 2))) for i in range(40)]
    offsets = np.concatenate([[0], np.cumsum([len(a) for a in audio])])
    samples = (np.concatenate(audio) * 9000).astype("int16")
    np.savez(path, audio=samples, offsets=offsets, sample_rate=RATE, **columns)
    return path


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("speech") / "tones.npz", speaker=np.arange(40) % 2)


def kinds(model):
    return {type(layer) for layer in model._flatten_layers()}


def test_what_it_trains_is_measured_and_converts_waveforms(npz):
    data = load_speech(npz, sample_rate=RATE)
    recipe = RECIPES["adain-voice-conversion"](epochs=1, batch_size=16, warp=0.1, **SMALL)
    model = recipe.build(data, steps_per_epoch=2)
    assert isinstance(model, AdaINVoiceConverter)
    history = model.fit(recipe.training_batches(data).dataset, steps_per_epoch=2, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert set(recipe.measure(model, data)["test"]) == {"reconstruction_loss", "kl_loss"}
    converted = model.convert(np.zeros((1, RATE), "float32"), np.zeros((1, 2 * RATE), "float32"))
    assert converted.shape == (1, 126, 80)  # a frame every 8 ms
    assert model.to_waveform(converted, iterations=1).shape == (1, RATE)


def test_what_the_networks_are_made_of_can_be_chosen(npz):
    data = load_speech(npz, sample_rate=RATE)
    whole = RECIPES["adain-voice-conversion"](**SMALL).build_model(data, 10)
    assert {AdaIN, InstanceNormalization, SpectralPerturbation} <= kinds(whole)
    plain = {"instance_norm": False, "adain": False, "cepstra": 0, "content_warp": 0.0}
    bare = RECIPES["adain-voice-conversion"](**plain, **SMALL).build_model(data, 10)
    assert not kinds(bare) & {AdaIN, InstanceNormalization, SpectralPerturbation}
    assert float(whole.kl_weight) == 0.0  # warms up
    mean = whole.front_end.layers[-1].mean.numpy()
    np.testing.assert_array_equal(mean, bare.front_end.layers[-1].mean.numpy())
    assert np.abs(mean).max() > 0.1  # of the training utterances


def test_voices_of_speakers_need_names_of_speakers(tmp_path):
    data = load_speech(write_tones(tmp_path / "unknown.npz"), sample_rate=RATE)
    with pytest.raises(InputError, match="voice-of"):
        RECIPES["adain-voice-conversion"](**SMALL).build_model(data, 10)
    given = {"voice_of": "utterance", "independence_weight": 0.0}
    model = RECIPES["adain-voice-conversion"](**given, **SMALL).build_model(data, 10)
    assert model.voice_of == "utterance"
