"""Strings in, vectors out: the same vector for the same sentence wherever it stands."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation import encode_batches
from keras_ae.models import CombinedSentenceEncoder, QuickThought, SentenceModel
from keras_ae.models.text.sentence_model import WORDS_AT_ONCE, batches_by_length
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder
from keras_ae.text import Vocabulary, tokenize

WORDS = Vocabulary(["how", "much", "is", "this", "?", "多", "少", "钱"])
SENTENCES = [
    "How much is this?",
    "",
    "😀",
    "   ",
    "这多少钱？",
    "how much 多少 é ÉTÉ 😀",
    "this " * 40,
    "How much is this?",
]


def encoders(dim=6):
    keras.utils.set_random_seed(0)
    recurrent = recurrent_sentence_encoder(len(WORDS), dim, embedding_dim=3)
    return recurrent, bag_of_words_encoder(len(WORDS), dim, pooling="mean")


@pytest.fixture(scope="module")
def model():
    return QuickThought(*encoders(), vocabulary=WORDS)


@pytest.fixture(scope="module")
def vectors(model):
    return model.encode(SENTENCES)


def test_list_gives_a_row_for_each_sentence_in_order(vectors):
    assert vectors.shape == (8, 12) and vectors.dtype == "float32"
    np.testing.assert_allclose(vectors[0], vectors[7], atol=1e-6)
    assert not vectors[1].any() and not vectors[3].any()  # no words
    assert len(np.unique(vectors.round(5), axis=0)) == 6


def test_a_sentence_has_the_same_vector_alone(model, vectors):
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        alone = model.encode(sentence)
        assert alone.shape == (12,)
        # matrix products of other sizes order their sums in another way
        np.testing.assert_allclose(alone, vector, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_change_nothing(model, vectors, batch_size):
    np.testing.assert_allclose(model.encode(SENTENCES, batch_size=batch_size), vectors, atol=1e-6)


@pytest.mark.slow
def test_numbers_give_what_strings_give(model, vectors):
    numbers = [WORDS.ids(tokenize(sentence)) for sentence in SENTENCES]
    ids = np.full((8, 43), 5, "int32")  # what lies behind the end is not read
    for row, own in zip(ids, numbers, strict=True):
        row[: len(own)] = own
    lengths = np.array([len(own) for own in numbers], "int32")
    inputs = {"ids": ids, "lengths": lengths}
    np.testing.assert_allclose(model.encode(inputs), vectors, atol=1e-6)
    np.testing.assert_allclose(model(inputs), vectors, atol=1e-6)
    np.testing.assert_allclose(model.encode(inputs, normalize=True), unit(vectors), atol=1e-5)
    strings = tf.constant(SENTENCES)
    np.testing.assert_allclose(model(strings), vectors, atol=1e-6)
    for column in (np.array(SENTENCES), np.array(SENTENCES, object), tuple(SENTENCES)):
        np.testing.assert_allclose(model.encode(column), vectors, atol=1e-6)
    np.testing.assert_allclose(encode_batches(model, SENTENCES, batch_size=3), vectors, atol=1e-6)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def test_vectors_of_length_one(model, vectors):
    found = model.encode(SENTENCES, normalize=True)
    np.testing.assert_allclose(found, unit(vectors), atol=1e-5)
    assert not found[1].any()


def test_nothing_to_encode(model):
    assert model.encode([]).shape == (0, 12)
    assert model.encode("").shape == (12,)


def test_training_goes_on_after_encoding(model):
    """The traced function sees the new weights."""
    before, weights = model.encode("how much"), model.get_weights()
    model.set_weights([2 * weight for weight in weights])
    assert np.abs(model.encode("how much") - before).max() > 1e-3
    model.set_weights(weights)
    np.testing.assert_array_equal(model.encode("how much"), before)


def test_sentences_are_cut():
    short = QuickThought(*encoders(), vocabulary=WORDS, max_words=2)
    expected = short.encode("how much")
    np.testing.assert_allclose(short.encode("how much is this"), expected, atol=1e-6)
    np.testing.assert_allclose(short.encode(tf.constant(["how much is this"]))[0], expected, atol=1e-6)
    ids = np.array([[2, 3, 4, 5]])
    np.testing.assert_allclose(short.encode({"ids": ids, "lengths": [4]})[0], expected, atol=1e-6)


def test_batches_by_length_take_every_row_once_and_bound_the_words():
    lengths = np.random.default_rng(0).integers(0, 50, 1000)
    lengths[[5, 700]] = WORDS_AT_ONCE * 2, WORDS_AT_ONCE // 2
    batches = list(batches_by_length(lengths, 64))
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert [len(batch) for batch in batches[:2]] == [1, 2]
    for batch in batches[1:]:
        assert len(batch) <= 64 and len(batch) * max(1, lengths[batch].max()) <= WORDS_AT_ONCE


@pytest.mark.parametrize(
    ("sentences", "message"),
    [(["how", 3], "int 3"), ([b"how"], "bytes"), (["how", ["much"]], "list")],
)
def test_what_is_no_sentence_is_named(model, sentences, message):
    with pytest.raises(InputError, match=message):
        model.encode(sentences)


def test_strings_need_a_vocabulary():
    without = QuickThought(*encoders())
    with pytest.raises(InputError, match="Pass `vocabulary=`"):
        without.encode("how much")
    assert list(without.endpoints()) == ["serving_default", "encode"]
    assert without.encode({"ids": np.array([[2, 3]]), "lengths": [2]}).shape == (1, 12)


def test_arguments_are_checked(model):
    with pytest.raises(ValueError, match="batch_size"):
        model.encode(["how"], batch_size=0)
    with pytest.raises(ValueError, match="max_words must be at least 1"):
        QuickThought(*encoders(), vocabulary=WORDS, max_words=0)
    with pytest.raises(TypeError, match="vectors"):
        SentenceModel(vocabulary=WORDS).build()


@pytest.mark.slow
def test_combined_vectors_are_those_of_the_parts(model, vectors):
    table = np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype("float32")
    words = bag_of_words_encoder(len(WORDS), pooling="mean", word_vectors=table, trainable_words=False)
    short = QuickThought(*encoders(4), vocabulary=WORDS, max_words=2)
    combined = CombinedSentenceEncoder([model, short, words])
    assert combined.vocabulary == WORDS and combined.dim == 12 + 8 + 4
    found = combined.encode(SENTENCES)
    means = [table[WORDS.ids(tokenize(s))].mean(axis=0) if tokenize(s) else np.zeros(4) for s in SENTENCES]
    parts = [vectors, short.encode(SENTENCES), np.array(means)]
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), atol=1e-6)
    equal = CombinedSentenceEncoder([model, words], normalize=True).encode(SENTENCES)
    np.testing.assert_allclose(equal, np.concatenate([unit(parts[0]), unit(parts[2])], axis=1), atol=1e-5)


@pytest.mark.slow
def test_combination_is_saved(model, tmp_path):
    combined = CombinedSentenceEncoder([model, encoders()[0]], normalize=True)
    combined.save(tmp_path / "combined.keras")
    loaded = keras.saving.load_model(tmp_path / "combined.keras")
    np.testing.assert_allclose(loaded.encode(SENTENCES), combined.encode(SENTENCES), atol=1e-6)


def test_impossible_combinations(model):
    other = QuickThought(*encoders(), vocabulary=WORDS.words[::-1])
    with pytest.raises(InputError, match="same vocabulary"):
        CombinedSentenceEncoder([model, other])
    with pytest.raises(InputError, match="at least one encoder"):
        CombinedSentenceEncoder([])
    combined = CombinedSentenceEncoder([model])
    combined.compile()
    with pytest.raises(InputError, match="Train its encoders"):
        combined.fit({"ids": np.array([[2]]), "lengths": np.array([1])}, verbose=0)
