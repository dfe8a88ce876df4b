"""Speech of espeak-ng. Small corpora: a process that speaks takes half a second."""

import sys

import numpy as np
import pytest

from keras_ae.training.datasets import load_speech
from keras_ae.training.datasets.speech import _espeak as espeak
from keras_ae.training.datasets.speech._espeak import (
    available_voices,
    draw_sentences,
    draw_utterances,
    read_espeak,
    synthesize_in_process,
)

SMALL = {"voices": 2, "train_sentences": 2, "validation_sentences": 1, "test_sentences": 1}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def corpus(cache, monkeypatch):
    monkeypatch.setenv("KERAS_AE_CACHE", str(cache))
    return read_espeak(**SMALL)


def test_what_there_is(corpus):
    assert len(corpus.store) == 2 * (2 + 1 + 1)
    assert sorted(set(corpus.splits)) == ["test", "train", "validation"]
    assert corpus.names["speaker"] == ("Gene", "Diogo")
    assert len(set(corpus.texts)) == 8  # none is said twice
    seconds = corpus.store.lengths / 16_000
    assert seconds.min() > 2  # ten words at up to 200 a minute take 3 seconds, pauses aside
    assert seconds.max() < 6
    assert np.abs(corpus.store.waveform(0)).max() > 0.1


def test_fresh_processes_say_the_same_samples(corpus):
    utterances = draw_utterances(["f1", "klatt3", "m1"], 3, {"train": 1, "validation": 0, "test": 0}, seed=0)
    first, again = synthesize_in_process(utterances, 16_000), synthesize_in_process(utterances, 16_000)
    for key, values in first.items():
        np.testing.assert_array_equal(values, again[key], err_msg=key)


def test_phones_begin_where_their_sound_begins(corpus):
    """Hissing is where the alignment has an s, and nowhere in its vowels and pauses."""
    high = {"s": [], "vowel": [], "pause": []}
    kinds = {"s": "s", "z": None, **dict.fromkeys(("oU", "i:", "aI", "O:"), "vowel"), "_": "pause"}
    for row in range(len(corpus.store)):
        waveform = corpus.store.waveform(row)
        found = corpus.phones.of(row)
        assert found[0][0] < 800
        assert all(a[0] <= b[0] for a, b in zip(found, found[1:], strict=False))
        assert found[-1][0] <= len(waveform)
        for (start, phone), (end, _) in zip(found, found[1:], strict=False):
            if kinds.get(phone) and end - start > 400:
                power = np.abs(np.fft.rfft(waveform[start + 80 : end - 80])) ** 2
                frequencies = np.fft.rfftfreq(end - start - 160, 1 / 16_000)
                high[kinds[phone]].append(power[frequencies > 4000].sum() / (power.sum() + 1e-9))
    assert len(high["s"]) >= 5
    assert len(high["vowel"]) >= 5
    # of the power above 4 kHz an s has most and a vowel nearly nothing: 0.5 lies far from both
    assert np.mean(np.array(high["s"]) > 0.5) > 0.9
    assert np.mean(np.array(high["vowel"]) < 0.1) > 0.9


def test_phones_have_no_stress_marks(corpus):
    assert not {name for name in corpus.phones.names if name[0] in "',"}
    assert {"_", "s", "n", "d"} <= set(corpus.phones.names)


def test_cache_is_used_and_a_damaged_one_is_replaced(corpus, cache, monkeypatch):
    (path,) = cache.glob("espeak-*.npz")
    assert list(cache.iterdir()) == [path]  # nothing half-written is left
    with monkeypatch.context() as patch:
        patch.setattr(espeak, "synthesize_in_process", lambda *args: pytest.fail("spoken again"))
        np.testing.assert_array_equal(read_espeak(**SMALL).store.audio, corpus.store.audio)
    path.write_bytes(path.read_bytes()[:5000])
    np.testing.assert_array_equal(read_espeak(**SMALL).store.audio, corpus.store.audio)
    with np.load(path) as file:
        np.testing.assert_array_equal(file["audio"], corpus.store.audio)


def test_cache_that_cannot_be_written_to_is_a_warning(corpus, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(espeak, "synthesize_in_process", lambda *args: {"audio": np.zeros(0)})
    with pytest.warns(UserWarning, match="is not cached"):
        espeak._cached_corpus([], 16_000)


def test_settings_change_what_is_said():
    counts = {"train": 1, "validation": 1, "test": 1}
    said = draw_utterances(["a", "b", "c"], 2, counts, seed=0)
    assert said == draw_utterances(["a", "b", "c"], 2, counts, seed=0)
    assert [row["text"] for row in said] != [
        row["text"] for row in draw_utterances(["a", "b", "c"], 2, counts, seed=1)
    ]
    assert [row["split"] for row in said] == ["train", "train", "test", "test", "validation", "validation"]
    # more sentences for training leave those for test as they are
    more = draw_utterances(["a", "b", "c"], 2, {**counts, "train": 5}, seed=0)
    texts = [[row["text"] for row in rows if row["split"] == "test"] for rows in (said, more)]
    assert texts[0] == texts[1]


def test_sentences_have_ten_words_of_the_vocabulary():
    words = {word for listed in espeak.WORDS.values() for word in listed.split()}
    for sentence in draw_sentences(20, seed=3):
        assert len(sentence.split()) == 10
        assert set(sentence.split()) <= words


def test_voices_are_the_plain_ones():
    import espeakng_loader

    voices = available_voices(espeakng_loader.get_data_path())
    assert len(voices) >= 80
    assert not [voice for voice in voices if "whisper" in voice or "robo" in voice]
    assert voices == sorted(voices)


def test_missing_wheel_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ImportError, match=r"keras-ae\[espeak\]"):
        read_espeak()


def test_failure_of_the_process_is_told():
    with pytest.raises(RuntimeError, match=r"(?s)espeak-ng cannot speak: .*no voice xx-nowhere"):
        synthesize_in_process([{"text": "one", "voice": "xx-nowhere", "rate": 170, "pitch": 50}], 16_000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"voices": 1000}, "plain voices of espeak-ng. Received: voices=1000"),
        (
            {"voices": 0},
            "must be at least 1; seed, validation_sentences and test_sentences must be at least 0",
        ),
        ({"train_sentences": 0}, "voices, train_sentences and sample_rate must be at least 1"),
        ({"test_sentences": -1}, "seed, validation_sentences and test_sentences must be at least 0"),
    ],
)
def test_impossible_settings(complaint, settings, message):
    assert message in complaint(load_speech, "espeak", **settings)


def test_as_data(corpus):
    data = load_speech("espeak", **SMALL)
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 2, 2)
    assert data.speakers == ("Gene", "Diogo")
    assert data.phones == corpus.phones.names
    assert data.labels == ()
    assert data.description["validation_split"] == "official"
    frames = data.train.phone_frames(0, 50)
    assert frames.shape == (50,)
    assert data.phones[frames[0]] == data.train.phones_of(0)[0][1]
