"""The judge of conversions against librosa's features and scikit-learn's classifiers."""

import librosa
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from keras_ae import InputError
from keras_ae.evaluation import ConversionJudge, copy_synthesis, vocode
from keras_ae.evaluation.speech.conversion_judge import conversion_features
from keras_ae.layers import LogMelSpectrogram

RATE = 8000
LAYER = LogMelSpectrogram(
    40, sample_rate=RATE, window_length=256, hop=64, fft_length=512, power=1.0, floor=1e-4
)


def utterance(speaker, word, rng):
    """A buzz at the speaker's pitch, filtered by a resonance that moves as the word says."""
    samples = int(rng.integers(2000, 3000))
    time = np.arange(samples) / RATE
    sweep = np.linspace(*((400, 1500) if word else (1500, 400)), samples)
    pitch = 110 * (1 + 0.4 * speaker)
    waves = [
        np.exp(-(((k * pitch - sweep) / 250) ** 2)) * np.sin(2 * np.pi * k * pitch * time)
        for k in range(1, 24)
    ]
    return (np.sum(waves, axis=0) + 0.01 * rng.normal(size=samples)).astype("float32")


def material(examples, seed):
    rng = np.random.default_rng(seed)
    speaker, word = np.arange(examples) % 3, np.arange(examples) // 3 % 2
    return [utterance(s, w, rng) for s, w in zip(speaker, word, strict=True)], speaker, word


@pytest.fixture(scope="module")
def heard():
    return material(36, seed=0)


@pytest.fixture(scope="module")
def judge(heard):
    waveforms, speaker, word = heard
    copies = copy_synthesis(waveforms, LAYER, iterations=8)
    return ConversionJudge(RATE).fit(waveforms, speaker=speaker, content=word, copies=copies)


def librosa_features(y):
    y = y / np.abs(y).max()
    settings = {"n_fft": 512, "win_length": 200, "hop_length": 80, "pad_mode": "constant"}
    energy = np.abs(librosa.stft(y, **settings)) ** 2
    mel = librosa.feature.melspectrogram(S=energy, sr=RATE, n_mels=40)
    c = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None, amin=1e-8), n_mfcc=13)
    f = np.vstack([c, librosa.feature.delta(c), librosa.feature.delta(c, order=2)])
    n = c.shape[1]
    parts = [c[:, n * k // 8 : max(n * k // 8 + 1, -(-n * (k + 1) // 8))].mean(axis=1) for k in range(8)]
    return np.concatenate([f.mean(axis=1), f.std(axis=1), *parts])


def test_features_are_those_of_librosa(heard):
    waveforms = heard[0][:5]
    expected = np.stack([librosa_features(one) for one in waveforms])
    # decibels of float32 energies
    np.testing.assert_allclose(conversion_features(waveforms, RATE), expected, atol=2e-3)


def test_features_do_not_depend_on_level_nor_on_the_other_utterances(heard):
    one = heard[0][0]
    alone = conversion_features([one], RATE)[0]
    louder = conversion_features([heard[0][1], 7.0 * one, np.zeros(9000)], RATE)[1]
    np.testing.assert_allclose(louder, alone, atol=1e-3)


def test_the_shortest_utterances_have_features():
    assert np.isfinite(conversion_features([np.ones(1), np.zeros(90), np.ones(5)], RATE)).all()


def test_it_says_what_support_vector_machines_say_of_real_and_copied_recordings(judge, heard):
    waveforms, speaker, word = heard
    new, *truth = material(12, seed=1)
    copies = copy_synthesis(waveforms, LAYER, iterations=8)
    x = conversion_features([*waveforms, *copies], RATE)
    x_new = conversion_features(new, RATE)
    predicted = judge.predict(new)
    for name, labels, true in zip(("speaker", "content"), (speaker, word), truth, strict=True):
        classifier = make_pipeline(StandardScaler(), SVC(C=10.0)).fit(x, np.concatenate([labels, labels]))
        np.testing.assert_array_equal(predicted[name], classifier.predict(x_new))
        assert np.mean(predicted[name] == true) > 0.9  # voices and words differ plainly


def test_copies_are_judged_as_their_originals(judge):
    new, speaker, word = material(12, seed=2)
    predicted = judge.predict(copy_synthesis(new, LAYER, iterations=8))
    assert np.mean(predicted["speaker"] == speaker) > 0.9 and np.mean(predicted["content"] == word) > 0.9


def test_rows_of_copy_oracle_and_cheat(judge, heard):
    new, speaker, word = heard  # what it was fitted on it knows
    target = (speaker + 1) % 3
    rows = {"copy": new, "oracle": [], "cheat": []}
    for t, w in zip(target, word, strict=True):
        rows["oracle"].append(next(x for x, s, v in zip(new, speaker, word, strict=True) if (s, v) == (t, w)))
        rows["cheat"].append(next(x for x, s, v in zip(new, speaker, word, strict=True) if (s, v) == (t, 0)))
    rows = {name: judge.table_row(x, source=speaker, target=target, content=word) for name, x in rows.items()}
    assert rows["copy"]["n"] == 36
    assert rows["copy"]["both"] == rows["copy"]["target_speaker"] == 0.0
    assert rows["copy"]["source_speaker"] == rows["copy"]["content"] == 1.0
    assert rows["oracle"]["both"] == 1.0 and rows["oracle"]["both_interval"][1] == 1.0
    assert rows["cheat"]["target_speaker"] == 1.0 and rows["cheat"]["both"] == np.mean(word == 0)


def test_both_needs_the_right_voice_and_the_right_word_of_the_same_conversion(judge, heard):
    new, speaker, word = (part[:6] for part in heard)
    target = np.where(np.arange(6) < 3, speaker, (speaker + 1) % 3)
    predicted = np.where(np.arange(6) < 3, 1 - word, word)
    row = judge.table_row(new, source=(speaker + 2) % 3, target=target, content=predicted)
    found = {k: row[k] for k in ("target_speaker", "source_speaker", "content", "both")}
    assert found == {"target_speaker": 0.5, "source_speaker": 0.0, "content": 0.5, "both": 0.0}


def test_a_saved_judge_says_the_same_and_has_the_same_hash(judge, tmp_path):
    judge.save(tmp_path / "judge.npz")
    with np.load(tmp_path / "judge.npz", allow_pickle=False) as file:
        assert not any(file[name].dtype.hasobject for name in file.files)
    again = ConversionJudge.load(tmp_path / "judge.npz")
    new = material(12, seed=5)[0]
    for name, predicted in judge.predict(new).items():
        np.testing.assert_array_equal(again.predict(new)[name], predicted)
    assert again.hash == judge.hash and len(judge.hash) == 16


def test_other_labels_have_another_hash_and_strings_are_labels(heard):
    waveforms, speaker, word = heard
    names = np.array(["ann", "bob", "cid"])[speaker]
    one = ConversionJudge(RATE).fit(waveforms, speaker=names, content=word)
    two = ConversionJudge(RATE).fit(waveforms, speaker=names, content=1 - word)
    assert one.hash != two.hash
    assert set(one.predict(waveforms)["speaker"]) == {"ann", "bob", "cid"}


def test_errors(heard, judge, tmp_path):
    waveforms, speaker, word = heard
    with pytest.raises(InputError, match="has not been fitted"):
        ConversionJudge(RATE).predict(waveforms)
    with pytest.raises(InputError, match="speaker must contain at least two values"):
        ConversionJudge(RATE).fit(waveforms, speaker=0 * speaker, content=word)
    with pytest.raises(InputError, match="one entry per example"):
        ConversionJudge(RATE).fit(waveforms, speaker=speaker[:-1], content=word)
    with pytest.raises(InputError, match="copies must contain the vocoded copies"):
        ConversionJudge(RATE).fit(waveforms, speaker=speaker, content=word, copies=waveforms[:3])
    with pytest.raises(InputError, match="finite"):
        judge.predict([np.full(900, np.nan)])
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="which is not such a file"):
        ConversionJudge.load(tmp_path / "other.npz")
    with pytest.raises(InputError, match="which is not such a file"):
        ConversionJudge.load(tmp_path / "absent.npz")


def test_vocoded_frames_are_near_those_that_were_asked_for():
    waveforms = material(3, seed=6)[0]
    frames = [np.asarray(LAYER(one[None]))[0] for one in waveforms]
    heard = vocode(frames, LAYER)
    for one, waveform in zip(frames, heard, strict=True):
        assert waveform.shape == ((len(one) - 1) * 64,) and waveform.dtype == np.float32
        again = np.asarray(LAYER(waveform[None]))[0]
        # loud bands: what is far below them is filled by leakage of the phases
        loud = one > one.max() - 3
        assert np.abs(again - one)[loud].mean() < 0.3
    assert vocode([frames[0][:1]], LAYER)[0].shape == (0,)
