"""The speed of Quick-Thought: what both sides read, our side on a few words, and the records."""

import json

import pytest


@pytest.fixture
def speed(benchmark_module, monkeypatch):
    module = benchmark_module("quick_thought_speed")
    monkeypatch.setattr(module, "BLOCK", 6)
    monkeypatch.setattr(module, "BLOCKS", 2)
    monkeypatch.setattr(module, "VOCABULARY", 12)
    return module


def test_our_side_reads_the_blocks_and_gives_a_rate_for_each_task(speed, benchmark_module, tmp_path):
    text, folder = tmp_path / "text", tmp_path / "read"
    text.mkdir(), folder.mkdir()
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "it", "saw", "the", "dog"]
    lines = [" ".join(words[i % 7 : i % 7 + 4]) for i in range(40)]
    (text / "a.txt").write_text("\n".join(lines))
    speed.prepare(text, folder)
    assert set(json.loads((folder / "sentences.json").read_text())) <= set(lines)
    keras_side = benchmark_module("quick_thought_speed_keras")
    blocks = keras_side.read_blocks(folder)
    assert [block["ids"].shape[0] for block in blocks] == [6, 6]
    rates = keras_side.main(folder)
    assert set(rates) == set(speed.NOTES) and all(rate > 0 for rate in rates.values())


def test_ratios_are_of_one_round(speed, benchmark_module):
    tasks = ("train", "train_bow", "encode")
    rounds = [(dict.fromkeys(tasks, ours), dict.fromkeys(tasks, peer)) for ours, peer in ((4, 2), (9, 3))]
    found = speed.records_of(rounds, None, 1.0)
    assert found["qt.train.vs_torch"]["mean"] == pytest.approx((4 / 2 + 9 / 3) / 2)
    assert found["qt.train.bow.per_s"]["mean"] == pytest.approx(6.5)
    assert found["qt.train.vs_torch"]["goal"] == ">= 2" and found["qt.encode.per_s"]["goal"] == ">= 2000"
    assert benchmark_module("parts.records").is_met(found["qt.train.vs_torch"])
