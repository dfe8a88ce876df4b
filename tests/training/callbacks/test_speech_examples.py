"""Sounds and pictures of a run of speech."""

import io
import wave
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae.evaluation.attempts import recorded
from keras_ae.layers import FrameNormalization, InstanceNormalization, LogMelSpectrogram, VectorQuantizer
from keras_ae.models import SpeechAutoEncoder
from keras_ae.models.speech._waveforms import inverted_frames
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


def shown_by(model, data, directory, examples=2):
    callback = SpeechExamples(data, directory, examples=examples)
    callback.set_model(model)
    callback.on_train_end()
    return read_listening(directory, [])


def test_utterances_of_unknown_speakers_are_the_first_ones_with_their_words(tmp_path):
    words = [f"word {number}" if number % 2 else "" for number in range(20)]
    audio = np.random.default_rng(0).integers(-9000, 9000, 20 * 800).astype("int16")
    offsets = np.arange(21) * 800
    np.savez(tmp_path / "a.npz", audio=audio, offsets=offsets, sample_rate=RATE, text=words)
    data = load_speech(tmp_path / "a.npz", sample_rate=RATE, test_fraction=0.5)
    examples = shown_by(keras.Sequential([keras.Input((None,))]), data, tmp_path, examples=6)
    expected = [f"“{text}”" if text else f"utterance {row}" for row, text in enumerate(data.test.texts[:6])]
    assert [example.title for example in examples] == expected
    assert any("word" in title for title in expected) and any("utterance" in title for title in expected)
    for row, example in enumerate(examples):
        heard = sound(example.recordings["original"])[1]
        assert np.abs(heard - data.test.waveform(row)).max() < 1e-4  # 16 bits


def decoder_of(*layers):
    """A model whose reconstruction is its target, which these layers compute."""
    target = front_end(layers)
    return SimpleNamespace(
        target=target,
        reconstruct=lambda inputs: target(inputs["x"]),
        to_waveform=lambda frames, iterations: inverted_frames(target, frames, "target", None, iterations),
    )


MEL = {"num_mels": 8, "sample_rate": RATE, "hop": 80, "window_length": 200, "fft_length": 256}


def test_a_single_speaker_is_heard_in_no_other_voice(data, tmp_path):
    one = replace(data, speakers=data.speakers[:1])
    examples = shown_by(decoder_of(LogMelSpectrogram(**MEL)), one, tmp_path, examples=1)
    (recordings,) = [example.recordings for example in examples]
    assert list(recordings) == ["original", "original, by Griffin-Lim", "reconstruction"]
    assert recordings["reconstruction"] == recordings["original, by Griffin-Lim"]


def test_a_target_that_cannot_be_heard_is_said(data, tmp_path):
    model = decoder_of(LogMelSpectrogram(**MEL), InstanceNormalization())
    with recorded(tmp_path / "log.txt") as attempts:
        assert shown_by(model, data, tmp_path) == []
    assert attempts.left_out == {
        "examples of SpeechExamples": "target must consist of LogMelSpectrogram and "
        "FrameNormalization to convert frames to waveforms. Received: LogMelSpectrogram, "
        "InstanceNormalization. Use a model with target=networks.front_end([LogMelSpectrogram(), "
        "FrameNormalization()])."
    }


def test_frames_with_the_same_codes_have_one_colour(data, tmp_path, monkeypatch):
    drawn = []

    def timeline(*_, codes, **__):
        drawn.append(codes)
        return b"picture"

    monkeypatch.setattr("keras_ae.training.callbacks.speech_examples.speech_timeline", timeline)
    codes = np.random.default_rng(0).integers(0, 3, (1, 40, 2))
    shown_by(SimpleNamespace(discrete=True, encode=lambda x: codes), data, tmp_path, examples=1)
    shown_by(SimpleNamespace(discrete=True, encode=lambda x: codes[..., 0]), data, tmp_path, examples=1)
    same = (codes[0, :, None] == codes[0]).all(axis=-1)
    np.testing.assert_array_equal(drawn[0][:, None] == drawn[0], same)
    np.testing.assert_array_equal(drawn[1], codes[0, :, 0])
