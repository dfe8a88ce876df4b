"""Controls of conversion on a toy, data without speakers, and all records."""

import json

import numpy as np
import pytest

from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import SpeechData, SpeechSplit


def split(takes=2, speakers=6, seed=0):
    """Noise of each speaker's colour, louder first or last as the digit says."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(speakers), 2 * takes)
    digit = np.tile(np.repeat([0, 1], takes), speakers)
    waveforms = []
    for s, d in zip(speaker, digit, strict=True):
        noise = rng.normal(size=1200 + 64 * rng.integers(0, 4))
        coloured = np.convolve(noise, np.sin(0.3 * (s + 1) * np.arange(12)), mode="same")
        waveforms.append((coloured * np.linspace(1 - d, d, len(coloured))).astype("float32"))
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in waveforms])])
    store = WaveformStore(np.concatenate(waveforms), offsets, 8000, "noise")
    rows = np.arange(len(speaker))
    return SpeechSplit(store, rows, "rms", {"speaker": speaker, "digit": digit}, label="digit")


@pytest.fixture
def layer():
    from keras_ae.evaluation.speech.conversions import conversion_frames

    return conversion_frames(8000)


def test_controls_do_what_their_names_say(benchmark_module, layer):
    controls = benchmark_module("parts.voice_conversion_controls")
    train, test = (controls.Takes([split(takes, seed=s)], layer) for takes, s in ((3, 0), (1, 1)))
    convert = controls.converters(train, test, layer)
    row, target = 1, 4
    assert set(convert) == set(controls.NOTES)
    np.testing.assert_array_equal(convert["copy"](row, target), test.frames[row])
    moments = {s: (train.of(s).mean(axis=0), train.of(s).std(axis=0)) for s in (0, 4)}
    expected = (test.frames[row] - moments[0][0]) / moments[0][1] * moments[4][1] + moments[4][0]
    np.testing.assert_allclose(convert["mean_variance"](row, target), expected, rtol=1e-5)
    moved = convert["mean_shift"](row, target) - test.frames[row]
    np.testing.assert_allclose(moved, np.tile(moments[4][0] - moments[0][0], (len(moved), 1)), atol=1e-4)
    given = convert["utterance_norm"](row, target)
    np.testing.assert_allclose(given.mean(axis=0), moments[4][0], atol=1e-3)
    for name, allowed in (("oracle", [1]), ("cheat", [0, 1])):
        played = convert[name](row, target)
        heard = [i for i, frames in enumerate(train.frames) if np.array_equal(frames, played)]
        assert train.speaker[heard].tolist() == [target] and train.word[heard][0] in allowed


def test_nearest_frames_are_those_of_all_distances(benchmark_module, layer):
    controls = benchmark_module("parts.voice_conversion_controls")
    train = controls.Takes([split(2)], layer)
    nearest = controls.NearestFrames(train, layer.num_mels)
    frames = train.frames[0][:6]
    keys = nearest.keys(frames, 0)
    theirs = np.concatenate([nearest.keys(train.frames[i], 3) for i in np.flatnonzero(train.speaker == 3)])
    order = np.argsort(np.linalg.norm(keys[:, None] - theirs[None], axis=-1), axis=1)[:, :4]
    np.testing.assert_allclose(nearest(frames, 0, 3), train.of(3)[order].mean(axis=1), rtol=1e-5)
    from scipy.fft import dct

    cepstra = dct(train.of(0), axis=1, norm="ortho")[:, 1:14]
    own = (dct(frames, axis=1, norm="ortho")[:, 1:14] - cepstra.mean(axis=0)) / cepstra.std(axis=0)
    np.testing.assert_allclose(keys[:, 26:39], own, atol=1e-3)  # the middle one of five frames


def test_speakers_that_are_left_out_are_nowhere_and_the_others_count_from_0(benchmark_module):
    training = benchmark_module("parts.voice_conversion_training")
    names = tuple("abcdef")
    data = SpeechData("noise", split(3), split(1), split(1), 8000, names, ("0", "1"), (), {})
    for pair in benchmark_module("parts.voice_conversion_unseen").PAIRS:
        less = training.without(data, pair)
        assert less.speakers == tuple(name for i, name in enumerate(names) if i not in pair)
        assert len(less.train) == 24 and set(less.train.speaker) == {0, 1, 2, 3}
        kept = [i for i in range(len(data.train)) if data.train.speaker[i] not in pair]
        for mine, theirs in zip(range(len(less.train)), kept, strict=True):
            np.testing.assert_array_equal(less.train.waveform(mine), data.train.waveform(theirs))
            assert names[data.train.speaker[theirs]] == less.speakers[less.train.speaker[mine]]
            assert less.train.label[mine] == data.train.label[theirs]
    assert sorted(sum(benchmark_module("parts.voice_conversion_unseen").PAIRS, ())) == list(range(6))


@pytest.mark.parametrize(("monitor", "epoch"), [("val_loss", 2), (None, 3)])
def test_weights_of_the_epoch_that_the_recipe_keeps(benchmark_module, monitor, epoch):
    kept = benchmark_module("parts.voice_conversion_training").KeptEpoch(type("Stream", (), {})(), monitor)

    class Model:
        def get_weights(self):
            return [kept.stream.epoch]

    kept.set_model(Model())
    for number, value in enumerate((0.5, 0.2, 0.3)):
        kept.on_epoch_begin(number)
        kept.on_epoch_end(number, {"val_loss": value})
    assert (kept.epoch, kept.weights) == (epoch, [epoch - 1])


def test_unseen_voices_say_the_same_sentences(benchmark_module):
    pytest.importorskip("espeakng_loader")
    spoken = benchmark_module("parts.voice_conversion_unseen").parallel_sentences(8000, voices=2, sentences=2)
    assert spoken.speaker.tolist() == [0, 0, 1, 1] and spoken.label.tolist() == [0, 1, 0, 1]
    lengths = spoken.lengths.reshape(2, 2)
    assert np.abs(np.log(lengths[0] / lengths[1])).max() < 0.2  # another voice, the same tempo


def test_a_finished_part_is_read_and_done_again_with_other_settings(benchmark_module, tmp_path):
    benchmark = benchmark_module("voice_conversion")
    path, settings = tmp_path / "runs" / "a.json", {"epochs": 3, "strides": (2, 2)}
    done = benchmark.cached(path, settings, lambda: {"both": 0.5})
    assert done["both"] == 0.5 and done["minutes"] >= 0
    assert benchmark.cached(path, settings, lambda: 1 / 0) == json.loads(json.dumps(done))
    assert benchmark.cached(path, {"epochs": 4}, lambda: {"both": 0.6})["both"] == 0.6
    assert json.loads(path.read_text())["settings"] == {"epochs": 4}


def test_parts_are_those_that_the_system_has(benchmark_module, tmp_path):
    benchmark = benchmark_module("voice_conversion")
    data = SpeechData("noise", split(3), split(1), split(1), 8000, tuple("abcdef"), ("0", "1"), (), {})
    for name, system in benchmark.SYSTEMS.items():
        parts = benchmark.parts_of(name, data, None, None, tmp_path)
        unseen = {"oneshot", "espeak"} if system["one_shot"] else set()
        assert set(parts) == {"main", "ablation"} | unseen
        assert parts["ablation"][0] == parts["main"][0] | system["off"]
        assert set(system["off"]) <= set(recipe_fields(system["recipe"]))


def recipe_fields(name):
    from dataclasses import fields

    from keras_ae.training.recipes import RECIPES

    return [field.name for field in fields(RECIPES[name])]


def test_a_stopped_run_goes_on_and_writes_what_there_is(benchmark_module, monkeypatch, tmp_path):
    names = ("voice_conversion", "parts.voice_conversion_records")
    benchmark, records = (benchmark_module(name) for name in names)
    measured = []

    def part(name):
        def results(seed):
            measured.append((name, seed))
            if measured == [("main", 0), ("main", 1)]:
                raise KeyboardInterrupt
            return {key: 0.5 for key in records.TEXTS if not key.startswith("ablation")} | {"epoch": 1}

        return {"epochs": 1}, results

    judge = type("Judge", (), {"hash": "abc"})
    monkeypatch.setattr(benchmark, "one_thread", lambda: None)  # TensorFlow runs already
    monkeypatch.setattr(benchmark, "load_speech", lambda *_, **__: SpeechDataStub)
    monkeypatch.setattr(benchmark, "fit_judge", lambda *_: judge)
    monkeypatch.setattr(benchmark, "parts_of", lambda *_: {name: part(name) for name in ("main", "ablation")})
    files = ["--runs", str(tmp_path / "runs"), "--record", str(tmp_path / "r.json")]
    monkeypatch.setattr(
        "sys.argv", ["voice_conversion.py", "adain", "--data", "d.npz", "--seeds", "2", *files]
    )
    with pytest.raises(KeyboardInterrupt):
        benchmark.main()
    assert json.loads((tmp_path / "r.json").read_text())["vc.adain.both_seen"]["n"] == 1
    benchmark.main()
    assert measured == [("main", 0), ("main", 1), ("main", 1), ("ablation", 0), ("ablation", 1)]
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["vc.adain.both_seen"]["n"] == found["vc.adain.ablation_drop"]["n"] == 2


class SpeechDataStub:
    train = validation = None


def one(records, **changes):
    results = dict.fromkeys(records.TEXTS, 0.5) | {"epoch": 3, "minutes": 1.0} | changes
    return {key: value for key, value in results.items() if not key.startswith("ablation")}


def test_every_record_is_written_with_its_goal(benchmark_module, tmp_path):
    records, writer = benchmark_module("parts.voice_conversion_records"), benchmark_module("parts.records")
    main = [one(records, content_speaker_linear=value, content_digit=0.9) for value in (0.3, 0.4, 0.5)]
    off = [one(records, content_speaker_linear=0.8, content_digit=0.95) for _ in main]
    results = {"main": main, "ablation": off[:2], "oneshot": []}
    for name in ("adain", "adversarial"):
        found = writer.write_records(
            tmp_path / f"{name}.json", records.system_records(name, results, {"epochs": 3}, "abc")
        )
        assert found[f"vc.{name}.content_speaker_linear"]["mean"] == pytest.approx(0.4)
        assert writer.is_met(found[f"vc.{name}.content_speaker_linear"])
        drop = found[f"vc.{name}.ablation_drop"]
        assert drop["n"] == 2 and drop["mean"] == pytest.approx((0.5 + 0.4) / 2)
        cost = found[f"vc.{name}.ablation_digit_cost"]
        assert cost["mean"] == pytest.approx(0.05)
        assert writer.is_met(cost) is (False if name == "adversarial" else None)
        assert json.loads((tmp_path / f"{name}.json").read_text()) == found


def test_records_of_controls(benchmark_module, tmp_path):
    records, writer = benchmark_module("parts.voice_conversion_records"), benchmark_module("parts.records")
    row = {"n": 9, "both": 0.1, "target_speaker": 0.2, "source_speaker": 0.3, "content": 0.4}
    controls = {
        "rows": dict.fromkeys(records.NOTES, row | {"mcd": 5.0, "gv": 1.0}),
        "probes": {"mfcc13": {"content_digit": 0.9}},
        "judge": "abc",
        "judge_accuracy": {"copied_digit": 0.99},
        "minutes": 1.0,
    }
    found = writer.write_records(tmp_path / "r.json", records.control_records(controls))
    assert found["vc.control.cheat.target"]["mean"] == 0.2 and found["vc.control.copy.digit"]["mean"] == 0.4
    assert found["vc.judge.copied_digit"]["mean"] == 0.99
    assert found["vc.control.mfcc13.content_digit"]["n"] == 1
