"""The prior over codes against brute force over all sequences, and its draws against its probabilities."""

import itertools

import keras
import numpy as np
import pytest

from keras_ae.models import CodePrior
from keras_ae.models.discrete.code_prior import code_at_quantile

VALUES, SHAPE = 3, (2, 2)


def random_prior(seed=0, **kwargs):
    """A small prior with large random weights, so that its probabilities are far from equal."""
    keras.utils.set_random_seed(seed)
    prior = CodePrior(VALUES, SHAPE, dim=8, depth=2, num_attention_heads=2, **kwargs)
    rng = np.random.default_rng(seed)
    prior.set_weights([w + 0.4 * rng.standard_normal(w.shape) for w in prior.get_weights()])
    return prior


@pytest.fixture(scope="module")
def prior():
    return random_prior()


@pytest.fixture(scope="module")
def conditional():
    return random_prior(num_labels=2, condition_values=4, condition_shape=(1, 2))


@pytest.fixture(scope="module")
def given():
    return {"labels": np.array([1]), "condition": np.array([[[3, 0]]])}


def all_codes():
    return np.array(list(itertools.product(range(VALUES), repeat=4)), "int32").reshape(-1, *SHAPE)


def repeated(given, count):
    return {name: np.repeat(value, count, axis=0) for name, value in given.items()}


def test_probabilities_of_all_sequences_sum_to_one(prior, conditional, given):
    codes = all_codes()
    for log_prob in (prior.log_prob(codes), conditional.log_prob(codes, **repeated(given, len(codes)))):
        assert np.std(log_prob) > 0.3
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-5)  # float32 logits


def test_log_prob_is_the_sum_over_the_logits_of_call(prior):
    codes = all_codes()
    logits = np.asarray(prior(codes), "float64").reshape(-1, 4, VALUES)
    log_softmax = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = np.take_along_axis(log_softmax, codes.reshape(-1, 4, 1), -1).sum((1, 2))
    np.testing.assert_allclose(prior.log_prob(codes), expected, rtol=1e-5)
    np.testing.assert_allclose(prior.bits_per_code(codes), -expected / np.log(2) / 4, rtol=1e-5)


@pytest.mark.parametrize("changed", range(4))
def test_no_code_sees_itself_or_a_later_one(conditional, given, changed):
    codes = np.array([[[0, 1], [2, 1]]], "int32")
    other = codes.reshape(1, 4).copy()
    other[0, changed] = (other[0, changed] + 1) % VALUES
    before, after = (
        np.asarray(conditional({"x": c, **given})).reshape(4, VALUES) for c in (codes, other.reshape(1, 2, 2))
    )
    np.testing.assert_array_equal(before[: changed + 1], after[: changed + 1])
    assert (before[changed + 1 :] != after[changed + 1 :]).any(axis=-1).all()


def test_every_code_sees_label_and_whole_condition(conditional, given):
    codes = np.array([[[0, 1], [2, 1]]], "int32")
    before = np.asarray(conditional({"x": codes, **given})).reshape(4, VALUES)
    for other in (
        {**given, "labels": np.array([0])},
        {**given, "condition": np.array([[[3, 1]]])},
        {**given, "condition": np.array([[[2, 0]]])},
    ):
        after = np.asarray(conditional({"x": codes, **other})).reshape(4, VALUES)
        assert (before != after).any(axis=-1).all()


@pytest.mark.slow
def test_draws_occur_as_often_as_they_are_probable(conditional, given):
    count = 20_000
    drawn = np.asarray(conditional.sample(count, seed=1, **repeated(given, count))).reshape(-1, 4)
    counts = np.bincount(drawn @ VALUES ** np.arange(3, -1, -1), minlength=VALUES**4)
    probable = np.exp(conditional.log_prob(all_codes(), **repeated(given, VALUES**4)))
    deviations = (counts - count * probable) / np.sqrt(count * probable * (1 - probable))
    # 81 standard normal numbers: the largest stays below 4.5 in all but 1 of 1,800 seeds
    assert np.abs(deviations).max() < 4.5
    assert 0.6 < np.square(deviations).mean() < 1.5


def test_cached_steps_give_what_the_whole_network_gives(conditional, given):
    noise = np.random.default_rng(0).random((5, 4), "float32")
    inputs = repeated(given, 5)
    drawn, gap = conditional.codes_of_noise(noise, **inputs)
    codes = np.zeros((5, 4), "int32")
    gaps = []
    for i in range(4):
        logits = np.asarray(conditional({"x": codes.reshape(5, 2, 2), **inputs}), "float64")
        logits = logits.reshape(5, 4, VALUES)[:, i]
        borders = np.cumsum(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), -1)[:, :-1]
        codes[:, i] = (borders <= noise[:, i : i + 1]).sum(-1)
        gaps.append(np.abs(borders - noise[:, i : i + 1]).min(-1))
    np.testing.assert_array_equal(np.asarray(drawn).reshape(5, 4), codes)
    np.testing.assert_allclose(gap, np.min(gaps, axis=0), atol=1e-5)


def test_top_k_and_temperature_narrow_the_draws(prior):
    codes = np.zeros((1, 4), "int32")
    for i in range(4):
        codes[0, i] = np.asarray(prior(codes.reshape(1, 2, 2))).reshape(4, VALUES)[i].argmax()
    for narrow in ({"top_k": 1}, {"temperature": 1e-3}):
        drawn = np.asarray(prior.sample(50, seed=0, **narrow)).reshape(-1, 4)
        np.testing.assert_array_equal(drawn, np.repeat(codes, 50, 0))


def test_no_code_of_probability_0_is_drawn():
    logits = np.array([[-1e9, 0.0, 1.0, -1e9]], "float32").repeat(4, 0)
    noise = np.array([0.0, 0.26, 0.27, np.nextafter(1, 0, dtype="float32")], "float32")
    code, _ = code_at_quantile(keras.ops.convert_to_tensor(logits), noise)
    assert np.asarray(code).tolist() == [1, 1, 2, 2]  # 1 / (1 + e) = 0.269


def test_same_seed_same_draws_in_parts_of_any_size(prior, monkeypatch):
    whole = np.asarray(prior.sample(7, seed=3))
    monkeypatch.setattr("keras_ae.models.discrete.code_prior.SAMPLED_AT_ONCE", 3)
    np.testing.assert_array_equal(prior.sample(7, seed=3), whole)
    assert (np.asarray(prior.sample(7, seed=4)) != whole).any()


@pytest.mark.slow
def test_learns_what_label_and_condition_tell():
    rng = np.random.default_rng(0)
    labels, condition = rng.integers(0, 2, 1024), rng.integers(0, 4, (1024, 2, 2))
    codes = (np.kron(condition, np.ones((1, 2, 2), "int32")) + labels[:, None, None]) % 4
    keras.utils.set_random_seed(0)
    prior = CodePrior(
        4, (4, 4), dim=32, depth=1, num_labels=2, condition_values=4, condition_shape=(2, 2), dropout=0.1
    )
    prior.compile(keras.optimizers.Adam(1e-2))
    x = {"x": codes, "labels": labels, "condition": condition}
    history = prior.fit(x, epochs=6, verbose=0).history
    assert history["loss"][0] < np.log(4) + 0.5  # begins near the uniform prior
    assert prior.evaluate(x, verbose=0, return_dict=True)["accuracy"] > 0.98
    assert np.mean(prior.bits_per_code(codes, labels=labels, condition=condition)) < 0.15
    drawn = prior.sample(64, labels=1, condition=condition[:64], seed=0)
    expected = (np.kron(condition[:64], np.ones((1, 2, 2), "int32")) + 1) % 4
    assert (np.asarray(drawn) == expected).mean() > 0.95


@pytest.mark.slow
def test_a_code_that_occurs_often_moves_as_far_as_adam_says():
    prior = random_prior()
    prior.compile(keras.optimizers.Adam(1e-2))
    before = prior.get_weights()
    prior.fit(np.zeros((8, *SHAPE), "int32"), verbose=0)
    # the first step of Adam is at most the learning rate, whatever the gradient
    assert max(np.abs(w - old).max() for w, old in zip(prior.get_weights(), before, strict=True)) < 1.0001e-2


@pytest.mark.slow
def test_conditional_prior_reloads_with_its_optimizer(conditional, given, tmp_path):
    conditional.compile("adam")
    x = {"x": all_codes(), **repeated(given, VALUES**4)}
    conditional.fit(x, verbose=0)
    conditional.save(tmp_path / "prior.keras")
    again = keras.saving.load_model(tmp_path / "prior.keras")
    np.testing.assert_array_equal(again(x), conditional(x))
    for ours, theirs in zip(again.optimizer.variables, conditional.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.log_prob(np.zeros((2, 2, 2), "float32")), "codes must be integers"),
        (lambda p: p.log_prob(np.zeros((2, 4), "int32")), "codes must be integers of the shape"),
        (lambda p: p.log_prob(np.zeros((2, 2, 2), "int32"), labels=[0, 1]), "labels must be None for this"),
        (lambda p: p.sample(0), "num must be at least 1"),
        (lambda p: p.sample(2, top_k=4), "top_k from 1"),
        (lambda p: CodePrior(3, (2, None)), "code_shape must not contain None"),
        (lambda p: CodePrior(0, (2,)), "sizes must be at least 1"),
        (lambda p: CodePrior(3, (2,), condition_values=3), "must be given together"),
        (lambda p: CodePrior(3, (2,), dim=6, num_attention_heads=4), "multiple of num_heads"),
        (
            lambda p: CodePrior(3, (2,), dim=4, num_labels=2).sample(2),
            "labels must be given for this",
        ),
    ],
)
def test_what_cannot_be_is_refused(prior, call, message):
    with pytest.raises(ValueError, match=message):
        call(prior)
