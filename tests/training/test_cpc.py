"""The recipe of contrastive predictive coding, from training to report, and its probes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation.attempts import recorded
from keras_ae.evaluation.speech import frame_probes as speech_probes
from keras_ae.models import ContrastivePredictiveCoding
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import train

RNG = np.random.default_rng(0)
RATE, HOP = 8000, 80


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    """40 utterances of 0.2 s: noise of two speakers, of which one is an octave of the other."""
    speaker = np.arange(40) % 2
    audio = [np.sin(np.arange(1600 + 40 * i) * (0.3 + 0.3 * s)) for i, s in enumerate(speaker)]
    path = tmp_path_factory.mktemp("speech") / "tones.npz"
    np.savez(
        path,
        audio=(np.concatenate(audio) * 9000).astype("int16"),
        offsets=np.concatenate([[0], np.cumsum([len(a) for a in audio])]),
        speaker=speaker,
        sample_rate=RATE,
    )
    return path


def test_a_run_is_measured_by_its_probes(npz, tmp_path):
    sizes = {"dim": 8, "context_dim": 8, "steps": 3, "negatives_of_each": (4, 4), "crop_seconds": 0.2}
    recipe = RECIPES["cpc"](data=str(npz), sample_rate=RATE, epochs=1, batch_size=8, **sizes)
    run = train(recipe, runs=tmp_path, verbose=False)
    model = run.load_model()
    assert isinstance(model, ContrastivePredictiveCoding) and model.compiled
    metrics = json.loads((run.directory / "metrics.json").read_text())
    assert set(metrics["test"]) == {"speaker_accuracy", "accuracy", "loss"}
    assert metrics["test"]["speaker_accuracy"] == 1.0  # two tones
    assert set(metrics["baselines"]["untrained"]) == {"speaker_accuracy"}
    assert model.encode(np.zeros((1, RATE), "float32")).shape == (1, 100, 8)


def test_a_rate_without_an_encoder_is_refused(npz):
    data = load_speech(npz, sample_rate=RATE)
    with pytest.raises(InputError, match="must be 16000 Hz"):
        RECIPES["cpc"]().build_model(data, 1)


def test_the_encoder_may_see_log_mel_frames(npz):
    sizes = {"sample_rate": RATE, "dim": 8, "context_dim": 4, "front_end": "log-mel"}
    model = RECIPES["cpc"](**sizes).build_model(load_speech(npz, sample_rate=RATE), 1)
    assert model.encode(np.zeros((1, RATE), "float32")).shape == (1, 101, 4)


def test_other_voices_are_heard_in_training(npz):
    data = load_speech(npz, sample_rate=RATE)
    sizes = {"sample_rate": RATE, "dim": 8, "context_dim": 8, "negatives": ("same_sequence",)}
    recipe = RECIPES["cpc"](**sizes, negatives_of_each=None, warp=0.2, tilt=1.0)
    layer = recipe.build_model(data, 1).perturbation
    assert (layer.warp, layer.tilt, layer.window, layer.order) == (0.2, 1.0, 256, 20)
    assert RECIPES["cpc"](**sizes, negatives_of_each=None).build_model(data, 1).perturbation is None
    for wrong in ({"warp": 1.0}, {"warp": -0.1}, {"tilt": -1.0}):
        with pytest.raises(InputError, match=f"--{next(iter(wrong))}"):
            RECIPES["cpc"](**wrong)


def test_utterances_come_back_in_their_order_without_padding(npz):
    split = load_speech(npz, sample_rate=RATE).train

    def encode(batch):
        counts = batch["lengths"] // HOP
        frames = batch["x"][:, : counts.max() * HOP : HOP, None]
        return frames, counts

    for index, frames in enumerate(speech_probes.frames_of_utterances(split, encode, 7)):
        waveform = split.waveform(index)
        np.testing.assert_array_equal(frames[:, 0], waveform[: len(waveform) // HOP * HOP : HOP])


def test_views_of_frames_are_what_they_say():
    frames = RNG.standard_normal((20, 3)).astype("float32")
    unit = speech_probes.standardized(5 * frames + 2)
    np.testing.assert_allclose(unit.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(unit.std(axis=0), 1, atol=1e-4)
    later, earlier = speech_probes.shifted(frames, 5), speech_probes.shifted(frames, -2)
    np.testing.assert_array_equal(later[:15], frames[5:])
    np.testing.assert_array_equal(later[15:], frames[[19] * 5])
    np.testing.assert_array_equal(earlier[:5], frames[[0, 0, 0, 1, 2]])
    wide = speech_probes.with_neighbours(frames, 2).reshape(20, 5, 3)
    np.testing.assert_array_equal(wide[7], frames[5:10])
    np.testing.assert_array_equal(wide[0], frames[[0, 0, 0, 1, 2]])
    pooled = speech_probes.frame_statistics(frames)
    np.testing.assert_allclose(pooled, np.r_[frames.mean(0), frames.std(0)], rtol=1e-6)
    np.testing.assert_allclose(speech_probes.eight_bins(np.repeat(frames[:8], 4, 0)), frames[:8].ravel())
    assert speech_probes.eight_bins(frames[:3]).shape == (24,)  # fewer frames than bins


class Phones:
    """Utterances whose phone is a known function of the frames."""

    def __init__(self, labels):
        self.labels = labels

    def phone_frames(self, index, frames, hop):
        assert hop == HOP and frames == len(self.labels[index])
        return self.labels[index]


def test_the_probe_of_phones_reads_what_is_there():
    labels = [RNG.integers(0, 4, 200) for _ in range(6)]
    centres = 4 * RNG.standard_normal((4, 5))
    frames = [(centres[one] + RNG.standard_normal((200, 5))).astype("float32") for one in labels]
    parts = [(Phones(labels[s]), frames[s]) for s in (slice(0, 4), slice(4, 6))]
    assert speech_probes.phone_accuracy(*parts, lambda f: f, HOP) > 0.95
    noise = [(split, [RNG.standard_normal(f.shape) for f in utterances]) for split, utterances in parts]
    assert speech_probes.phone_accuracy(*noise, lambda f: f, HOP) < 0.35  # chance 0.25, deviation 0.02
    assert speech_probes.majority([0, 1, 1], [1, 1, 0, 0]) == 0.5


class Levels:
    """A model whose frames are the samples every 10 ms, and whose contexts are twice as large."""

    def frames(self, x, lengths):
        frames = x[:, ::HOP, None]
        return frames, 2.0 * frames, tf.sequence_mask(-(-lengths // HOP), tf.shape(frames)[1])

    def evaluate(self, *_, **__):
        return {"accuracy": 0.5, "loss": 2.0}


@pytest.fixture
def two_phones(tmp_path):
    """Utterances of unknown speakers: a phone of positive and one of negative samples, in either order."""
    first = np.arange(40) % 2
    audio = [np.repeat([1, -1] if i else [-1, 1], [800, 640 + 80 * (n % 5)]) for n, i in enumerate(first)]
    np.savez(
        tmp_path / "phones.npz",
        audio=(np.concatenate(audio) * 9000).astype("int16"),
        offsets=np.concatenate([[0], np.cumsum([len(a) for a in audio])]),
        sample_rate=RATE,
        phone_start=np.tile([0, 800], 40),
        phone=np.stack([first, 1 - first], axis=1).ravel(),
        phone_offsets=2 * np.arange(41),
        phone_names=["low", "high"],
    )
    return load_speech(tmp_path / "phones.npz", sample_rate=RATE)


def test_phones_are_read_from_the_frames_where_they_differ(two_phones):
    recipe = RECIPES["cpc"](dim=1)
    assert recipe.probes(Levels(), two_phones) == {"phone_accuracy": 1.0}
    silent = SimpleNamespace(frames=lambda x, lengths: Levels().frames(0.0 * x, lengths))
    accuracy = recipe.probes(silent, two_phones)["phone_accuracy"]
    split = two_phones.test
    high = np.concatenate([split.phone_frames(i, -(-n // HOP), HOP) for i, n in enumerate(split.lengths)])
    assert min(accuracy, 1 - accuracy) == pytest.approx(min(high.mean(), 1 - high.mean()))  # one answer


def test_the_phone_probe_sees_a_frame_and_contexts_up_to_50_ms_around_it():
    frames = RNG.standard_normal((30, 5)).astype("float32")
    features = RECIPES["cpc"](dim=2).phone_features(frames)
    unit = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    around = [unit[12, :2], unit[7, 2:], unit[12, 2:], unit[15, 2:], unit[17, 2:]]
    np.testing.assert_allclose(features[12], np.concatenate(around), atol=1e-4)
    edge = [unit[28, :2], unit[23, 2:], unit[28, 2:], unit[29, 2:], unit[29, 2:]]
    np.testing.assert_allclose(features[28], np.concatenate(edge), atol=1e-4)


def test_without_labels_or_frames_there_are_no_probes(npz, two_phones):
    recipe, unlabelled = RECIPES["cpc"](dim=1), load_speech(npz, sample_rate=RATE)
    unlabelled.train.speaker = None
    losses = {"accuracy": 0.5, "loss": 2.0}
    assert recipe.measure(Levels(), unlabelled) == {"test": losses, "baselines": {}}
    assert RECIPES["cpc"](dim=1, probe=False).measure(Levels(), two_phones) == {"test": losses}
    without_frames = SimpleNamespace(evaluate=Levels().evaluate)
    with recorded() as attempts:
        assert recipe.measure(without_frames, two_phones) == {"test": losses, "baselines": {}}
    assert list(attempts.failed) == ["encoding for the probes"]
