"""The benchmark of large blocks in parts."""

import numpy as np
import pytest


def test_a_step_in_parts_and_the_records(benchmark_module, monkeypatch):
    module = benchmark_module("quick_thought_memory")
    for name, small in (("DIM", 4), ("VOCABULARY", 20), ("WORDS", 3)):
        monkeypatch.setattr(module, name, small)
    assert module.measured(2, sentences=40)["loss"] == pytest.approx(np.log(39), abs=0.2)
    found = module.records_of(
        [{"extra_mb": 300.0}, {"extra_mb": 400.0}], [{"extra_mb": 100.0}, {"extra_mb": 200.0}], 1.0
    )
    assert found["qt.memory.share"]["mean"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found["qt.memory.in_8_mb"]["n"] == 2 and found["qt.memory.whole_mb"]["mean"] == 350
