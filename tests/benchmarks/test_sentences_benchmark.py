"""Parts, results and records of the benchmark of sentences, on a toy."""

import json

import numpy as np
import pytest

from keras_ae.evaluation import LabelledSentences, SentenceTask
from keras_ae.training.recipes import RECIPES

TINY = {"sentence_per_line": True, "vocabulary_size": 30, "min_count": 1}


@pytest.fixture
def data(benchmark_module, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path / "cache"))
    rng, nouns = np.random.default_rng(0), ["cat", "dog", "house"]
    for part, number in (("train", 3), ("valid", 1)):
        (tmp_path / "books" / part).mkdir(parents=True)
        for book in range(number):
            lines = [f"the {noun} sees the {rng.choice(nouns)} ." for noun in rng.choice(nouns, 9)]
            (tmp_path / "books" / part / f"{book}.txt").write_text("\n".join(lines))
    return benchmark_module("parts.sentences_training").load_books(tmp_path / "books", TINY)


def test_all_training_novels_are_trained_on(data):
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 9, 9)
    assert "cat" in data.vocabulary


def test_parts_follow_one_another(benchmark_module, data, monkeypatch, tmp_path):
    benchmark = benchmark_module("sentences")
    small = {**TINY, "word_vectors": "none", "embedding_dim": 4, "dim": 4, "epochs": 1, "batch_size": 9}
    systems = {
        "gru": {"recipe": "quick-thought", "settings": small},
        "bag": {"recipe": "quick-thought", "settings": {**small, "encoder": "bag-of-words"}},
        "skip": {"recipe": "skip-thought", "settings": small},
    }
    monkeypatch.setattr(benchmark, "SYSTEMS", systems)
    monkeypatch.setattr(RECIPES["quick-thought"], "start_vectors", lambda self, data: _table(data))
    labelled = LabelledSentences(["the cat", "the dog", "a cat", "a dog"] * 3, [1, 0] * 6)
    parts = benchmark.parts_of(data, [SentenceTask("trec", labelled, test=labelled)], tmp_path)
    assert set(parts) == set(benchmark.PARTS)
    with pytest.raises(SystemExit, match="gru, bag, skip"):
        parts["multi"][1](0)
    results = {part: [parts[part][1](0) | {"minutes": 1.0}] for part in benchmark.PARTS}
    assert results["gru"][0]["gain"] > -1 and results["gru"][0]["epoch"] == 1
    assert results["skip"][0]["next_perplexity"] > 1 and "transfer" not in results["without"][0]
    assert set(results["controls"][0]["rows"]) >= {
        "bag of words",
        "mean of word vectors",
        "untrained encoder",
    }
    found = benchmark_module("parts.records").write_records(
        tmp_path / "r.json", benchmark.records_of(results)
    )
    for name in ("qt.valid.gain", "qt.trec", "qt.bag.trec", "qt.multi.trec", "qt.multi.example", "st.trec"):
        assert name in found
    assert "encoder bag-of-words" in found["qt.multi_quick.trec"]["note"]
    without, own = (results[part][0]["next_perplexity"] for part in ("without", "skip"))
    assert found["st.perplexity.gain"]["mean"] == pytest.approx(1 - own / without)
    assert found["st.trec_behind"]["mean"] == found["qt.trec"]["mean"] - found["st.trec"]["mean"]
    assert found["sentences.bag_of_words.trec"]["mean"] == 1.0


def _table(data):
    from keras_ae.text import WordVectors

    words = data.vocabulary.words
    return WordVectors(words, np.random.default_rng(0).normal(size=(len(words), 4)))


def test_a_stopped_run_goes_on(benchmark_module, monkeypatch, tmp_path):
    benchmark, measured = benchmark_module("sentences"), []

    def part(name):
        def results(seed):
            measured.append((name, seed))
            if len(measured) == 3:
                raise KeyboardInterrupt
            return {"gain": 0.4 + seed, "epoch": 1, "transfer": {"trec": {"accuracy": 0.85}}}

        return {"dim": 4}, results

    monkeypatch.setattr(benchmark, "one_thread", lambda: None)
    monkeypatch.setattr(benchmark, "load_books", lambda *_: None)
    monkeypatch.setattr(benchmark, "load_sentence_tasks", lambda _: [])
    monkeypatch.setattr(benchmark, "PARTS", ("gru", "bag"))
    monkeypatch.setattr(benchmark, "parts_of", lambda *_: {name: part(name) for name in ("gru", "bag")})
    files = ["--runs", str(tmp_path / "runs"), "--record", str(tmp_path / "r.json")]
    arguments = ["sentences.py", "gru", "--books", "b", "--sentences", "s", "--seeds", "2", *files]
    monkeypatch.setattr("sys.argv", arguments)
    benchmark.main()
    assert measured == [("gru", 0), ("gru", 1)]
    monkeypatch.setattr("sys.argv", ["sentences.py", "all", *arguments[2:]])
    with pytest.raises(KeyboardInterrupt):
        benchmark.main()
    benchmark.main()
    assert measured[2:] == [("bag", 0), ("bag", 0), ("bag", 1)]
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["qt.valid.gain"]["mean"] == pytest.approx(0.9) and found["qt.bag.trec"]["n"] == 2
    assert benchmark_module("parts.records").is_met(found["qt.trec"])


def test_settings_are_those_of_the_recipes(benchmark_module):
    settings = benchmark_module("parts.sentences_settings")
    for system in settings.SYSTEMS.values():
        RECIPES[system["recipe"]](**system["settings"])
    RECIPES["skip-thought"](**settings.SYSTEMS["skip"]["settings"], **settings.WITHOUT_VECTOR)
    for channels in settings.CHANNELS.values():
        assert set(channels) <= {*settings.SYSTEMS, *settings.POOLED}


def test_results_that_were_measured_with_other_settings_are_not_taken(benchmark_module, tmp_path):
    cache, path = benchmark_module("parts.result_cache"), tmp_path / "runs" / "a.json"
    assert cache.kept(path, {}) is None
    done = cache.cached(path, {"sizes": (2, 3)}, lambda: {"x": 1})
    assert cache.cached(path, {"sizes": [2, 3]}, lambda: 1 / 0) == json.loads(json.dumps(done))
    assert cache.kept(path, {"sizes": (2, 3)})["x"] == 1
    assert cache.kept(path, {"sizes": 1}) is None
    assert cache.cached(path, {"sizes": 1}, lambda: {"x": 2})["x"] == 2
