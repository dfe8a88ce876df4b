import threading

import pytest

from keras_ae.training.datasets._reading import AHEAD, read_ahead


def test_order_is_kept_whoever_is_first():
    later = threading.Event()

    def make(number):
        if number == 0:
            assert later.wait(10)  # the first is finished after the second
        if number == 1:
            later.set()
        return number

    assert list(read_ahead(make, range(20))) == list(range(20))


def test_no_more_than_some_items_ahead():
    asked = []
    made = read_ahead(lambda number: number, (asked.append(n) or n for n in range(100)))
    assert next(made) == 0
    assert len(asked) == AHEAD + 1
    made.close()
    assert len(asked) == AHEAD + 1


def test_errors_come_at_their_place():
    made = read_ahead(lambda number: 1 // number, [1, 1, 0, 1])
    assert [next(made), next(made)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
