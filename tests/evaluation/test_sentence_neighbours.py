"""Neighbours as text, and a trained model that learns further words."""

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import nearest_sentences, nearest_words, trained_word_vectors, with_larger_vocabulary
from keras_ae.models import CombinedSentenceEncoder, QuickThought, SkipThought
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder
from keras_ae.text import Vocabulary, WordVectors

RNG = np.random.default_rng(0)
WORDS = [f"w{number}" for number in range(20)]
NEW = ["apple", "pear"]


def encode(sentences):
    return np.array([[sentence.count(letter) for letter in "abc"] for sentence in sentences], float)


def test_nearest_sentences_are_those_of_the_largest_cosine():
    texts = ["".join(RNG.choice(list("abc"), RNG.integers(1, 9))) for _ in range(30)]
    queries = [texts[3], "abcab"]
    found = nearest_sentences(encode, queries, [*texts, *texts], k=4)
    distinct = list(dict.fromkeys(texts))
    z = encode(distinct)
    for query, near in zip(queries, found, strict=True):
        q = encode([query])[0]
        cosine = z @ q / np.linalg.norm(z, axis=1) / np.linalg.norm(q)
        expected = sorted(cosine[[text != query for text in distinct]])[::-1][:4]
        np.testing.assert_allclose([c for _, c in near], expected, rtol=1e-5)
        for text, c in near:
            assert text != query and cosine[distinct.index(text)] == pytest.approx(c)
    assert nearest_sentences(encode, "abcab", texts, k=1) == [found[1][0]]


def test_fewer_neighbours_where_there_are_fewer():
    assert nearest_sentences(encode, "a", ["a"], k=3) == []
    assert [text for text, _ in nearest_sentences(encode, "", ["a", ""], k=3)] == ["a"]  # a zero vector
    assert nearest_sentences(encode, [], ["a"]) == []
    for sentences, k, words in (
        ([], 1, "sentences to search in must not be empty"),
        (["a"], 0, "k must be at least 1"),
    ):
        with pytest.raises(InputError, match=words):
            nearest_sentences(encode, "b", sentences, k=k)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    encoders = [
        recurrent_sentence_encoder(22, 4, embedding_dim=3, name="f"),
        recurrent_sentence_encoder(22, 4, embedding_dim=5, name="g"),
    ]
    return QuickThought(*encoders, vocabulary=WORDS, max_words=30)


def test_nearest_words_by_a_table_and_by_a_model(model):
    table = trained_word_vectors(model)
    assert table.words == tuple(WORDS) and table.dim == 8
    first = model.encoder.get_layer("words").embeddings.numpy()
    np.testing.assert_array_equal(table.vectors[:, :3], first[2:])
    unit = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    cosine = unit @ unit[7]
    expected = [WORDS[row] for row in np.argsort(-cosine) if row != 7][:3]
    assert [word for word, _ in nearest_words(model, "w7", k=3)] == expected
    assert nearest_words(table, ["w7"], k=3) == [nearest_words(model, "w7", k=3)]
    with pytest.raises(InputError, match="Received words without one: 'pear'"):
        nearest_words(model, ["w1", "pear"])
    with pytest.raises(InputError, match="with a vocabulary"):
        nearest_words(QuickThought(*[bag_of_words_encoder(5, 2, name=name) for name in "fg"]), "w1")


@pytest.mark.slow
def test_a_model_with_further_words(model, tmp_path):
    table = WordVectors([*WORDS, *NEW], RNG.normal(size=(22, 6)))
    larger, expanded = with_larger_vocabulary(model, table, ridge=0.5)
    assert larger.vocabulary == Vocabulary([*WORDS, *NEW]) and larger.max_words == 30
    assert [one.embedding.shape for one in expanded] == [(24, 3), (24, 5)]
    known = ["w1 w2 w3", "", "w19"]
    np.testing.assert_allclose(larger.encode(known), model.encode(known), atol=1e-6)
    assert np.abs(model.encode("w1 apple") - model.encode("w1 pear")).max() == 0
    assert np.abs(larger.encode("w1 apple") - larger.encode("w1 pear")).max() > 1e-4
    # the vector of a word that is as another one's is as the other one's
    twin = WordVectors([*WORDS, "twin"], np.concatenate([table.vectors[:20], table.vectors[4:5]]))
    fitted, (first, _) = with_larger_vocabulary(model, twin)
    rows = fitted.encoder.get_layer("words").embeddings.numpy()
    np.testing.assert_array_equal(rows[-1], first.embedding[-1])
    larger.save(tmp_path / "larger.keras")
    loaded = keras.saving.load_model(tmp_path / "larger.keras")
    np.testing.assert_allclose(loaded.encode("apple w3"), larger.encode("apple w3"), atol=1e-6)


@pytest.mark.slow
def test_the_encoder_of_a_model_that_writes_learns_words_and_its_decoders_do_not(model):
    table = WordVectors([*WORDS, *NEW], RNG.normal(size=(22, 6)))
    writing = SkipThought(recurrent_sentence_encoder(22, 4, embedding_dim=3), WORDS, max_target_words=3)
    combined = CombinedSentenceEncoder([model, bag_of_words_encoder(22, 3, name="words")])
    for small, tables in ((writing, 1), (combined, 3)):
        larger, expanded = with_larger_vocabulary(small, table, ridge=0.5)
        assert isinstance(larger, CombinedSentenceEncoder) and len(expanded) == tables
        np.testing.assert_allclose(larger.encode("w1 w2"), small.encode("w1 w2"), atol=1e-6)
        assert np.abs(larger.encode("apple") - larger.encode("pear")).max() > 1e-4
