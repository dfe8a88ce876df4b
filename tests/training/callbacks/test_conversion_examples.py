"""Converted voices in the report of a run."""

import numpy as np

from keras_ae.layers import FrameNormalization, LogMelSpectrogram
from keras_ae.models import AdaINVoiceConverter
from keras_ae.networks import adain_decoder, content_encoder, front_end, speaker_encoder
from keras_ae.training.callbacks import ConversionExamples
from keras_ae.training.datasets import load_speech
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe
from keras_ae.training.report.examples import read_listening

RATE = 8000


def test_source_target_and_conversion_are_heard(tmp_path):
    seconds = np.arange(RATE // 4) / RATE
    tones = [np.sin(2 * np.pi * pitch * seconds) for pitch in np.linspace(200, 2000, 20)]
    np.savez(
        tmp_path / "tones.npz",
        audio=np.round(np.concatenate(tones) * 20_000).astype("int16"),
        offsets=np.arange(21) * len(seconds),
        sample_rate=RATE,
        speaker=np.arange(20) % 2,
    )
    data = load_speech(tmp_path / "tones.npz", sample_rate=RATE)
    mel = LogMelSpectrogram(8, sample_rate=RATE, hop=80, window_length=200, fft_length=256)
    normalization = FrameNormalization()
    normalization.adapt(data.train.batches(4), front_end=mel)
    model = AdaINVoiceConverter(
        content_encoder(8, 4, filters=4, bank=2, strides=(2,)),
        speaker_encoder(8, 3, filters=4, bank=2, strides=(2,)),
        adain_decoder(8, 2, 3, filters=4, strides=(2,)),
        front_end([mel, normalization]),
    )
    (callback,) = SpeechRecipe.pictures(None, model, data, tmp_path)
    assert isinstance(callback, ConversionExamples)
    callback.set_model(model)
    callback.on_train_end()
    problems = []
    examples = read_listening(tmp_path, problems)
    assert not problems and len(examples) == 2  # one of each speaker
    names = ["source", "target", "source, by Griffin-Lim", "reconstruction", "source in the voice of target"]
    assert all(list(example.recordings) == names and example.picture for example in examples)
    first, second = examples
    assert first.recordings["target"] == second.recordings["source"] != first.recordings["source"]
    assert first.title.endswith("in the voice of 1") and second.title.endswith("in the voice of 0")
