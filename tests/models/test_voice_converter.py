"""What all voice converters share: front end, embedding, conversion, endpoints, waveforms."""

import keras
import numpy as np
import pytest

from keras_ae import InputError, audio
from keras_ae.layers import (
    AddCondition,
    FrameNormalization,
    LogMelSpectrogram,
    MaskedConv1D,
    MaskedConv1DTranspose,
)
from keras_ae.models import VoiceConverter
from keras_ae.networks import frame_decoder, front_end

MEL = {"num_mels": 6, "sample_rate": 1000, "window_length": 16, "hop": 8, "fft_length": 32}
FRAMES, MELS, CONTENT, VOICE, SPEAKERS = 13, 6, 4, 5, 3


class Converter(VoiceConverter):
    def __init__(self, *parts, **kwargs):
        super().__init__(*parts, **kwargs)
        self.build_networks()


def networks(table=False):
    keras.utils.set_random_seed(0)
    frames = keras.Input((None, MELS))
    encoder = keras.Model(frames, MaskedConv1D(CONTENT, 3, strides=2)(frames))
    if table:
        return encoder, None, frame_decoder(MELS, CONTENT, SPEAKERS, filters=4, residual_blocks=1)
    frames = keras.Input((None, MELS))
    pooled = keras.layers.GlobalAveragePooling1D()(MaskedConv1D(VOICE, 3)(frames))
    content, voice = keras.Input((None, CONTENT)), keras.Input((VOICE,))
    told = AddCondition()(content, voice)
    decoder = keras.Model([content, voice], MaskedConv1DTranspose(MELS, 4, strides=2)(told))
    return encoder, keras.Model(frames, pooled), decoder


def mel_front_end():
    return front_end([LogMelSpectrogram(**MEL), FrameNormalization()])


def frames(examples=3, length=FRAMES, seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.linspace(4, length, examples).astype("int32")
    x = rng.standard_normal((examples, length, MELS)).astype("float32")
    return {"x": x, "lengths": lengths, "speaker": np.arange(examples, dtype="int32")}


def waveforms(examples=3, samples=100, seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.linspace(40, samples, examples).astype("int32")
    return {"x": rng.standard_normal((examples, samples)).astype("float32"), "lengths": lengths}


def test_the_embedding_is_the_content_and_the_voice_at_every_code():
    model, x = Converter(*networks()), frames()
    embedding = np.asarray(model.encode(x))
    assert embedding.shape == (3, 7, CONTENT + VOICE)
    np.testing.assert_array_equal(embedding[..., :CONTENT], model.content(x))
    for code in range(7):
        real = (code < -(-x["lengths"] // 2))[:, None]  # 0 where there is padding
        np.testing.assert_array_equal(embedding[:, code, CONTENT:], np.where(real, model.speaker(x), 0))


def test_decoding_the_embedding_is_the_reconstruction():
    model, x = Converter(*networks()), frames()
    decoded = np.asarray(model.decode(model.encode(x), -(-x["lengths"] // 2)))
    reconstructed = np.asarray(model.reconstruct(x))
    assert reconstructed.shape == x["x"].shape
    for one, other, length in zip(decoded, reconstructed, x["lengths"], strict=True):
        # the mean of equal vectors, in float32
        np.testing.assert_allclose(one[:length], other[:length], atol=1e-6)


@pytest.mark.parametrize("from_waveforms", [False, True])
def test_conversion_takes_the_content_of_one_and_the_voice_of_the_other(from_waveforms):
    model = Converter(*networks(), *([mel_front_end()] if from_waveforms else []))
    source = waveforms() if from_waveforms else frames()
    target = waveforms(samples=150, seed=1) if from_waveforms else frames(length=20, seed=1)
    converted = np.asarray(model.convert(source, target))
    spoken = np.asarray(model.decode(model.encode(source), speaker=np.asarray(model.speaker(target))))
    lengths = 1 + source["lengths"] // 8 if from_waveforms else source["lengths"]
    assert converted.shape == (3, FRAMES, MELS)  # as long as the source
    for one, other, length in zip(converted, spoken, lengths, strict=True):
        # all but the last two: `spoken` knows no lengths
        np.testing.assert_allclose(one[: length - 2], other[: length - 2], atol=1e-6)
    np.testing.assert_allclose(model.convert(source, source), model.reconstruct(source), atol=1e-6)


def test_a_conversion_is_moved_by_what_the_voice_misses_of_the_target():
    model, source, target = Converter(*networks(), match_target=True), frames(), frames(seed=1)
    plain = Converter(*networks())
    plain.set_weights(model.get_weights())
    converted, expected = np.asarray(model.convert(source, target)), np.asarray(plain.convert(source, target))
    own = np.asarray(plain.reconstruct(target))
    for i, (n, m) in enumerate(zip(source["lengths"], target["lengths"], strict=True)):
        heard, said, y = target["x"][i, :m], own[i, :m], expected[i, :n]
        scale = np.clip((heard.std(axis=0) + 0.05) / (said.std(axis=0) + 0.05), 0.5, 2.0)
        moved = y.mean(axis=0) + scale * (y - y.mean(axis=0)) + heard.mean(axis=0) - said.mean(axis=0)
        np.testing.assert_allclose(converted[i, :n], moved, rtol=1e-4, atol=1e-5)  # float32 sums
        assert (converted[i, n:] == 0).all()
    with pytest.raises(InputError, match="speaker_encoder must be given"):
        Converter(*networks(table=True), match_target=True)


def test_what_is_said_moves_as_much_as_what_was_heard_in_training():
    model, x = Converter(*networks(), match_variance=True), frames()
    plain = Converter(*networks())
    np.testing.assert_allclose(model.reconstruct(x), plain.reconstruct(x), atol=1e-6)  # before training
    mask = np.arange(FRAMES) < x["lengths"][:, None]
    said = np.asarray(plain.reconstruct(x))
    for _ in range(3):
        model.observe_variance(1.5 * said, said, mask)
    spoken = np.asarray(model.reconstruct(x))
    for i, n in enumerate(x["lengths"]):
        # 1e-6 beside variances of which three steps have counted a thirtieth
        np.testing.assert_allclose(spoken[i, :n].std(axis=0), 1.5 * said[i, :n].std(axis=0), rtol=1e-3)


def test_an_utterance_alone_is_converted_as_in_a_padded_batch():
    model, source, target = Converter(*networks()), frames(), frames(length=20, seed=1)
    for x in (source, target):
        for one, length in zip(x["x"], x["lengths"], strict=True):
            one[length:] = np.nan
    converted = np.asarray(model.convert(source, target))
    for i, length in enumerate(source["lengths"]):
        alone = [x["x"][i : i + 1, : x["lengths"][i]] for x in (source, target)]
        np.testing.assert_allclose(model.convert(*alone)[0], converted[i, :length], atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 31])
def test_an_utterance_of_any_length_is_converted(length):
    model = Converter(*networks())
    source, target = frames(1, length)["x"], frames(1, 5)["x"]
    assert model.convert(source, target).shape == (1, length, MELS)


def test_speakers_of_a_table_are_numbers():
    model, x = Converter(*networks(table=True)), frames()
    np.testing.assert_array_equal(model.speaker(x), x["speaker"])
    assert model.encode(x).shape == (3, 7, CONTENT)
    other = model.convert(x, np.array([1, 2, 0]))
    np.testing.assert_allclose(other, model.reconstruct({**x, "speaker": [1, 2, 0]}), atol=1e-6)
    assert np.abs(np.asarray(other) - np.asarray(model.reconstruct(x))).max() > 1e-3
    decoded = model.decode(model.encode(x), -(-x["lengths"] // 2), speaker=[1, 2, 0])
    np.testing.assert_allclose(decoded[2, :FRAMES], other[2], atol=1e-6)
    for function in (model.reconstruct, model.speaker, lambda x: model.decode(model.content(x))):
        with pytest.raises(InputError, match="speaker must be given"):
            function({"x": x["x"], "lengths": x["lengths"]})


def test_frames_are_those_of_the_front_end_which_is_not_trained():
    model, x = Converter(*networks(), mel_front_end()), waveforms()
    found, mask = model.frames(x)
    assert np.asarray(mask).sum(axis=1).tolist() == (1 + x["lengths"] // 8).tolist()
    for one, waveform, length in zip(found, x["x"], x["lengths"], strict=True):
        expected = LogMelSpectrogram(**MEL)(waveform[None, :length])[0]
        np.testing.assert_allclose(one[: len(expected)], expected, atol=1e-5)
    assert not model.front_end.trainable_variables


def test_waveforms_are_those_of_the_denormalised_frames_alone():
    model, x = Converter(*networks(), mel_front_end()), waveforms()
    normalization = model.front_end.layers[-1]
    normalization.adapt([x], front_end=LogMelSpectrogram(**MEL))
    normalised, mask = model.frames(x)
    lengths = np.asarray(mask).sum(axis=1)
    sound = model.to_waveform(normalised, lengths, iterations=4)
    assert sound.shape == (3, 96) and np.isfinite(sound).all()
    for one, length, samples in zip(sound, lengths, x["lengths"], strict=True):
        assert not one[(length - 1) * 8 :].any()
        mel = LogMelSpectrogram(**MEL)
        log_mel = np.asarray(mel(x["x"][[np.argmax(x["lengths"] == samples)], :samples]))[0]
        expected = audio.mel_to_waveform(log_mel, mel, 4)
        # Griffin-Lim turns the float32 errors of the frames into phases: 1e-3 of the loudest sample
        np.testing.assert_allclose(one[: len(expected)], expected, atol=1e-3 * np.abs(expected).max())


def test_frames_without_a_front_end_are_not_made_audible():
    with pytest.raises(InputError, match="front_end"):
        Converter(*networks()).to_waveform(frames()["x"])


def test_networks_that_do_not_fit_are_refused():
    encoder, speaker, decoder = networks()
    _, _, table = networks(table=True)
    for parts in ((encoder, None, decoder), (encoder, speaker, table), (speaker_of(7), speaker, decoder)):
        with pytest.raises(InputError, match="decoder"):
            Converter(*parts)


def speaker_of(channels):
    inputs = keras.Input((None, MELS))
    return keras.Model(inputs, MaskedConv1D(channels, 3)(inputs))


def test_endpoints_name_what_goes_in_and_comes_out():
    model, x = Converter(*networks(), mel_front_end()), waveforms()
    table = model.endpoints()
    assert set(table["convert"].inputs) == {"x", "lengths", "target", "target_lengths"}
    target = waveforms(seed=1)
    inputs = {"target": target["x"], "target_lengths": target["lengths"], **x}
    converted = table["convert"].function(**inputs)
    assert np.asarray(converted["frame_lengths"]).tolist() == (1 + x["lengths"] // 8).tolist()
    np.testing.assert_allclose(converted["converted"], model.convert(x, target), atol=1e-6)
    heard = table["convert_waveform"].function(**inputs)
    assert np.asarray(heard["waveform_lengths"]).tolist() == (8 * (x["lengths"] // 8)).tolist()
    assert heard["waveform"].shape == (3, 96) and table["convert_waveform"].formats == ("saved_model",)
    encoded = table["encode"].function(**x)
    assert np.asarray(encoded["code_lengths"]).tolist() == (-(-(1 + x["lengths"] // 8) // 2)).tolist()
    decoded = table["decode"].function(**encoded)["reconstruction"]
    np.testing.assert_allclose(
        decoded[2, :FRAMES], table["reconstruct"].function(**x)["reconstruction"][2], atol=1e-6
    )
    assert {"serving_default", "content", "speaker"} < set(table)


def test_endpoints_of_a_table_ask_for_the_speaker():
    table = Converter(*networks(table=True)).endpoints()
    for name in ("decode", "reconstruct", "convert"):
        assert "speaker" in table[name].inputs
        assert table[name].value_ranges == {"speaker": (0, SPEAKERS - 1)}
    assert "speaker" not in table and set(table["content"].inputs) == {"x", "lengths"}
