"""Transfer against scikit-learn's own searches, and against objectives minimised by other means."""

import json
from functools import partial

import numpy as np
import pytest
from scipy import optimize, sparse, special, stats
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from keras_ae import InputError
from keras_ae.evaluation import LabelledSentences, SentenceTask, mean_of_words, transfer, transfer_controls
from keras_ae.evaluation._checks import wilson_interval
from keras_ae.evaluation.text import _logistic_path as logistic_path
from keras_ae.evaluation.text._linear_models import PENALTIES, best_penalty, predict_task
from keras_ae.evaluation.text._logistic_path import LogisticPath, PrincipalAxes, TypicalWeights
from keras_ae.evaluation.text.transfer import cosines, features_of, rank_correlation
from keras_ae.evaluation.text.transfer_controls import bag_of_words
from keras_ae.text import WordVectors, tokenize

RNG = np.random.default_rng(0)
WORDS = ["red", "blue", "green", "cat", "dog", "runs", "sleeps", "?", "the"]
TABLE = WordVectors(WORDS, RNG.normal(size=(len(WORDS), 5)) * np.arange(1, 6))
ENCODE = mean_of_words(TABLE)


def sentences(number, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 7))) for _ in range(number)]


def labelled(number, seed, noise=0.3):
    texts = sentences(number, seed)
    rng = np.random.default_rng([seed, 1])
    labels = [("cat" in text) + ("?" in text) if rng.random() > noise else rng.integers(3) for text in texts]
    return LabelledSentences(texts, [f"class {label}" for label in labels])


def standardised(x, other):
    return (x - x.mean(axis=0)) / x.std(axis=0), (other - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize(
    "scores, chosen, tried",
    [
        ([0.1, 0.5, 0.4, 0.4, 0.9, 0.9], 1, 4),  # two in a row are worse
        ([0.1, 0.5, 0.4, 0.5, 0.6, 0.7], 5, 6),  # one alone is not the end
        ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 0, 6),  # the smallest of equals
    ],
)
def test_larger_penalties_are_tried_until_they_are_past_the_best(scores, chosen, tried):
    seen = []

    class Path:
        def predict(self, x, penalty):
            seen.append(penalty)
            return penalty

    class Reader:
        def score(self, truth, predicted):
            return scores[PENALTIES.index(predicted)]

    assert best_penalty(Reader(), [(Path(), None, None)], PENALTIES) == PENALTIES[chosen]
    assert seen == list(PENALTIES[:tried])


def test_without_a_test_every_fold_is_held_out_once_and_chooses_its_own_penalty():
    task = SentenceTask("classes", labelled(90, 0, noise=0.6))
    found = transfer(ENCODE, [task], folds=3)["classes"]
    x, y = ENCODE(task.train.sentences), task.train.target
    right, penalties = 0, []
    for train, held_out in StratifiedKFold(3, shuffle=True, random_state=1111).split(x, y):
        a, b = standardised(x[train], x[held_out])
        inner = StratifiedKFold(3, shuffle=True, random_state=1111)
        search = GridSearchCV(LogisticRegression(max_iter=300), {"C": PENALTIES}, cv=inner).fit(a, y[train])
        right += (search.predict(b) == y[held_out]).sum()
        penalties.append(search.best_params_["C"])
    assert found["penalties"] == penalties and len(set(penalties)) > 1
    assert found["accuracy"] == right / 90 and found["interval"] == wilson_interval(right, 90)
    assert (found["folds"], found["n_train"], found["n_test"], found["classes"]) == (3, 60, 90, 3)
    json.dumps(found)


def test_a_validation_part_chooses_the_penalty_and_is_not_fitted_on():
    parts = [labelled(60, 1), labelled(40, 2), labelled(50, 3)]
    found = transfer(ENCODE, [SentenceTask("classes", *parts)])["classes"]
    x, *others = (ENCODE(part.sentences) for part in parts)
    a, b = standardised(x, np.concatenate(others))
    models = [LogisticRegression(C=c, max_iter=5000, tol=1e-8).fit(a, parts[0].target) for c in PENALTIES]
    best = int(np.argmax([model.score(b[:40], parts[1].target) for model in models]))
    assert found["penalties"] == [PENALTIES[best]] and (found["n_train"], found["n_test"]) == (60, 50)
    assert found["accuracy"] == pytest.approx(models[best].score(b[40:], parts[2].target))


def pairs_of(number, seed, scores):
    first, second = sentences(number, seed), sentences(number, seed + 100)
    u, v = ENCODE(first), ENCODE(second)
    near = 5 * np.exp(-np.linalg.norm(u - v, axis=1) / 3)
    target = np.round(near, 1) if scores else (near > np.median(near)).astype(int)
    return LabelledSentences(first, target, second)


@pytest.mark.slow
def test_pairs_of_two_classes_have_an_f1():
    train, test = pairs_of(80, 4, False), pairs_of(50, 5, False)
    task = SentenceTask("same", train, test=test)
    found = transfer(ENCODE, [task])["same"]
    u, v = ENCODE(test.sentences), ENCODE(test.seconds)
    np.testing.assert_array_equal(features_of(test, ENCODE)[:, :5], np.abs(u - v))
    np.testing.assert_array_equal(features_of(test, ENCODE)[:, 5:], u * v)
    read = predict_task(task, lambda part: features_of(part, ENCODE), 10, 1111)
    assert found["f1"] == pytest.approx(f1_score(read["truth"], read["predicted"]))
    assert found["f1_interval"][0] < found["f1"] < found["f1_interval"][1]
    assert found["accuracy"] == np.mean(read["truth"] == read["predicted"]) > 0.7


def test_scores_are_means_of_levels_of_a_softmax_fitted_to_both_neighbours():
    train, validation, test = (pairs_of(n, seed, True) for n, seed in ((60, 6), (30, 7), (40, 8)))
    task = SentenceTask("likeness", train, validation, test)
    found = transfer(ENCODE, [task])["likeness"]
    a, b = standardised(features_of(train, ENCODE).astype("float64"), features_of(test, ENCODE))
    levels = np.arange(np.floor(train.target).min(), np.ceil(train.target).max() + 1)
    wanted = np.maximum(0, 1 - np.abs(train.target[:, None] - levels))  # tents: floor and the next
    np.testing.assert_allclose(wanted @ levels, train.target)
    (penalty,) = found["penalties"]

    def objective(flat):
        weights, bias = flat[: a.shape[1] * len(levels)].reshape(a.shape[1], -1), flat[-len(levels) :]
        losses = -(wanted * special.log_softmax(a @ weights + bias, axis=1)).sum()
        return losses + np.square(weights).sum() / (2 * penalty)

    start = np.zeros((a.shape[1] + 1) * len(levels))
    flat = optimize.minimize(objective, start, method="L-BFGS-B", options={"maxfun": 10**6}).x
    logits = b @ flat[: -len(levels)].reshape(a.shape[1], -1) + flat[-len(levels) :]
    predicted = special.softmax(logits, axis=1) @ levels
    read = predict_task(task, lambda part: features_of(part, ENCODE), 10, 1111)
    np.testing.assert_allclose(read["predicted"], predicted, atol=0.02)  # both stop short of the optimum
    assert found["pearson"] == pytest.approx(stats.pearsonr(test.target, read["predicted"])[0])
    assert found["spearman"] == pytest.approx(stats.spearmanr(test.target, read["predicted"])[0])
    pairs = zip(ENCODE(test.sentences), ENCODE(test.seconds), strict=True)
    cosine = [u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u, v in pairs]
    assert found["cosine_pearson"] == pytest.approx(stats.pearsonr(test.target, cosine)[0])
    assert found["cosine_spearman"] == pytest.approx(stats.spearmanr(test.target, cosine)[0])
    assert found["interval"][0] < found["pearson"] < found["interval"][1]
    assert found["kind"] == "scores" and found["n_test"] == 40
    assert "accuracy" not in found and "f1" not in found


def test_scores_without_a_test_are_held_out_in_folds():
    found = transfer(ENCODE, [SentenceTask("likeness", pairs_of(60, 9, True))], folds=4)["likeness"]
    assert found["folds"] == len(found["penalties"]) == 4 and found["n_test"] == 60
    assert found["pearson"] > 0.5


def test_constant_vectors_say_nothing_and_break_nothing():
    still = lambda texts: np.ones((len(texts), 3))  # noqa: E731
    tasks = [SentenceTask("c", labelled(40, 0)), SentenceTask("s", pairs_of(30, 1, True))]
    found = transfer(still, tasks, folds=3)
    most = np.unique(tasks[0].train.target, return_counts=True)[1].max()
    assert found["c"]["accuracy"] == most / 40
    assert found["s"]["cosine_spearman"] == 0 and abs(found["s"]["pearson"]) < 0.6
    assert cosines(np.zeros((2, 3)), np.ones((2, 3))).tolist() == [0, 0]
    assert rank_correlation([1, 1, 2, 3], [1, 1, 5, 9]) == pytest.approx(1)


UNREADABLE = {"two classes": ["a"] * 9, "two examples": ["a"] * 8 + ["b"], "differ": [1.5] * 9}


@pytest.mark.parametrize("words", UNREADABLE)
def test_a_task_of_one_class_is_left_out_and_the_others_are_read(words):
    bad = SentenceTask("t", LabelledSentences(["cat"] * 9, UNREADABLE[words]))
    good = SentenceTask("good", labelled(40, 0))
    rows = {"mine": transfer(ENCODE, [bad, good], folds=2), **transfer_controls([good, bad], folds=2)}
    assert rows["mine"]["good"]["accuracy"] > 0.3
    assert all(words in rows[row]["t"]["left_out"] for row in ("mine", "bag of words"))
    assert "accuracy" not in rows["majority"].get("t", {})
    with pytest.raises(InputError, match=words):
        transfer(ENCODE, [bad])


def test_a_fold_with_one_class_only_predicts_it():
    # the only two examples of a class may both be held out of an inner fold
    task = SentenceTask("rare", LabelledSentences(sentences(12, 3), ["a"] * 10 + ["b"] * 2))
    assert transfer(ENCODE, [task])["rare"]["accuracy"] >= 0.5


@pytest.mark.parametrize("kind", ["two classes", "three classes", "sparse", "float32", "many features"])
def test_a_path_of_penalties_reaches_the_minimum_that_scikit_learn_reaches(kind, monkeypatch):
    rng = np.random.default_rng(0)
    classes = 2 if kind == "two classes" else 3
    x = rng.normal(size=(90, 12)) @ rng.normal(size=(12, 12))  # correlated features
    y = (x @ rng.normal(size=(12, classes)) + 3 * rng.normal(size=(90, classes))).argmax(axis=1)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    if kind == "sparse":
        x = sparse.csr_matrix(np.where(np.abs(x) > 1, x, 0))
    if kind == "float32":
        monkeypatch.setattr(logistic_path, "EXACT_SIZE", 0)
    if kind == "many features":  # the first principal axes alone
        monkeypatch.setattr(logistic_path, "MOST_EXACT", 4)
        monkeypatch.setattr(logistic_path, "FIRST_AXES", 5)
    path = LogisticPath(x, np.eye(classes)[y], PrincipalAxes(x))
    for penalty in (0.01, 1.0, 8.0):
        path.fit(penalty)
        peer = LogisticRegression(C=penalty, tol=1e-8, max_iter=5000).fit(x, y)
        # the optimiser's tolerance; in float32 its rounding: 3e-4 here, up to 1e-3 for other draws
        atol = 2e-3 if kind == "float32" else 2e-4
        np.testing.assert_allclose(path.probabilities(x, penalty), peer.predict_proba(x), atol=atol)


def test_fits_that_start_from_those_of_other_examples_reach_the_same_minimum():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    shares, axes, typical = np.eye(3)[y], PrincipalAxes(x), TypicalWeights()
    for rows in (slice(0, 40), slice(10, 50), slice(20, 60)):
        with_others = LogisticPath(x[rows], shares[rows], axes, typical)
        alone = LogisticPath(x[rows], shares[rows], axes)
        for penalty in (0.1, 1.0):
            found, expected = (path.fit(penalty).probabilities(x, penalty) for path in (with_others, alone))
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_results_of_the_same_vectors_are_read_once(tmp_path, monkeypatch):
    task = SentenceTask("classes", labelled(40, 0))
    first = transfer_controls([task], folds=2, results_cache=tmp_path)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 1
    monkeypatch.setattr("keras_ae.evaluation.text.transfer.predict_task", None)  # would fail
    assert transfer_controls([task], folds=2, results_cache=tmp_path) == first
    monkeypatch.undo()
    other = SentenceTask("classes", labelled(40, 1))
    assert transfer_controls([other], folds=2, results_cache=tmp_path) != first
    transfer_controls([task], folds=3, results_cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    kept[0].write_text("{")
    assert transfer_controls([task], folds=2, results_cache=tmp_path) == first


@pytest.mark.parametrize("function", [partial(transfer, ENCODE), transfer_controls], ids=["own", "controls"])
def test_the_former_name_of_the_cache_works_and_warns(tmp_path, function):
    tasks = [SentenceTask("classes", labelled(40, 0))]
    expected = function(tasks, folds=2, results_cache=tmp_path / "new")
    with pytest.warns(DeprecationWarning, match="figures_cache of transfer.* is now results_cache"):
        assert function(tasks, folds=2, figures_cache=tmp_path / "old") == expected
    new, old = (sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("new", "old"))
    assert new == old != []


def test_the_majority_of_folds_is_that_of_their_training_examples():
    task = SentenceTask("even", LabelledSentences(sentences(12, 0), ["a", "b"] * 6))
    # each fold holds out two of one class and one of the other, which is the majority of its training
    assert transfer_controls([task], folds=4)["majority"]["even"]["accuracy"] == pytest.approx(1 / 3)


def test_rare_classes_have_fewer_folds():
    texts = sentences(40, 3)
    task = SentenceTask("rare", LabelledSentences(texts, ["a"] * 36 + ["b"] * 4))
    assert transfer(ENCODE, [task])["rare"]["folds"] == 4


def test_bag_of_words_is_that_of_the_words_of_training():
    train, test = labelled(80, 10), labelled(40, 11)
    test.sentences[0] += " unheard of"
    task = SentenceTask("words", train, test=test)
    found = transfer_controls([task])["bag of words"]["words"]
    counts = CountVectorizer(analyzer=tokenize, binary=True, lowercase=False)
    x, held_out = counts.fit_transform(train.sentences), counts.transform(test.sentences)
    model = LogisticRegression(C=found["penalties"][0], max_iter=300).fit(x, train.target)
    assert found["accuracy"] == pytest.approx(model.score(held_out, test.target))


def test_bag_of_words_of_pairs_is_as_if_dense():
    task = SentenceTask("likeness", pairs_of(20, 12, True))
    sparse = bag_of_words(task.texts())
    dense = lambda texts: sparse(texts).toarray()  # noqa: E731
    both = features_of(task.train, sparse).toarray(), features_of(task.train, dense)
    np.testing.assert_array_equal(*both)
    u, v = task.train.sentences, task.train.seconds
    np.testing.assert_allclose(cosines(sparse(u), sparse(v)), cosines(dense(u), dense(v)), rtol=1e-6)


@pytest.mark.slow
def test_controls_are_rows_like_that_of_an_encoder():
    tasks = [
        SentenceTask("classes", labelled(50, 13), test=labelled(30, 14)),
        SentenceTask("s", pairs_of(30, 1, True), test=pairs_of(20, 2, True)),
    ]
    said = []
    rows = transfer_controls(
        tasks, word_vectors=TABLE, untrained=lambda t: np.ones((len(t), 2)), progress=said.append
    )
    assert list(rows) == ["majority", "bag of words", "mean of word vectors", "untrained encoder"]
    assert rows["mean of word vectors"] == transfer(ENCODE, tasks)
    most = max(set(tasks[0].train.target), key=tasks[0].train.target.tolist().count)
    assert rows["majority"]["classes"]["accuracy"] == np.mean(tasks[0].test.target == most)
    assert "s" not in rows["majority"]
    assert said[:2] == ["bag of words: classes", "bag of words: s"] and said[-1] == "untrained encoder: s"


def test_mean_of_words_is_that_of_the_known_ones():
    found = ENCODE(["Red unknown CAT!", "nothing known"])
    np.testing.assert_allclose(found[0], (TABLE["red"] + TABLE["cat"]) / 2, rtol=1e-6)
    assert not found[1].any()
