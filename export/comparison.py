"""Compares what an artifact gave with what the live model gives."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from keras_ae.export.cases import Case
from keras_ae.export.signature import value_type
from keras_ae.export.verification_report import VerificationReport, VerificationRow

# Relative and absolute tolerance, elementwise. Runtimes fuse and order float32 sums in their own
# ways: up to 3e-7 for common layers, 9e-5 relative for Fourier transforms; a wrong op is far beyond.
TOLERANCE = (1e-4, 1e-5)


def compare(
    format: str,
    cases: Sequence[Case],
    actual: Sequence[Mapping[str, np.ndarray] | str],
    tolerance: tuple[float, float] = TOLERANCE,
) -> VerificationReport:
    """The report of an artifact that gave `actual`, per case a dict of arrays or an error message."""
    rows = []
    for case, outputs in zip(cases, actual, strict=True):
        for name, expected in case.expected.items():
            given = outputs if isinstance(outputs, str) else outputs.get(name)
            values = _compare(expected, given, case.ties, tolerance)
            rows.append(VerificationRow(format, case.endpoint, name, case.batch, case.length, **values))
    return VerificationReport(tuple(_refuse_all_ties(rows)))


def _compare(expected, actual, ties, tolerance):
    problem = _problem(expected, actual)
    if problem:
        return {"difference": np.inf, "relative": np.inf, "ties": 0, "ok": False, "note": problem}
    close = _close(expected, actual, tolerance).reshape(len(expected), -1).all(axis=1)
    excused = ties & ~close
    difference = float(np.max(_distance(expected, actual)[~excused], initial=0.0))
    largest = float(np.max(_distance(expected, np.zeros_like(expected)), initial=0.0))
    return {
        "difference": difference,
        "relative": difference / largest if largest else difference,
        "ties": int(excused.sum()),
        "ok": bool((close | ties).all()),
    }


def _problem(expected, actual):
    if actual is None:
        return "the output is missing"
    if isinstance(actual, str):
        return " ".join(actual.split())[:300]
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if value_type(actual) != value_type(expected):
        return f"dtype {actual.dtype} instead of {expected.dtype}"
    return ""


def _close(expected, actual, tolerance):
    if expected.dtype.kind == "f":
        return np.isclose(actual, expected, rtol=tolerance[0], atol=tolerance[1])
    return actual == expected


def _distance(expected, actual):
    """Absolute difference, 0 or 1 for anything that is not a number."""
    if expected.dtype.kind in "bS":
        return (actual != expected).astype(float)
    with np.errstate(invalid="ignore"):  # infinities that are equal
        return np.where(actual == expected, 0.0, np.abs(actual.astype(float) - expected.astype(float)))


def _refuse_all_ties(rows):
    """Fail an output of which every example was set aside: nothing of it was compared."""
    compared = collections.Counter()
    for row in rows:
        compared[row.endpoint, row.output] += row.batch - row.ties
    for row in rows:
        vacuous = row.ok and not compared[row.endpoint, row.output]
        yield dataclasses.replace(row, ok=False, note="every example is a tie") if vacuous else row
