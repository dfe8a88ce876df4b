"""Perplexity over words, whatever the batches."""

import keras
import numpy as np

from keras_ae.metrics import Perplexity

RNG = np.random.default_rng(0)


def test_it_is_the_exponential_of_the_mean_over_words_of_all_batches():
    nats = [RNG.exponential(size=size) for size in ((3, 5), (1, 2), (7,))]
    weights = [RNG.integers(0, 2, values.shape) for values in nats]
    metric = Perplexity()
    for values, real in zip(nats, weights, strict=True):
        metric.update_state(values, real)
    real = np.concatenate([w.ravel() for w in weights]) > 0
    product = np.prod(np.exp(np.concatenate([v.ravel() for v in nats])[real]))  # of the inverse probabilities
    np.testing.assert_allclose(metric.result(), product ** (1 / real.sum()), rtol=1e-5)


def test_a_uniform_model_has_the_size_of_its_vocabulary():
    metric = Perplexity()
    logits, words = np.zeros((4, 20_000)), np.arange(4)
    metric.update_state(keras.losses.sparse_categorical_crossentropy(words, logits, from_logits=True))
    np.testing.assert_allclose(metric.result(), 20_000, rtol=1e-4)


def test_reset_and_nothing_at_all():
    metric = Perplexity(name="next_perplexity")
    metric.update_state([3.0])
    metric.reset_state()
    assert float(metric.result()) == 1
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert copy.name == "next_perplexity"
