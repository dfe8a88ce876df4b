"""Sentence encoders leave as SavedModels of strings, and as ONNX with all that makes numbers of strings."""

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.export import Artifact, to_onnx, to_saved_model
from keras_ae.models import CombinedSentenceEncoder, QuickThought
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder
from keras_ae.text import Vocabulary

WORDS = Vocabulary(["how", "much", "is", "this", "?", "多", "少", "钱"])
SENTENCES = ["How much is this?", "", "😀 é", "这多少钱？", "how much 多少 ÉTÉ", "this is it " * 3334]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    encoders = [recurrent_sentence_encoder(len(WORDS), 6, embedding_dim=3, bidirectional=b) for b in (0, 1)]
    words = [bag_of_words_encoder(len(WORDS), 4, pooling=one, name=one) for one in ("mean", "max")]
    return CombinedSentenceEncoder([QuickThought(*encoders, vocabulary=WORDS), *words])


def test_saved_model_takes_strings(model, tmp_path):
    path = to_saved_model(model, tmp_path)
    served = tf.saved_model.load(str(path))
    for name in ("serving_default", "encode_text"):
        found = served.signatures[name](text=tf.constant(SENTENCES))["embedding"]
        np.testing.assert_allclose(found, model.encode(SENTENCES), atol=1e-6)
    # each alone, as requests come
    for sentence, expected in zip(SENTENCES, model.encode(SENTENCES), strict=True):
        found = served.signatures["encode_text"](text=tf.constant([sentence]))["embedding"]
        np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_onnx_comes_with_its_vocabulary_and_tokenizer(model, tmp_path):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package, exc_type=Exception)
    files = to_onnx(model, tmp_path)
    assert list(files) == ["encode"]
    folder = files["encode"].parent
    names = {path.name for path in folder.iterdir()}
    assert names == {"encode.onnx", "manifest.json", "vocabulary.txt", "tokenizer.py"}

    # what a program does that has these files alone
    spec = importlib.util.spec_from_file_location("edge_tokenizer", folder / "tokenizer.py")
    tokenizer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tokenizer)
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    numbers = {word: number for number, word in enumerate(words, 2)}
    artifact = Artifact.open(tmp_path)
    for sentence, expected in zip(SENTENCES, model.encode(SENTENCES), strict=True):
        ids = [numbers.get(token, 1) for token in tokenizer.tokenize(sentence)]
        inputs = {"ids": np.array([ids or [0]], "int32"), "lengths": np.array([len(ids)], "int32")}
        # a mean over 10,000 words adds them in another order
        np.testing.assert_allclose(artifact.run("encode", **inputs)["embedding"][0], expected, atol=1e-5)

    (folder / "vocabulary.txt").unlink()
    with pytest.raises(InputError, match="vocabulary.txt is missing"):
        Artifact.open(tmp_path)
