"""What a model knows of its raw inputs."""

import keras
import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.layers import LogMelSpectrogram
from keras_ae.models import AutoEncoder, Preprocessing, QuickThought, SpeechAutoEncoder
from keras_ae.models.preprocessing import preprocessing_of
from keras_ae.networks import bag_of_words_encoder, frame_decoder, frame_encoder, front_end

IMAGES = {"modality": "images", "value_range": [0.0, 1.0], "image_size": [2, 2], "channels": 1, "scale": 16.0}


def auto_encoder(**options):
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))])
    return AutoEncoder(encoder, decoder, **options)


def speech_model(**options):
    mel = {"num_mels": 8, "sample_rate": 8000, "window_length": 200, "hop": 80, "fft_length": 256}
    encoder = frame_encoder([LogMelSpectrogram(**mel)], 4, filters=4)
    decoder = frame_decoder(8, 4, num_speakers=2, filters=4)
    return SpeechAutoEncoder(encoder, decoder, front_end([LogMelSpectrogram(**mel)]), **options)


@pytest.mark.parametrize("assigned", [False, True])
def test_preprocessing_is_saved_with_the_model(tmp_path, assigned):
    model = auto_encoder(**({} if assigned else {"preprocessing": IMAGES}))
    if assigned:
        model.preprocessing = IMAGES
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.preprocessing.to_dict() == model.preprocessing.to_dict() == IMAGES


def test_a_model_without_preprocessing_is_saved_as_before(tmp_path):
    model = auto_encoder()
    assert "preprocessing" not in model.get_config()
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").preprocessing is None


def test_the_sample_rate_is_that_of_the_front_end():
    model = speech_model(preprocessing={"modality": "speech", "level": "rms"})
    expected = {"modality": "speech", "value_range": [-1.0, 1.0], "sample_rate": 8000, "level": "rms"}
    assert model.preprocessing.to_dict() == expected
    assert speech_model().preprocessing.sample_rate == 8000
    assert preprocessing_of(model.target).sample_rate == 8000  # a plain Keras model


def test_a_rate_other_than_that_of_the_front_end_is_refused():
    model = speech_model(preprocessing={"modality": "speech", "sample_rate": 16_000})
    with pytest.raises(InputError, match="must be that of the model, 8000. Received: sample_rate=16000"):
        model.preprocessing  # noqa: B018


def test_a_sentence_model_describes_its_words():
    encoders = [bag_of_words_encoder(4, 3, name=name) for name in ("one", "other")]
    described = QuickThought(*encoders, vocabulary=["a", "b"], max_words=9).preprocessing.to_dict()
    assert described["tokenization"] == "keras_ae.text.tokenize" and described["lowercase"]
    assert described["max_words"] == 9 and described["vocabulary_size"] == 4


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("images", "preprocessing must be a dict. Received: str"),
        ({"value_range": [0, 1]}, "preprocessing must contain its modality. Received: {'value_range'"),
        (
            {"modality": "pictures"},
            "must be one of images, speech, text, table, values. Received: modality='pictu",
        ),
        ({"modality": "images", "range": [0, 1]}, r"must have keys among .*scale, .*Received: \['range'\]"),
        ({"modality": "images", "sample_rate": 8000}, "fields of images must be among .*: sample_rate=8000"),
        ({"modality": "images", "value_range": [1, 0]}, "value_range must be two finite numbers"),
        ({"modality": "images", "value_range": 255}, "value_range must be two finite numbers"),
        ({"modality": "images", "image_size": 28}, r"image_size must be \(height, width\)"),
        ({"modality": "images", "scale": 0}, "scale must be a positive number. Received: scale=0"),
        ({"modality": "speech", "sample_rate": 0.5}, "sample_rate must be a whole number of at least 1"),
        ({"modality": "speech", "level": "-26 dB"}, "level must be one of rms, peak, none"),
    ],
)
def test_an_invalid_description_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        Preprocessing.of(value)


@pytest.mark.parametrize("call", ["fit", "evaluate", "encode", "reconstruct"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_data_out_of_the_declared_range_are_refused(call, dtype):
    model = auto_encoder(preprocessing=IMAGES)
    model.compile()
    x = np.full((2, 2, 2, 1), 255, dtype)
    with pytest.raises(InputError, match=r"x must lie in \[0, 1\] for model.preprocessing. .* Divide by 255"):
        getattr(model, call)(x)


def test_data_in_the_declared_range_train_and_encode():
    model = auto_encoder(preprocessing={**IMAGES, "value_range": (-1, 1)})
    model.compile(run_eagerly=True)
    x = np.full((2, 2, 2, 1), -1.0, "float32")
    model.fit(x, verbose=0)
    assert model.encode(x).shape == (2, 2)


def test_frames_are_not_held_to_the_range_of_waveforms():
    known = Preprocessing(modality="speech", value_range=(-1, 1))
    assert known.range_of(2) == (-1, 1) and known.range_of(3) is None
