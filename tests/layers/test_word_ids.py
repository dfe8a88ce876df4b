"""Strings to numbers of words, in a model and in its exports."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import WordIds
from keras_ae.text import Vocabulary, tokenize

VOCABULARY = Vocabulary(["how", "much", "?", "多", "是"])
STRINGS = ["How MUCH is this?", "", "😀 是多少？", "how " * 10_000, "???"]


def test_numbers_are_those_of_the_vocabulary():
    inputs = WordIds(VOCABULARY)(tf.constant(STRINGS))
    assert inputs["ids"].dtype == inputs["lengths"].dtype == tf.int32
    assert inputs["ids"].shape == (5, 10_000)
    for ids, length, string in zip(inputs["ids"].numpy(), inputs["lengths"].numpy(), STRINGS, strict=True):
        assert ids[:length].tolist() == VOCABULARY.ids(tokenize(string))
        assert not ids[length:].any()


def test_sentences_are_cut():
    inputs = WordIds(VOCABULARY, max_words=3)(tf.constant(STRINGS))
    assert inputs["ids"].shape == (5, 3)
    assert inputs["lengths"].numpy().tolist() == [3, 0, 3, 3, 3]


def test_nothing_still_has_a_column():
    assert WordIds(VOCABULARY)(tf.constant([""]))["ids"].numpy().tolist() == [[0]]
    assert WordIds(VOCABULARY)(tf.constant([], tf.string))["ids"].shape == (0, 1)


@pytest.mark.slow
def test_model_is_saved_and_exported(tmp_path):
    strings = keras.Input((), dtype="string")
    layer = WordIds(VOCABULARY, max_words=20)
    embedded = keras.layers.Embedding(len(VOCABULARY), 3, mask_zero=True)(layer(strings)["ids"])
    model = keras.Model(strings, keras.layers.GRU(4)(embedded))
    expected = model(tf.constant(STRINGS))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(tf.constant(STRINGS)), expected)
    assert loaded.layers[1].vocabulary == VOCABULARY

    archive = keras.export.ExportArchive()
    archive.track(layer.table)
    signature = [tf.TensorSpec((None,), tf.string, name="text")]
    archive.add_endpoint("encode_text", lambda text: model(text), input_signature=signature)
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    # float32 sums of 20 steps in another order
    np.testing.assert_allclose(served.encode_text(tf.constant(STRINGS)), expected, atol=1e-6)


def test_max_words_is_checked():
    with pytest.raises(ValueError, match="max_words must be at least 1"):
        WordIds(VOCABULARY, max_words=0)
