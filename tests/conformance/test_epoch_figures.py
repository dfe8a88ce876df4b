"""The figures of an epoch do not depend on how the data are cut into batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

WEIGHTS = np.concatenate([np.ones(5), np.full(2, 0.5), np.zeros(5)]).astype("float32")
# of the batch as a whole, not means over examples
STATISTICS = {"diversity_loss", "speaker_dependence"}
STATISTICS |= {"total_correlation", "index_code_mi", "dimension_wise_kl"}
CONTRASTS = ("deep_info_max", "cpc", "quick_thought")  # the candidates are those of the batch


@pytest.fixture
def without_noise(monkeypatch):
    """Draws in validation depend on the batch: here all of them are the middle of their distribution."""
    monkeypatch.setattr(keras.random, "normal", lambda shape, **_: ops.zeros(shape, "float32"))
    monkeypatch.setattr(keras.random, "uniform", lambda shape, *_, **__: ops.full(shape, 0.5, "float32"))


def figures(model, x, weights, sizes):
    """What a validation in batches of these sizes reports."""
    model.reset_metrics()
    target = x.get("x", x.get("ids")) if isinstance(x, dict) else x
    data = (x,) if weights is None else (x, target, weights)
    start = 0
    for size in sizes:
        rows = slice(start, start + size)
        logs = model.test_step(
            keras.tree.map_structure(lambda array, rows=rows: tf.convert_to_tensor(array[rows]), data)
        )
        start += size
    return {name: float(value) for name, value in logs.items()}


@pytest.mark.only(functional=False)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all_alike", "weighted"])
def test_validation_reports_the_same_for_every_cut_into_batches(case, trained, without_noise, weights):
    if case.name.endswith(CONTRASTS):
        pytest.skip("its examples are compared with those of their batch")
    model, x = trained[case.name], case.data()
    whole, cut = (figures(model, x, weights, sizes) for sizes in ((12,), (5, 5, 1, 1)))
    statistics = STATISTICS & set(whole)
    names = set(whole) - statistics - ({"loss"} if statistics else set())
    assert len(names) > 1 or not statistics
    for name in sorted(names):
        # the order of float32 sums
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-4, atol=1e-6, err_msg=name)
