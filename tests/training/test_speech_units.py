"""Results of units of speech."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics.cluster import contingency_matrix

from keras_ae.evaluation.speech import units as speech_units


def test_purity_is_that_of_the_contingency_table():
    rng = np.random.default_rng(0)
    units, phones = rng.integers(0, 6, 500), rng.integers(0, 4, 500)
    table = contingency_matrix(phones, units)
    majority = speech_units.majority_phones(units, phones, 6)
    assert speech_units.purity(majority, units, phones) == pytest.approx(table.max(axis=0).sum() / 500)


def test_a_unit_that_training_never_saw_is_never_right():
    majority = speech_units.majority_phones(np.array([0, 0]), np.array([1, 1]), 3)
    assert majority.tolist() == [1, -1, -1]
    assert speech_units.purity(majority, np.array([0, 2]), np.array([1, 0])) == 0.5


def test_a_unit_stands_for_its_frames_up_to_the_end_of_the_utterance():
    units, phones = [np.array([7, 8]), np.array([9])], [np.array([0, 0, 1]), np.array([2])]
    spread = speech_units.units_of_frames(units, phones, 2)
    assert [part.tolist() for part in spread] == [[7, 7, 8, 9], [0, 0, 1, 2]]


def test_frames_of_phones_are_as_many_as_a_front_end_makes():
    def phone_frames(index, frames, hop):
        return np.full(frames, index)

    split = SimpleNamespace(lengths=np.array([159, 160]), phone_frames=phone_frames)
    assert [len(one) for one in speech_units.phones_of_frames(split, 160)] == [1, 2]


def test_histograms_and_usage():
    units = [np.array([0, 0, 1, 3]), np.array([3])]
    assert speech_units.histograms(units, 4).tolist() == [[0.5, 0.25, 0.0, 0.25], [0.0, 0.0, 0.0, 1.0]]
    assert speech_units.usage(units, 4) == 0.75


def test_the_speaker_is_read_where_the_histograms_tell_it_and_not_where_they_do_not():
    rng = np.random.default_rng(0)
    speaker = np.arange(60) % 3
    telling = [rng.choice(6, 40, p=np.roll([0.5, 0.3, 0.2, 0, 0, 0], 2 * s)) for s in speaker]
    silent = [rng.integers(0, 6, 40) for _ in speaker]
    half = slice(0, 30), slice(30, 60)
    accuracies = [
        speech_units.histogram_speaker_accuracy(u[half[0]], speaker[half[0]], u[half[1]], speaker[half[1]], 6)
        for u in (telling, silent)
    ]
    # chance is 1/3; 30 draws of it stay below 0.7 with probability 0.9999
    assert accuracies[0] > 0.95 and accuracies[1] < 0.7
