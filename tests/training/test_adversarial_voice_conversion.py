"""The recipe of voice conversion against an adversary: its stages, its optimisers, a run that is resumed."""

import numpy as np
import pytest
from keras.src.utils.naming import reset_uids

from keras_ae import InputError
from keras_ae.models import AdversarialVoiceConverter
from keras_ae.networks import conv_bank_encoder, speaker_decoder
from keras_ae.training import run as runs
from keras_ae.training.callbacks import RunState
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run_directory.checkpoint import Checkpoint

RATE = 8000
STAGES = {"epochs": 5, "autoencoder_epochs": 1, "adversary_epochs": 1}
STAGES |= {"decoder_epochs": 1, "residual_epochs": 1}
BLOCKS = {"filters": 4, "halvings": 1, "residual_blocks": 0}


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    """24 utterances of 0.2 s and more: two tones, two speakers."""
    path = tmp_path_factory.mktemp("speech") / "tones.npz"
    audio = [np.sin(np.arange(1600 + 40 * i) * (0.3 + 0.3 * (i % 2))) for i in range(24)]
    offsets = np.concatenate([[0], np.cumsum([len(a) for a in audio])])
    samples = (np.concatenate(audio) * 9000).astype("int16")
    speaker = np.arange(24) % 2
    np.savez(path, audio=samples, offsets=offsets, sample_rate=RATE, speaker=speaker, label=speaker)
    return path


def recipe(npz=None, **options):
    data = {} if npz is None else {"data": str(npz)}
    small = {"sample_rate": RATE, "filters": 4, "content_dim": 2, "crop_seconds": 0.2, "batch_size": 8}
    return RECIPES["adversarial-voice-conversion"](**data, **{**small, **options})


def test_the_stages_last_the_epochs_that_they_are_given(npz):
    made = recipe(**{**STAGES, "epochs": 10})
    model = made.build_model(load_speech(npz, sample_rate=RATE), training_steps=10 * 5)
    assert isinstance(model, AdversarialVoiceConverter)
    steps = {stage.name: stage.steps for stage in model.stages}
    assert steps == {"auto_encoder": 5, "adversary": 5, "joint": 6 * 5, "decoder": 5, "residual": None}
    ramp = model.adversary.weight.schedule
    weights = [float(ramp(step)) for step in (0, 15, 30)]
    final = made.adversarial_weight
    np.testing.assert_allclose(weights, [0.0, final * min(1, 15 / (made.ramp * 30)), final], rtol=1e-5)


def test_the_learning_rate_of_the_model_falls_over_its_own_steps_only(npz, smallest):
    data = load_speech(npz, sample_rate=RATE)
    model = recipe(**{**STAGES, "epochs": 10}).build(data, steps_per_epoch=5)
    schedule = model.optimizer._learning_rate
    assert float(schedule(7 * 5)) == pytest.approx(0.0, abs=1e-9)  # 10 epochs without three of others
    assert float(schedule(0)) == pytest.approx(recipe().learning_rate)
    assert float(model.decoder_optimizer._learning_rate(5)) == pytest.approx(0.0, abs=1e-9)
    rate = recipe().adversary_learning_rate
    assert float(model.adversary_optimizer.learning_rate) == pytest.approx(rate)


def test_a_speaker_encoder_takes_the_place_of_the_table(npz):
    model = recipe(speaker="encoder").build_model(load_speech(npz, sample_rate=RATE), 100)
    x = np.zeros((2, 1600), "float32")
    assert model.convert(x, x).shape == (2, 26, 80)
    assert "speaker" in model.endpoints()


def test_too_few_epochs_or_speakers_are_refused(npz):
    data = load_speech(npz, sample_rate=RATE)
    with pytest.raises(InputError, match="--epochs must be more than"):
        recipe(**{**STAGES, "epochs": 4}).build_model(data, 30)
    with pytest.raises(InputError, match="at least two speakers. Received: 1 names"):
        recipe().build_model(type("Data", (), {"speakers": ["alone"]})(), 30)


def killed_in_epoch(number):
    class Killed(RunState):
        """A checkpoint at every step, and an end in the middle of an epoch."""

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs, seconds=0.0)

        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.epoch == number and batch == 0:
                raise KeyboardInterrupt

    return Killed


@pytest.fixture
def smallest(monkeypatch):
    """Networks of one block, and no sounds: the stages are what is tested."""
    kind = RECIPES["adversarial-voice-conversion"]
    monkeypatch.setattr(kind, "_content_encoder", lambda self: conv_bank_encoder(80, 2, bank=1, **BLOCKS))
    monkeypatch.setattr(
        kind, "_decoder", lambda self, n, **o: speaker_decoder(80, 2, num_speakers=n, **BLOCKS)
    )
    monkeypatch.setattr(kind, "pictures", lambda *arguments: [])


def test_a_run_killed_in_a_stage_goes_on_through_the_further_ones(npz, tmp_path, monkeypatch, smallest):
    made = recipe(npz, **{**STAGES, "epochs": 4, "residual_epochs": 0}, adversary_updates=1)

    def train(epoch, **where):
        # layers are numbered as in a new process: TensorFlow orders the terms of a sum by their names
        reset_uids()
        monkeypatch.setattr(runs, "RunState", killed_in_epoch(epoch))
        return runs.train(made, **where, verbose=False)

    straight = train(None, runs=tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train(1, runs=tmp_path / "killed")
    (killed,) = (tmp_path / "killed" / made.name).iterdir()
    resumed = train(None, resume=killed)
    first, second = (Checkpoint(run.directory / "checkpoint.npz") for run in (straight, resumed))
    assert first.state["history"] == second.state["history"]
    for name, value in first.arrays.items():
        np.testing.assert_array_equal(second.arrays[name], value, err_msg=name)
    rows = first.state["history"]
    players = ("loss", "adversary_loss", "consistency_loss")
    moved = [{name for name in players if row[name]} for row in rows]
    assert moved == [{"loss"}, {"adversary_loss"}, {"loss", "adversary_loss"}, {"consistency_loss"}]
    model = resumed.load_model()  # monitor None: the last epoch
    weights = first.arrays["variable/0"]
    np.testing.assert_array_equal(np.asarray(model.variables[0]), weights)
