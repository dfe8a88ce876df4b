"""Sounds and pictures of a run of speech."""

import io
import wave

import keras
import numpy as np
import pytest

from keras_ae.layers import FrameNormalization, LogMelSpectrogram, VectorQuantizer
from keras_ae.models import SpeechAutoEncoder
from keras_ae.networks import frame_decoder, frame_encoder, front_end
from keras_ae.training.callbacks import SpeechExamples
from keras_ae.training.datasets import load_speech
from keras_ae.training.report.examples import read_listening

RATE = 8000


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two speakers, tones of two pitches each, of half a second."""
    rng, seconds = np.random.default_rng(0), np.arange(RATE // 2) / RATE
    pitches = rng.uniform(200, 2000, 20)
    audio = np.concatenate([np.sin(2 * np.pi * pitch * seconds) for pitch in pitches])
    path = tmp_path_factory.mktemp("speech") / "tones.npz"
    offsets = np.arange(21) * len(seconds)
    np.savez(
        path,
        audio=np.round(audio * 20_000).astype("int16"),
        offsets=offsets,
        sample_rate=RATE,
        speaker=np.arange(20) % 2,
        digit=np.arange(20) % 3,
    )
    return load_speech(path, sample_rate=RATE)


def sound(wav):
    with wave.open(io.BytesIO(wav)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), frames.astype("float32") / 32767


def test_a_speech_auto_encoder_is_heard_in_two_voices(data, tmp_path):
    mel = {"num_mels": 20, "sample_rate": RATE, "hop": 80, "window_length": 200, "fft_length": 256}
    normalization = FrameNormalization()
    normalization.adapt(data.train.batches(4), front_end=LogMelSpectrogram(**mel))
    target = front_end([LogMelSpectrogram(**mel), normalization])
    encoder = frame_encoder([LogMelSpectrogram(**mel)], 4, filters=8)
    decoder = frame_decoder(20, 4, num_speakers=2, filters=8)
    model = SpeechAutoEncoder(encoder, decoder, target, VectorQuantizer(8, kmeans_samples=0, seed=0))
    model.compile()
    callback = SpeechExamples(data, tmp_path, examples=2)
    callback.set_model(model)
    before = model.get_weights()
    callback.on_train_end()
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)
    problems = []
    first, second = read_listening(tmp_path, problems)
    assert not problems and first.title.split(":")[0] != second.title.split(":")[0]
    labels = ["original", "original, by Griffin-Lim", "reconstruction"]
    assert list(first.recordings)[:3] == labels and list(first.recordings)[3].startswith("in the voice of ")
    rate, original = sound(first.recordings["original"])
    waveform = data.test.waveform(callback.rows[0])
    assert rate == RATE and np.abs(original - waveform).max() < 1e-4  # 16 bits
    # Griffin-Lim of the mel bands sounds at the pitch of the original, to the width of a band
    peaks = [
        np.abs(np.fft.rfft(part[:3900])).argmax()
        for part in (original, sound(first.recordings[labels[1]])[1])
    ]
    assert abs(peaks[0] - peaks[1]) < 60
    assert first.picture[1:4] == b"PNG"


def test_a_model_without_a_decoder_shows_what_was_said(data, tmp_path):
    callback = SpeechExamples(data, tmp_path, examples=3)
    callback.set_model(keras.Sequential([keras.Input((None,))]))
    callback.on_train_end()
    examples = read_listening(tmp_path, [])
    assert len(examples) == 2  # one of each speaker
    assert all(list(example.recordings) == ["original"] and example.picture for example in examples)
