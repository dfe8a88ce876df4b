"""`keras-ae encode` makes of files what the model was trained on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError, audio, export
from keras_ae.export.manifest import write_manifest
from keras_ae.export.raw_inputs import preprocessing_for
from keras_ae.export.verification_report import VerificationReport
from keras_ae.layers import LogMelSpectrogram
from keras_ae.models import AutoEncoder
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.training.command_line.encoding import open_encoder
from keras_ae.training.commands.encode import OpenEncoder, encode_examples, encoder_of_artifact
from keras_ae.training.run import Run

IMAGES = np.random.default_rng(0).integers(0, 17, (6, 4, 4, 1))  # white is 16


@pytest.fixture
def seen(tmp_path):
    """Encodes a source with a model of the given preprocessing; returns what the model was given."""

    def encode(source, preprocessing, shapes=None, **options):
        given = []

        def run(inputs):
            given.append({name: np.array(value) for name, value in inputs.items()})
            return {"embedding": np.zeros((len(inputs["x"]), 1), "float32")}

        known = Preprocessing.of(preprocessing)
        shapes = shapes or {"x": (None, 4, 4, 1)}
        encoder = OpenEncoder(tmp_path / "model", run, shapes, preprocessing=known)
        encode_examples(encoder, source, tmp_path / "out.npz", **options)
        return given

    return encode


@pytest.fixture
def npz(tmp_path):
    """Writes images as an .npz file."""

    def write(images):
        np.savez(tmp_path / "images.npz", images=images)
        return tmp_path / "images.npz"

    return write


def images_of(**known):
    return {"modality": "images", **known}


@pytest.mark.parametrize(
    ("images", "known", "options", "expected"),
    [
        (IMAGES.astype("float32"), {"scale": 16.0}, {}, IMAGES / 16),  # that of the training
        (IMAGES.astype("float32"), {}, {"scale": 16.0}, IMAGES / 16),
        (IMAGES.astype("uint8"), {"scale": 16.0}, {"scale": 255.0}, IMAGES / 255),
        (IMAGES.astype("uint8"), {}, {}, IMAGES / 255),
        (IMAGES / 16, {"value_range": [-1, 1]}, {}, IMAGES / 8 - 1),
        (IMAGES / 16, {"value_range": [0, 255]}, {}, IMAGES / 16 * 255),
    ],
)
def test_images_reach_the_model_in_the_scale_of_its_training(seen, npz, images, known, options, expected):
    given = seen(npz(images), images_of(**known), **options)
    np.testing.assert_allclose(given[0]["x"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "known", "options", "message"),
    [
        (IMAGES.astype("float32"), {}, {}, "values from 0 to 16 .float32.. Pass it as --scale"),
        (IMAGES * 15.0, {"scale": 16.0}, {}, "the scale, 16. Received: values from 0 to 240"),
    ],
)
def test_images_of_an_unknown_scale_are_refused(seen, npz, images, known, options, message):
    with pytest.raises(InputError, match=message):
        seen(npz(images), images_of(**known), **options)


def test_png_files_have_their_own_scale(seen, tmp_path):
    image = (IMAGES[0] * 15).astype("uint8")
    (tmp_path / "one.png").write_bytes(tf.io.encode_png(image).numpy())
    given = seen(tmp_path / "one.png", images_of(scale=16.0))
    np.testing.assert_allclose(given[0]["x"][0], image / 255, atol=1e-6)
    with pytest.raises(InputError, match="--scale 16 with image .*one.png, which has its own scale"):
        seen(tmp_path / "one.png", images_of(), scale=16.0)


WAVEFORMS = {"x": (None, None), "lengths": (None,)}


@pytest.fixture
def recording(tmp_path):
    """A tone of 0.1 seconds at 8 kHz, with an amplitude of 0.5."""
    tone = 0.5 * np.sin(np.arange(800) / 8000 * 2 * np.pi * 440)
    audio.write_wav(tmp_path / "tone.wav", tone.astype("float32"), 8000)
    return tmp_path / "tone.wav"


@pytest.mark.parametrize(("rate", "samples"), [(8000, 800), (16_000, 1600)])
def test_recordings_are_brought_to_the_sample_rate_of_the_model(seen, recording, rate, samples):
    known = {"modality": "speech", "sample_rate": rate}
    for options in ({}, {"sample_rate": rate}):
        given = seen(recording, known, WAVEFORMS, **options)
        assert given[0]["x"].shape == (1, samples) and given[0]["lengths"] == samples
    assert seen(recording, {"modality": "speech"}, WAVEFORMS, sample_rate=rate)[0]["x"].shape[1] == samples


@pytest.mark.parametrize(("level", "peak"), [("rms", 0.0707), ("peak", 1.0), ("none", 0.5), (None, 0.0707)])
def test_recordings_are_brought_to_the_level_of_the_training(seen, recording, level, peak):
    known = {"modality": "speech", "sample_rate": 8000, "level": level}
    given = seen(recording, known, WAVEFORMS)
    assert np.abs(given[0]["x"]).max() == pytest.approx(peak, abs=2e-3)


@pytest.mark.parametrize(
    ("rate", "asked", "message"),
    [
        (8000, 16_000, "--sample-rate must be that of the model, 8000 Hz. Received: 16000. Leave it out"),
        (
            None,
            None,
            "model does not contain the sample rate of its waveforms. Pass the rate of its training data",
        ),
        (None, 0, "--sample-rate must be at least 1 Hz. Received: 0"),
    ],
)
def test_another_sample_rate_than_that_of_the_model_is_refused(seen, recording, rate, asked, message):
    with pytest.raises(InputError, match=message):
        seen(recording, {"modality": "speech", "sample_rate": rate}, WAVEFORMS, sample_rate=asked)


def test_an_option_of_another_kind_of_data_is_refused(seen, recording, npz):
    with pytest.raises(InputError, match="--scale must be used only with images. .* encodes speech"):
        seen(recording, None, WAVEFORMS, scale=255.0)
    with pytest.raises(InputError, match="--sample-rate must be used only with speech. .* encodes im"):
        seen(npz(IMAGES / 16), None, sample_rate=8000)


def test_an_exported_model_says_the_sample_rate_of_its_front_end(tmp_path):
    mel = LogMelSpectrogram(4, sample_rate=8000, window_length=200, hop=80, fft_length=256)
    x = keras.Input((None,), name="x")
    model = keras.Model(x, keras.layers.Dense(2)(mel(x)))
    write_manifest(
        tmp_path, model, "onnx", {}, VerificationReport(()), preprocessing=preprocessing_for(model)
    )
    encoder = encoder_of_artifact(tmp_path, export.Artifact.open(tmp_path))
    assert encoder.preprocessing.sample_rate == 8000


def test_a_run_describes_its_images(trained_run):
    expected = {"modality": "images", "value_range": [0.0, 1.0], "image_size": [8, 8], "channels": 1}
    saved = keras.saving.load_model(trained_run / "model.keras")
    assert saved.preprocessing.to_dict() == expected
    assert open_encoder(trained_run).preprocessing.to_dict() == expected


def test_a_run_of_an_older_version_takes_its_description_from_its_data(trained_run, monkeypatch):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model = AutoEncoder(encoder, keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]))
    assert model.preprocessing is None
    monkeypatch.setattr("keras_ae.training.run.load_model", lambda path: model)
    assert Run.open(trained_run).load_model().preprocessing.image_size == (8, 8)
