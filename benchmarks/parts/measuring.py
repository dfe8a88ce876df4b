"""Core seconds and peak memory of operations, in a process of their own.

A core second is a second in which this process held a core: on a machine that other
processes use too, it is disturbed far less than the time on the clock. It equals
that time where the process has one thread, which `one_thread` asks of the
numerical libraries. Only the standard library is imported, so that the
interpreter of a peer can use this file.
"""

import ctypes
import os
import time

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TIME_LIMIT = 10  # an operation that is slow may take so many times the seconds asked for


def one_thread() -> dict:
    """The environment for a process that is to measure: one thread, no GPU, few messages."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), **quiet}


def measure(operation, reference=None, *, seconds=3.0) -> dict:
    """Memory of `operation` first, then its time in turn with that of `reference`.

    Args:
        operation: function without arguments.
        reference: another one, timed in turn so that a disturbance hits both alike.
        seconds: how long to repeat, at least three times.

    Returns:
        `{"seconds", "reference_seconds", "repetitions", "extra_mb", "elsewhere"}`: the core
        seconds of one call, see `typical_least`; the peak of the memory during the first two
        calls above that before them, in MiB (`None` where the system does not tell); the cores
        that other processes held.
    """
    extra_mb = peak_extra_mb(operation)
    operations = [operation] if reference is None else [operation, reference]
    times, elsewhere = time_in_turn(operations, seconds)
    return {
        "seconds": typical_least(times[0]),
        "reference_seconds": None if reference is None else typical_least(times[1]),
        "repetitions": len(times[0]),
        "extra_mb": extra_mb,
        "elsewhere": elsewhere,
    }


def typical_least(times):
    """The least of the times without the lowest tenth.

    Disturbances make a call longer; but the system counts the seconds of a process in steps, and has
    counted one of many short calls at half of its time.
    """
    return sorted(times)[len(times) // 10]


def time_in_turn(operations, seconds, least=3):
    """`(core seconds of each call of each operation, cores that other processes held)`."""
    times = [[] for _ in operations]
    for operation in operations[1:]:
        operation()  # what it does once, such as tracing, is not its time
    start, (machine, own) = time.perf_counter(), _busy_seconds()
    while True:
        for operation, column in zip(operations, times, strict=True):
            column.append(_core_seconds(operation))
        passed = time.perf_counter() - start
        if passed > (seconds if len(times[0]) >= least else TIME_LIMIT * seconds):
            break
    machine_now, own_now = _busy_seconds()
    return times, max(0.0, (machine_now - machine) - (own_now - own)) / passed


def peak_extra_mb(operation):
    """Peak of the resident memory during two calls of `operation` above that before them, MiB.

    They are the first ones, with all that is made once: an allocator that keeps what it has
    (TensorFlow's does) would serve later calls from there, and they would seem to need
    nothing. What glibc holds goes back to the system before.
    """
    _trim()
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak so far is forgotten
        before = _high_water_mb()
        operation()
        operation()
        return _high_water_mb() - before
    except OSError:  # no Linux, or not allowed
        return None


def _core_seconds(operation):
    start = time.process_time()
    operation()
    return time.process_time() - start


def _trim():
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _high_water_mb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def _busy_seconds():
    """Busy core seconds `(of the machine, of this process)`; the machine's are 0 where it does not tell."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, *interrupts = (int(ticks) for ticks in file.readline().split()[1:9])
    except OSError:
        return 0.0, time.process_time()
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK"), time.process_time()
