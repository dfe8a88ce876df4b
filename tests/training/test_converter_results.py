"""Results of voice converters against the model's own conversions, one by one, and hand-made embeddings."""

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import ConversionJudge, mel_cepstral_distortion, vocode
from keras_ae.evaluation.speech.conversions import (
    contents_of,
    conversion_frames,
    convert_all,
    convert_pairs,
    fit_judge,
    judged,
    mean_voices,
    other_speakers,
    voices_of,
)
from keras_ae.evaluation.speech.converter_results import (
    ConverterEmbeddings,
    ProbedUtterances,
    conversion_results,
)
from keras_ae.evaluation.speech.frame_probes import eight_bins
from keras_ae.layers import FrameNormalization
from keras_ae.models.speech.adain_voice_converter import AdaINVoiceConverter
from keras_ae.networks import front_end
from keras_ae.networks.voice_conversion import adain_decoder, content_encoder, speaker_encoder
from keras_ae.training import voice_conversion_figures
from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import SpeechSplit

RATE = 8000
SPEAKERS, WORDS = 3, 2


def split(takes, seed):
    """A tone of the speaker's pitch that rises or falls, as the word says, `takes` times each."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(SPEAKERS), WORDS * takes)
    word = np.tile(np.repeat(np.arange(WORDS), takes), SPEAKERS)
    waveforms = []
    for s, w in zip(speaker, word, strict=True):
        time = np.arange(rng.integers(1500, 2500)) / RATE
        bend = 1 + 0.8 * (w - 0.5) * (time / time[-1] - 0.5)
        tone = np.sin(2 * np.pi * 300 * (1 + 0.5 * s) * np.cumsum(bend) / RATE)
        waveforms.append((0.3 * tone + 0.01 * rng.normal(size=len(time))).astype("float32"))
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in waveforms])])
    store = WaveformStore(np.concatenate(waveforms), offsets, RATE, "tones")
    return SpeechSplit(
        store, np.arange(len(speaker)), "rms", {"speaker": speaker, "digit": word}, label="digit"
    )


@pytest.fixture(scope="module")
def splits():
    return split(4, seed=0), split(2, seed=1)


@pytest.fixture(scope="module")
def judge(splits):
    return fit_judge([splits[0]], RATE)


@pytest.fixture(scope="module")
def model(splits):
    keras.utils.set_random_seed(0)
    mel, normalization = conversion_frames(RATE), FrameNormalization()
    normalization.adapt(splits[0].batches(8), front_end=mel)
    return AdaINVoiceConverter(
        content_encoder(80, 8, filters=8, bank=2, strides=(1, 2)),
        speaker_encoder(80, 5, filters=8, bank=2, strides=(1, 2)),
        adain_decoder(80, 4, 5, filters=8, strides=(2,)),
        front_end([mel, normalization]),
    )


def alone(split, i):
    waveform = split.waveform(i)
    return {"x": waveform[None], "lengths": np.array([len(waveform)])}


def test_pairs_of_utterances_are_converted_as_by_the_model_alone(model, splits):
    train, test = splits
    rows, chosen = np.array([0, 3, 7, 11]), np.array([9, 17, 2, 8])
    found = convert_pairs(model, test, rows, train, chosen)
    np.testing.assert_array_equal(found.target, train.speaker[chosen])
    for frames, row, one in zip(found.frames, rows, chosen, strict=True):
        expected = model.log_mel(model.convert(alone(test, row), alone(train, one)))[1][0]
        # float32 convolutions and sums of other lengths
        np.testing.assert_allclose(frames, expected, rtol=1e-3, atol=1e-3)


def test_every_conversion_is_that_of_the_model_alone(model, splits):
    train, test = splits
    rows, target = np.array([0, 3, 7, 11]), np.array([1, 2, 0, 1])
    heard = np.array([9, 17, 2, 13])  # of the training split
    found = convert_all(model, test, contents_of(model, test), rows, target, voices_of(model, train)[heard])
    for frames, row, i in zip(found.frames, rows, heard, strict=True):
        expected = model.log_mel(model.convert(alone(test, row), alone(train, i)))[1]
        assert frames.shape == tuple(expected.shape[1:])
        # float32 sums over batches of other sizes
        np.testing.assert_allclose(frames, np.asarray(expected)[0], atol=1e-4)


def test_all_pairs_and_mean_voices():
    rows, target = other_speakers(np.array([0, 2]), [0, 1, 2])
    assert (rows.tolist(), target.tolist()) == ([0, 0, 1, 1], [1, 2, 0, 1])
    means = mean_voices(np.array([[1.0], [3.0], [7.0]]), np.array([4, 4, 5]))
    assert {speaker: voice.tolist() for speaker, voice in means.items()} == {4: [2.0], 5: [7.0]}


def test_a_row_is_that_of_the_judge_with_distances_to_the_nearest_recording(model, splits, judge):
    _, test = splits
    rows, target = other_speakers(test.speaker, range(SPEAKERS))
    voices = np.zeros((len(rows), 5), "float32")
    conversions = convert_all(model, test, contents_of(model, test), rows, target, voices)
    layer = conversion_frames(RATE)
    row = judged(conversions, test, layer, judge)
    expected = judge.table_row(
        vocode(conversions.frames, layer),
        source=test.speaker[rows],
        target=target,
        content=test.label[rows],
    )
    assert {key: row[key] for key in expected} == expected
    recorded = [np.asarray(layer(test.waveform(i)[None]))[0] for i in range(len(test))]
    nearest, ratios = [], []
    for frames, source, t in zip(conversions.frames, rows, target, strict=True):
        theirs = [i for i in range(len(test)) if test.speaker[i] == t]
        same = [recorded[i] for i in theirs if test.label[i] == test.label[source]]
        nearest.append(min(mel_cepstral_distortion(frames, one) for one in same))
        ratios.append(frames.var(axis=0) / np.mean([recorded[i].var(axis=0) for i in theirs], axis=0))
    # recordings of a batch and alone differ by rounding
    assert row["mcd"] == pytest.approx(np.mean(nearest), rel=1e-4)
    assert row["gv"] == pytest.approx(np.mean(ratios), rel=1e-4)


def test_the_judge_hears_recordings_and_their_copies_and_is_kept(splits, judge, tmp_path):
    train, test = splits
    assert len(judge.features) == 2 * len(train)
    predicted = judge.predict([test.waveform(i) for i in range(len(test))])
    assert (
        np.mean(predicted["speaker"] == test.speaker) > 0.9
        and np.mean(predicted["content"] == test.label) > 0.9
    )
    kept = fit_judge([train], RATE, tmp_path / "judge.npz")
    assert kept.hash == judge.hash == ConversionJudge.load(tmp_path / "judge.npz").hash
    assert fit_judge([test], RATE, tmp_path / "judge.npz").hash == judge.hash  # read, not fitted


def test_probes_of_embeddings_that_contain_one_thing_only(splits):
    utterances = ProbedUtterances(*splits)
    rng = np.random.default_rng(0)
    word, speaker = np.eye(WORDS)[utterances.word], np.eye(SPEAKERS)[utterances.speaker]
    noise = 0.05 * rng.normal(size=(len(word), 1))
    content = utterances.of_content(np.concatenate([word, noise], axis=1))
    assert content["content_digit"] == content["content_digit_mlp"] == content["content_loso"] == 1.0
    assert (
        max(content[f"content_speaker_{k}"] for k in ("linear", "mlp", "newdigits")) <= 0.7
    )  # 1/3 is chance
    voice = utterances.of_voice(np.concatenate([speaker, noise], axis=1))
    assert voice["speaker_speaker"] == voice["speaker_newdigits"] == 1.0 and voice["speaker_digit"] < 1.0


def test_a_voice_that_is_tied_to_the_word_is_no_voice_on_new_words(splits):
    utterances = ProbedUtterances(*splits)
    code = np.eye(SPEAKERS * WORDS)[utterances.speaker * WORDS + utterances.word]
    voice = utterances.of_voice(code)
    assert voice["speaker_speaker"] == 1.0
    assert voice["speaker_newdigits"] == pytest.approx(1 / SPEAKERS)


def test_embeddings_of_a_model_are_pooled_and_probed(model, splits):
    train, test = splits
    embeddings = ConverterEmbeddings(model, [train], test)
    content = np.asarray(model.content(alone(test, 1)))[0]
    np.testing.assert_allclose(embeddings.pooled[len(train) + 1], eight_bins(content), atol=1e-5)
    np.testing.assert_allclose(embeddings.voices[2], np.asarray(model.speaker(alone(train, 2)))[0], atol=1e-5)
    assert set(embeddings.results()) == {
        *("content_speaker_linear", "content_speaker_mlp", "content_speaker_newdigits"),
        *("content_digit", "content_digit_mlp", "content_loso"),
        *("speaker_speaker", "speaker_digit", "speaker_newdigits"),
    }


def test_former_names_work_and_warn(model, splits, judge):
    train, test = splits
    with pytest.warns(DeprecationWarning, match="is now .*ConverterEmbeddings"):
        codes = voice_conversion_figures.Codes(model, train, test)
    assert codes.figures() == codes.results()
    with pytest.warns(DeprecationWarning, match="is now .*conversion_results"):
        found = voice_conversion_figures.conversion_figures(model, train, test, judge, codes=codes, most=2)
    assert found == conversion_results(model, train, test, judge, embeddings=codes, most=2)


def test_words_that_training_has_not_are_not_probed(splits):
    train, test = splits
    other = SpeechSplit(
        test.store, test.rows, None, {"speaker": test.speaker, "digit": test.label + 5}, "digit"
    )
    found = ProbedUtterances(train, other).of_content(np.random.default_rng(0).normal(size=(36, 3)))
    assert set(found) == {"content_speaker_linear", "content_speaker_mlp"}


def test_conversions_to_seen_speakers(model, splits, judge):
    train, test = splits
    embeddings = ConverterEmbeddings(model, train, test)
    found = conversion_results(model, train, test, judge, embeddings=embeddings, most=4)
    assert set(found) == {
        *("both_seen", "target_seen", "source_seen", "digit_seen", "mcd", "gv", "both_own", "digit_own"),
        *("both_one_utterance", "target_one_utterance", "source_one_utterance", "digit_one_utterance"),
    }
    own = [np.asarray(model.log_mel(model.reconstruct(alone(test, i)))[1])[0] for i in range(len(test))]
    predicted = judge.predict(vocode(own, conversion_frames(RATE)))
    every = conversion_results(model, train, test, judge, embeddings=embeddings, one_utterance=False)
    assert every["digit_own"] == np.mean(predicted["content"] == test.label)
    right = (predicted["content"] == test.label) & (predicted["speaker"] == test.speaker)
    assert every["both_own"] == np.mean(right)
    assert found["both_seen"] <= min(found["target_seen"], found["digit_seen"])


def test_frames_alone_cannot_be_heard(splits, judge):
    deaf = AdaINVoiceConverter(
        content_encoder(80, 8, filters=8, bank=2, strides=(1, 2)),
        speaker_encoder(80, 5, filters=8, bank=2, strides=(1, 2)),
        adain_decoder(80, 4, 5, filters=8, strides=(2,)),
    )
    with pytest.raises(InputError, match="a front end from waveforms to frames"):
        convert_all(deaf, splits[1], [], [], [])
