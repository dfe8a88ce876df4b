"""Batches that are made while the one before is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

THREADS = 2
AHEAD = 4  # batches


def read_ahead(make: Callable, items: Iterable) -> Iterator:
    """`make(item)` of each item, in order; threads are up to four items ahead.

    tf.data would do the same, but not under deterministic kernels, under which a training
    runs: it then calls Python only when a batch is asked for.

    Example:

    >>> list(read_ahead(lambda n: n * n, range(6)))
    [0, 1, 4, 9, 16, 25]
    """
    waiting = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
