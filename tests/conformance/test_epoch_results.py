"""The results of an epoch do not depend on how the data are cut into batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

WEIGHTS = np.concatenate([np.ones(5), np.full(2, 0.5), np.zeros(5)]).astype("float32")
# of the batch as a whole, not means over examples
STATISTICS = {"diversity_loss", "speaker_dependence"}
STATISTICS |= {"total_correlation", "index_code_mi", "dimension_wise_kl", "mmd"}


@pytest.fixture
def without_noise(monkeypatch):
    """Draws in validation depend on the batch: here all of them are the middle of their distribution."""
    monkeypatch.setattr(keras.random, "normal", lambda shape, **_: ops.zeros(shape, "float32"))
    monkeypatch.setattr(keras.random, "uniform", lambda shape, *_, **__: ops.full(shape, 0.5, "float32"))


def results(model, x, weights, sizes):
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


@pytest.mark.only(functional=False, contrastive=False)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all_alike", "weighted"])
def test_validation_reports_the_same_for_every_cut_into_batches(case, trained, without_noise, weights):
    model, x = trained[case.name], case.data()
    whole, cut = (results(model, x, weights, sizes) for sizes in ((12,), (5, 5, 1, 1)))
    statistics = STATISTICS & set(whole)
    names = set(whole) - statistics - ({"loss"} if statistics else set())
    assert len(names) > 1 or not statistics
    for name in sorted(names):
        # the order of float32 sums
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-4, atol=1e-6, err_msg=name)


def counted(case, model, x):
    """What each result of a batch is a mean of: predicted frames, sentences with a neighbour, examples."""
    if case.words:
        near = np.abs(x["position"][:, None] - x["position"]) == 1
        sentences = (near & (x["document"][:, None] == x["document"])).any(axis=1).sum()
        return dict.fromkeys(("loss", "gain", "context_accuracy"), sentences)
    if case.frames_of is not None:
        frames = np.array([case.frames_of(length) for length in x["lengths"]])
        of = {
            f"accuracy_{k}": np.maximum(frames - k, 0).sum() for k in range(model.first_step, model.steps + 1)
        }
        return {**of, **dict.fromkeys(("loss", "accuracy"), sum(of.values()))}
    examples = len(x["x"] if isinstance(x, dict) else x)
    pairs = examples if examples > 1 else 0  # an example alone has no other to be told from
    return {"global_loss": pairs, "local_loss": pairs, "prior_loss": examples, "discriminator_loss": examples}


@pytest.mark.only(contrastive=True)
def test_an_epoch_of_comparisons_counts_each_batch_by_what_is_compared_in_it(case, without_noise):
    """The candidates are those of the batch: the results of each batch are those of the batch alone."""
    model, x, sizes = case.compiled(), case.data(), (5, 5, 1, 1)
    if case.words:
        sizes = (7, 3, 2)  # one sentence has no neighbour
    ends = np.cumsum(sizes)
    parts = [
        keras.tree.map_structure(lambda array, rows=slice(end - size, end): array[rows], x)
        for size, end in zip(sizes, ends, strict=True)
    ]
    batches = [results(model, part, None, (size,)) for part, size in zip(parts, sizes, strict=True)]
    weights = [counted(case, model, part) for part in parts]
    found = results(model, x, None, sizes)
    assert set(found) - {"loss"} <= set(weights[0])
    for name in set(found) & set(weights[0]):
        expected = np.average([b[name] for b in batches], weights=[w[name] for w in weights])
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, err_msg=name)
    if "loss" not in weights[0]:
        terms = {"global_loss": model.alpha, "local_loss": model.beta, "prior_loss": model.gamma}
        expected = sum(weight * found[name] for name, weight in terms.items() if weight)
        np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)
