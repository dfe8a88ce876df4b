"""Blocks of neighbours and triples: what is in them, and in which order."""

import keras
import numpy as np
import pytest

from keras_ae.text import Vocabulary, tokenize
from keras_ae.training.datasets import TextSplit, sentence_blocks, sentence_triples
from keras_ae.training.datasets._orders import BlockOrder
from keras_ae.training.datasets.text._store import SentenceStore, TextDocument, write_sentences

SIZES = (1, 2, 30, 3, 17)
LETTERS = "abcdefghij"


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """53 sentences of 1 to 20 words; the first word is the number of the sentence, spelt out."""
    folder = tmp_path_factory.mktemp("store")
    random = np.random.default_rng(0)
    numbers = iter(range(sum(SIZES)))
    documents = [
        TextDocument(
            f"d{document}",
            document,
            [
                " ".join([spelt(next(numbers)), *random.choice(["X", "y", "Z"], random.integers(20))])
                for _ in range(size)
            ],
        )
        for document, size in enumerate(SIZES)
    ]
    write_sentences(documents, folder)
    store = SentenceStore(folder)
    return TextSplit(store, np.stack([store.bounds[:-1], store.bounds[1:]], 1))


@pytest.fixture(scope="module")
def vocabulary(split):
    return Vocabulary.of(split.tokens())


def spelt(number):
    return "".join(LETTERS[int(digit)] for digit in f"{number:02d}")


def numbers_of(vocabulary, ids):
    """The sentences' own numbers, of their first words."""
    words = [vocabulary.tokens(row)[0] for row in ids]
    return np.array([int("".join(str(LETTERS.index(letter)) for letter in word)) for word in words])


def collected(dataset):
    return list(dataset.as_numpy_iterator())


def epoch_of(stream, number, start=0):
    stream.epoch, stream.start_step = number, start
    return collected(stream.dataset)


def same(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a[key], b[key]) for a, b in zip(first, second, strict=True) for key in a
    )


def test_a_block_says_what_its_sentences_are(split, vocabulary):
    document = np.repeat(np.arange(5), SIZES)
    position = np.concatenate([np.arange(size) for size in SIZES])
    sentences = [sentence for text in split for sentence in text]
    for batch in collected(sentence_blocks(split, vocabulary, 10, seed=0).dataset):
        assert {value.dtype for value in batch.values()} == {np.dtype("int32")}
        assert batch["ids"].shape[1] % 8 == 0
        numbers = numbers_of(vocabulary, batch["ids"])
        np.testing.assert_array_equal(batch["document"], document[numbers])
        np.testing.assert_array_equal(batch["position"], position[numbers])
        for ids, length, number in zip(batch["ids"], batch["lengths"], numbers, strict=True):
            assert ids[:length].tolist() == vocabulary.ids(tokenize(sentences[number]))
            assert not ids[length:].any()


def test_neighbours_stay_together_in_every_epoch(split, vocabulary):
    """Blocks begin anywhere, come in any order, and hold consecutive sentences."""
    stream = sentence_blocks(split, vocabulary, 10, seed=0)
    assert stream.steps_per_epoch == int(stream.dataset.cardinality()) == 5
    starts = set()
    for epoch in range(5):
        blocks = [numbers_of(vocabulary, batch["ids"]) for batch in epoch_of(stream, epoch)]
        assert len(blocks) == 5
        for block in blocks:
            np.testing.assert_array_equal((block - block[0]) % 53, np.arange(10))
        assert len(set(np.concatenate(blocks))) == 50  # each once; three are left out
        starts.add(blocks[0][0] % 10)
        assert [block[0] for block in blocks] != sorted(block[0] for block in blocks)
    assert len(starts) > 2


def test_neighbours_are_told_from_borders(split, vocabulary):
    """Equal documents and positions one apart are exactly the consecutive sentences of a document."""
    consecutive = set()
    first = 0
    for size in SIZES:
        consecutive |= {(first + i, first + i + 1) for i in range(size - 1)}
        first += size
    stream = sentence_blocks(split, vocabulary, 53, seed=0)
    for epoch in range(3):  # one block of all, which goes around the end
        (batch,) = epoch_of(stream, epoch)
        numbers = numbers_of(vocabulary, batch["ids"])
        same_document = batch["document"][:, None] == batch["document"]
        rows = np.argwhere(same_document & (batch["position"] - batch["position"][:, None] == 1))
        assert {tuple(numbers[pair].tolist()) for pair in rows} == consecutive


def test_one_document_that_goes_around_its_end(split, vocabulary):
    one = TextSplit(split.store, split.spans[2:3])
    stream = sentence_blocks(one, vocabulary, 29, seed=1)
    for epoch in range(3):
        (batch,) = epoch_of(stream, epoch)
        steps = np.diff(batch["position"])
        assert set(steps.tolist()) <= {1, -29}  # the seam is no neighbourhood


def test_epochs_are_a_function_of_seed_and_epoch(split, vocabulary):
    for make in (sentence_blocks, sentence_triples):

        def epoch(number, start=0, seed=3, make=make):
            return epoch_of(make(split, vocabulary, 7, seed), number, start)

        whole = epoch(2)
        assert same(whole, epoch(2))
        assert same(whole[3:], epoch(2, start=3))  # a run resumes at any step
        assert not same(whole, epoch(1))
        assert not same(whole, epoch(2, seed=4))


def test_validation_blocks_are_always_the_same(split, vocabulary):
    stream = sentence_blocks(split, vocabulary, 10, None)
    blocks = [numbers_of(vocabulary, batch["ids"]) for batch in epoch_of(stream, 3)]
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(50))


def test_equal_sentences_have_equal_numbers(tmp_path):
    sentences = ["He said.", "No!", "he said .", "NO!", "Yes.", "No! No!"]
    write_sentences([TextDocument("d", 0, sentences)], tmp_path)
    split = TextSplit(SentenceStore(tmp_path), [[0, 6]])
    batch = collected(sentence_blocks(split, Vocabulary(["no"]), 6, None).dataset)[0]
    assert batch["sentence"].tolist() == [0, 1, 0, 1, 2, 3]  # unknown words differ too


def test_long_sentences_are_cut(split, vocabulary):
    batch = collected(sentence_blocks(split, vocabulary, 53, None, max_words=5).dataset)[0]
    assert batch["ids"].shape == (53, 5)
    np.testing.assert_array_equal(batch["lengths"], np.minimum(split.words, 5))


def test_block_smaller_than_its_size(split, vocabulary):
    small = TextSplit(split.store, split.spans[1:2])
    batches = collected(sentence_blocks(small, vocabulary, 400, seed=0).dataset)
    assert [batch["lengths"].tolist() for batch in batches] == [small.words.tolist()]


def test_triples_respect_documents(split, vocabulary):
    document = np.repeat(np.arange(5), SIZES)
    middles = []
    for batch in collected(sentence_triples(split, vocabulary, 8, seed=0, max_words=10).dataset):
        this, before, after = (numbers_of(vocabulary, batch[key]) for key in ("ids", "previous", "next"))
        np.testing.assert_array_equal(before, this - 1)
        np.testing.assert_array_equal(after, this + 1)
        assert (document[before] == document[this]).all()
        assert (document[after] == document[this]).all()
        for key, numbers in (("lengths", this), ("previous_lengths", before), ("next_lengths", after)):
            np.testing.assert_array_equal(batch[key], np.minimum(split.words[numbers], 10))
        middles += this.tolist()
    expected = [i for i in range(1, 52) if document[i - 1] == document[i] == document[i + 1]]
    assert sorted(middles) == expected


def test_triples_are_alike_in_length(split, vocabulary):
    lengths = [batch["lengths"] for batch in collected(sentence_triples(split, vocabulary, 8, None).dataset)]
    np.testing.assert_array_equal(np.concatenate(lengths), np.sort(split.words[split.inner()]))


def test_blocks_are_spread_evenly():
    """Over many epochs each sentence is left out as often as any other."""
    order = BlockOrder(95, 10, seed=0)
    counts = np.zeros(95)
    for epoch in range(400):
        np.add.at(counts, np.concatenate(list(order.batches(epoch))), 1)
    assert counts.sum() == 400 * 90
    # binomial with p = 90 / 95: a deviation of sqrt(400 * .947 * .053) = 4.5, five of them
    assert np.abs(counts - 400 * 90 / 95).max() < 5 * 4.5


def test_fit_takes_the_stream(split, vocabulary):
    seen = []

    class Counting(keras.Model):
        def call(self, inputs):
            return inputs["ids"]

        def train_step(self, inputs):
            import tensorflow as tf

            tf.py_function(lambda n: seen.append(int(n)), [tf.size(inputs["lengths"])], [])
            return {"loss": tf.reduce_sum(inputs["lengths"])}

    model = Counting()
    model.compile()
    model.fit(sentence_blocks(split, vocabulary, 10, 0).dataset, epochs=2, shuffle=False, verbose=0)
    assert sum(seen) == 2 * 50


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (sentence_blocks, {"block_size": 1}, "must have at least two sentences"),
        (sentence_blocks, {"block_size": 4, "max_words": 0}, "max_words must be at least 1"),
        (sentence_blocks, {"block_size": 4, "seed": -1}, "seed must be at least 0"),
        (sentence_triples, {"batch_size": 0}, "batch_size must be at least 1"),
        (sentence_triples, {"batch_size": 4, "max_words": 0}, "max_words must be at least 1"),
    ],
)
def test_impossible_arguments(split, vocabulary, complaint, make, arguments, message):
    assert message in complaint(make, split, vocabulary, **{"seed": 0, **arguments})


def test_too_little_text(split, vocabulary, complaint):
    nothing = TextSplit(split.store, [])
    assert len(nothing) == 0
    assert "0 sentences" in complaint(sentence_blocks, nothing, vocabulary, 4, 0)
    pair = TextSplit(split.store, split.spans[:2])
    assert "must have three or more sentences" in complaint(sentence_triples, pair, vocabulary, 4, 0)
