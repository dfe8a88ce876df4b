"""The search for the most probable sentence: against all sentences, and against a search in plain Python."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.models.text._sentence_decoding import END, beam_search

RNG = np.random.default_rng(0)
WORDS, EXAMPLES = 5, 4
# log p(next | last word) of each example: the last word is all its state
TABLES = np.log(RNG.dirichlet(np.full(WORDS, 0.5), (EXAMPLES, WORDS)))


def step(words, state):
    tables, count = state
    return tf.gather(tables, words, batch_dims=1), (tables, count + 1)


def search(beam_size, max_words):
    state = tf.constant(TABLES, "float32"), tf.zeros((EXAMPLES, 1))
    found = beam_search(step, state, beam_size, max_words)
    return {name: np.asarray(value) for name, value in found.items()}


def score(table, ids, max_words):
    """`log p` of a sentence, its end included where there is room for it."""
    words = [*ids, END] if len(ids) < max_words else ids
    return sum(table[before, word] for before, word in zip([END, *words], words, strict=False))


def in_python(table, beam_size, max_words):
    beams = [(0.0, ())]
    for _ in range(max_words):
        options = []
        for total, words in beams:
            if words[-1:] == (END,):
                options.append((total, words))
                continue
            last = words[-1] if words else END
            options += [(total + table[last, word], (*words, word)) for word in range(WORDS)]
        beams = sorted(options, reverse=True)[:beam_size]
    total, words = beams[0]
    return total, [word for word in words if word != END]


@pytest.mark.parametrize("beam_size, max_words", [(1, 6), (2, 6), (3, 4), (7, 5)])
def test_it_is_the_search_written_out(beam_size, max_words):
    found = search(beam_size, max_words)
    assert found["ids"].shape == (EXAMPLES, max_words) and found["ids"].dtype == np.int32
    for i, table in enumerate(TABLES):
        total, words = in_python(table, beam_size, max_words)
        assert found["lengths"][i] == len(words)
        assert found["ids"][i, : len(words)].tolist() == words
        assert not found["ids"][i, len(words) :].any()
        np.testing.assert_allclose(found["score"][i], total, rtol=1e-5)


def test_enough_beams_find_the_best_of_all_sentences():
    found = search(WORDS**3, 3)
    for i, table in enumerate(TABLES):
        sentences = [s for n in range(4) for s in itertools.product(range(1, WORDS), repeat=n)]
        best = max(sentences, key=lambda ids: score(table, ids, 3))
        assert found["ids"][i, : found["lengths"][i]].tolist() == list(best)
        np.testing.assert_allclose(found["score"][i], score(table, best, 3), rtol=1e-5)


def test_a_wider_search_finds_no_worse_sentence_in_the_end():
    assert (search(WORDS**3, 3)["score"] >= search(1, 3)["score"] - 1e-6).all()


def test_a_tie_is_told():
    def even(words, state):
        return tf.math.log(tf.constant([[0.2, 0.4, 0.4]])) + 0 * state, state

    def uneven(words, state):
        return tf.math.log(tf.constant([[0.2, 0.5, 0.3]])) + 0 * state, state

    start = tf.zeros((1, 1))
    assert float(beam_search(even, start, 1, 2)["gap"][0]) == 0
    np.testing.assert_allclose(beam_search(uneven, start, 1, 1)["gap"][0], np.log(5 / 3), rtol=1e-5)
