import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training.datasets import load_images, training_batches


@pytest.fixture
def numbered(tmp_path):
    """43 images, each of one grey value that is its number."""
    np.savez(
        tmp_path / "numbered.npz", x=np.broadcast_to(np.arange(43, dtype="uint8")[:, None, None], (43, 2, 2))
    )
    return load_images(tmp_path / "numbered.npz", validation_fraction=0, test_fraction=0).train


@pytest.fixture
def files(write_images):
    folder, _ = write_images(*(f"{i:02}.png" for i in range(11)))
    return load_images(folder, validation_fraction=0, test_fraction=0).train


class Recorder(keras.layers.Layer):
    """Remembers the numbers of the images it sees, and has one weight to train."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(1,), initializer="ones")
        self.seen = []

    def call(self, x):
        tf.numpy_function(
            lambda values: self.seen.append(np.rint(values * 255).astype(int)), [x[:, 0, 0, 0]], []
        )
        return x * self.kernel


class Position(keras.callbacks.Callback):
    """Begins at a step of the first epoch."""

    def __init__(self, stream, step=0):
        super().__init__()
        self.stream, self.step, self.steps = stream, step, []

    def on_epoch_begin(self, epoch, logs=None):
        self.stream.epoch, self.stream.start_step, self.step = epoch, self.step, 0
        self.steps.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps[-1] = batch + 1


def seen_by_fit(split, *, first=0, step=0, epochs=3, steps_per_execution=1, verbose=0):
    recorder = Recorder()
    model = keras.Sequential([recorder])
    model.compile("sgd", "mse", steps_per_execution=steps_per_execution)
    stream = training_batches(split, 4, seed=5, transform=lambda x: (x, x))
    position = Position(stream, step)
    model.fit(
        stream.dataset,
        epochs=epochs,
        initial_epoch=first,
        callbacks=[position],
        verbose=verbose,
        shuffle=False,
    )
    return recorder.seen, position.steps


def test_order_is_the_documented_function_of_seed_and_epoch(numbered):
    stream = training_batches(numbered, 8, seed=5)
    assert stream.steps_per_epoch == 6
    for stream.epoch in (0, 7, 0):
        batches = [np.rint(batch[:, 0, 0, 0] * 255) for batch in stream.dataset.as_numpy_iterator()]
        assert [len(batch) for batch in batches] == [8, 8, 8, 8, 8, 3]
        np.testing.assert_array_equal(
            np.concatenate(batches), np.random.default_rng((5, stream.epoch)).permutation(43)
        )


def test_iterations_are_counted_unless_the_epoch_is_set(numbered):
    orders = [np.random.default_rng((5, epoch)).permutation(43).tolist() for epoch in range(4)]
    stream = training_batches(numbered, 8, seed=5)
    for order in orders:
        batches = [np.rint(batch[:, 0, 0, 0] * 255) for batch in stream.dataset.as_numpy_iterator()]
        assert np.concatenate(batches).tolist() == order


def test_fit_without_a_callback_sees_another_order_in_every_epoch(numbered):
    recorder = Recorder()
    model = keras.Sequential([recorder])
    model.compile("sgd", "mse")
    stream = training_batches(numbered, 43, seed=5, transform=lambda x: (x, x))
    model.fit(stream.dataset, epochs=3, verbose=0, shuffle=False)
    orders = [np.random.default_rng((5, epoch)).permutation(43).tolist() for epoch in range(4)]
    seen = [order.tolist() for order in recorder.seen]
    assert len(seen) == 3 and [orders.index(order) for order in seen] in ([0, 1, 2], [1, 2, 3])


@pytest.mark.parametrize("kind", ["numbered", "files"])
def test_epoch_from_a_step_on_is_the_tail_of_the_epoch(kind, request):
    stream = training_batches(request.getfixturevalue(kind), 4, seed=1)
    stream.epoch = 2
    whole = list(stream.dataset.as_numpy_iterator())
    assert len(whole) == stream.steps_per_epoch
    for start in (1, len(whole) - 1, len(whole)):
        stream.start_step = start
        tail = list(stream.dataset.as_numpy_iterator())
        assert len(tail) == len(whole) - start
        for expected, received in zip(whole[start:], tail, strict=True):
            np.testing.assert_array_equal(received, expected)
    stream.start_step = 0


def test_files_are_shuffled_as_arrays_are(files):
    stream = training_batches(files, 4, seed=1)
    batches = np.concatenate(list(stream.dataset.as_numpy_iterator()))
    np.testing.assert_array_equal(batches, files.images(np.random.default_rng((1, 0)).permutation(11)))


def test_changing_the_epoch_does_not_disturb_a_running_iteration(numbered):
    stream = training_batches(numbered, 4, seed=1)
    stream.epoch = 0
    expected = np.concatenate(list(stream.dataset.as_numpy_iterator()))
    iterator = stream.dataset.as_numpy_iterator()
    parts = [next(iterator)]
    stream.epoch = 1
    np.testing.assert_array_equal(np.concatenate([*parts, *iterator]), expected)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_resumed_fit_sees_the_rest_of_an_uninterrupted_one(numbered, steps_per_execution):
    whole, _ = seen_by_fit(numbered, steps_per_execution=steps_per_execution)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a shorter epoch must not make Keras warn
        rest, _ = seen_by_fit(numbered, first=1, step=3, steps_per_execution=steps_per_execution)
    assert len(whole) == 33 and len(rest) == 33 - 11 - 3
    for expected, received in zip(whole[14:], rest, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_epochs_after_a_shorter_one_are_whole(numbered):
    assert seen_by_fit(numbered, first=1, step=3)[1] == [8, 11]
    assert seen_by_fit(numbered, first=1, step=10)[1] == [1, 11]


def test_progress_bar_of_a_resumed_fit_counts_whole_epochs(numbered, capsys):
    seen_by_fit(numbered, first=1, step=3, verbose=1)
    output = capsys.readouterr().out
    assert output.count("11/11") >= 2 and "Unknown" not in output


def test_keras_warns_again_once_the_short_epoch_is_over(numbered):
    stream = training_batches(numbered, 4, seed=1)
    with warnings.catch_warnings():
        before = list(warnings.filters)
        stream.start_step = 2
        assert list(warnings.filters) != before
        stream.start_step = 3
        stream.start_step = 0
        assert list(warnings.filters) == before


def test_empty_split_is_refused(numbered, complaint):
    numbered.rows = numbered.rows[:0]
    assert "at least one example" in complaint(training_batches, numbered, 4, seed=0)


@pytest.mark.parametrize(("batch_size", "seed"), [(0, 0), (4, -1)])
def test_impossible_settings_are_refused(numbered, complaint, batch_size, seed):
    assert "at least" in complaint(training_batches, numbered, batch_size, seed)
