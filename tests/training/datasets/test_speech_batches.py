"""Batches of utterances, whole and as windows."""

import keras
import numpy as np
import pytest

from keras_ae.training.datasets import SpeechSplit, speech_batches
from keras_ae.training.datasets._orders import BucketedOrder
from keras_ae.training.datasets.speech._stores import WaveformStore

RATE = 100  # samples of a second; padded lengths are then multiples of 10


@pytest.fixture
def split():
    """37 utterances of 5 to 60 samples; sample s of utterance u is u + s / 100."""
    lengths = np.random.default_rng(0).integers(5, 61, 37)
    audio = np.concatenate([u + np.arange(n) / 100 for u, n in enumerate(lengths)]).astype("float32")
    store = WaveformStore(audio, np.cumsum([0, *lengths]), RATE, "numbered")
    return SpeechSplit(store, np.arange(37), columns={"speaker": np.arange(37) % 5})


def collected(dataset):
    return list(dataset.as_numpy_iterator())


def test_each_utterance_comes_once_and_whole(split):
    batches = collected(split.batches(8))
    assert int(split.batches(8).cardinality()) == len(batches) == 5
    for batch, chosen in zip(batches, split.order(8), strict=True):
        assert batch["x"].dtype == np.float32
        assert batch["lengths"].dtype == batch["speaker"].dtype == np.int32
        np.testing.assert_array_equal(batch["lengths"], split.lengths[chosen])
        np.testing.assert_array_equal(batch["speaker"], split.speaker[chosen])
        for x, length, index in zip(batch["x"], batch["lengths"], chosen, strict=True):
            np.testing.assert_array_equal(x[:length], split.waveform(index))
            assert not x[length:].any()
        assert batch["x"].shape[1] % 10 == 0
        assert batch["x"].shape[1] - batch["lengths"].max() < 10
    assert sorted(np.concatenate(split.order(8))) == list(range(37))


def test_without_speakers_there_is_no_speaker(split):
    split.speaker = None
    assert set(collected(split.batches(8))[0]) == {"x", "lengths"}


@pytest.mark.parametrize("crop", [None, 20])
def test_epochs_are_a_function_of_seed_and_epoch(split, crop):
    def epoch(number, start=0, seed=3):
        stream = speech_batches(split, 8, seed, crop=crop)
        stream.epoch, stream.start_step = number, start
        return collected(stream.dataset)

    def same(first, second):
        return len(first) == len(second) and all(
            np.array_equal(a[key], b[key]) for a, b in zip(first, second, strict=True) for key in a
        )

    assert same(epoch(2), epoch(2))
    assert same(epoch(2)[3:], epoch(2, start=3))  # a run resumes at any step
    assert not same(epoch(2), epoch(1))
    assert not same(epoch(2), epoch(2, seed=4))


def test_stream_reads_its_epoch_at_each_iteration(split):
    stream = speech_batches(split, 8, 0)
    first = collected(stream.dataset)
    stream.epoch = 1
    assert len(first) == stream.steps_per_epoch == 5
    assert not np.array_equal(first[0]["lengths"], collected(stream.dataset)[0]["lengths"])


def test_windows_lie_within_their_utterances(split):
    stream = speech_batches(split, 8, 0, crop=20)
    starts = {}
    for epoch in range(12):
        stream.epoch = epoch
        for batch in collected(stream.dataset):
            assert batch["x"].shape[1] == 20
            for x, length in zip(batch["x"], batch["lengths"], strict=True):
                utterance = int(x[0])
                assert length == min(20, split.lengths[utterance])
                assert not x[length:].any()
                first = round(100 * (x[0] - utterance))
                np.testing.assert_allclose(
                    x[:length], utterance + (first + np.arange(length)) / 100, atol=1e-5
                )
                starts.setdefault(utterance, []).append(first)
    assert sorted(starts) == list(range(37))
    for utterance, found in starts.items():
        assert len(found) == 12  # one window an epoch
        last = max(0, split.lengths[utterance] - 20)
        assert max(found) <= last
        # evenly: the mean of 12 draws from 0 ... last has a deviation of last / sqrt(12 * 12)
        assert abs(np.mean(found) - last / 2) <= 4 * (last + 1) / np.sqrt(12 * 12)


def test_the_window_of_an_utterance_does_not_depend_on_its_batch(split):
    def windows(batch_size):
        batches = collected(speech_batches(split, batch_size, 0, crop=20).dataset)
        return {int(x[0]): x.tolist() for batch in batches for x in batch["x"]}

    assert windows(8) == windows(3)


def test_bucketed_batches_are_alike_in_length():
    lengths = np.random.default_rng(0).integers(16_000, 160_000, 3000)
    order = BucketedOrder(lengths, 16, seed=0)
    batches = list(order.batches(epoch=4))
    assert len(batches) == order.steps == 188
    assert sorted(np.concatenate(batches)) == list(range(3000))
    padded = sum(lengths[batch].max() * len(batch) for batch in batches)
    # 50 batches sorted together: neighbours differ by 2 % of the range
    assert lengths.sum() / padded > 0.97
    random = np.random.default_rng(0).permutation(3000)
    unsorted = sum(lengths[random[i : i + 16]].max() * 16 for i in range(0, 3000, 16))
    assert lengths.sum() / unsorted < 0.65
    # the lengths of consecutive batches tell nothing about each other
    means = [lengths[batch].mean() for batch in batches]
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.25  # three deviations of 188 independent pairs


def test_fit_takes_the_stream(split):
    """A stock `fit` sees every utterance of an epoch, and a resumed one those that are left."""
    stream = speech_batches(split, 8, 0)
    seen = []

    class Counting(keras.Model):
        def call(self, inputs):
            return inputs["x"]

        def train_step(self, inputs):
            import tensorflow as tf

            tf.py_function(lambda n: seen.append(int(n)), [tf.size(inputs["lengths"])], [])
            return {"loss": tf.reduce_sum(inputs["x"])}

    model = Counting()
    model.compile()
    model.fit(stream.dataset, epochs=2, shuffle=False, verbose=0)
    assert sum(seen) == 2 * 37


def test_level_is_that_of_the_whole_utterance(split):
    levelled = SpeechSplit(split.store, split.rows, "peak")
    batch = collected(speech_batches(levelled, 37, 0, crop=3).dataset)[0]
    assert batch["x"].max() <= 1
    assert (batch["x"].max(axis=1) < 1).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0}, "crop must be at least one sample"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_impossible_arguments(split, complaint, arguments, message):
    assert message in complaint(speech_batches, split, **{"batch_size": 4, "seed": 0, **arguments})


def test_empty_split_is_refused(split, complaint):
    empty = SpeechSplit(split.store, [])
    assert "at least one example" in complaint(speech_batches, empty, 4, 0)
    assert collected(empty.batches(4)) == []
