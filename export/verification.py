"""Verification: comparison of an artifact with its model, in a process without Keras."""

import collections
import dataclasses
import json
import numbers
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_ae.errors import InputError
from keras_ae.export import verification_process
from keras_ae.export.artifact import locate
from keras_ae.export.cases import Case, make_cases
from keras_ae.export.endpoints import select
from keras_ae.export.signature import value_type
from keras_ae.export.verification_report import VerificationError, VerificationReport, VerificationRow
from keras_ae.files import named_errors
from keras_ae.models.endpoint import Endpoint
from keras_ae.quiet import without_chatter

# Relative and absolute tolerance, elementwise. Runtimes fuse and order float32 sums differently, which
# changes outputs by up to 3e-7 for common layers, and by 9e-5 (relative) for Fourier transforms. A wrong
# operation differs by far more.
TOLERANCE = (1e-4, 1e-5)


def compare(
    format: str,
    cases: Sequence[Case],
    actual: Sequence[Mapping[str, np.ndarray] | str],
    tolerance: tuple[float, float] = TOLERANCE,
) -> VerificationReport:
    """Return the report of an artifact whose outputs are `actual`, a dict or an error message per case."""
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
    """Return the absolute difference, which is 0 or 1 for values that are not numbers."""
    if expected.dtype.kind in "bS":
        return (actual != expected).astype(float)
    with np.errstate(invalid="ignore"):  # the difference of equal infinities is NaN, and is not used
        return np.where(actual == expected, 0.0, np.abs(actual.astype(float) - expected.astype(float)))


def _refuse_all_ties(rows):
    """Mark an output as failed if every example was excluded as a tie, so that nothing was compared."""
    compared = collections.Counter()
    for row in rows:
        compared[row.endpoint, row.output] += row.batch - row.ties
    for row in rows:
        vacuous = row.ok and not compared[row.endpoint, row.output]
        yield dataclasses.replace(row, ok=False, note="every example is a tie") if vacuous else row


def verify(
    artifact: str | Path | Mapping[str, Path], endpoints: Mapping[str, Endpoint] | keras.Model, **options: Any
) -> VerificationReport:
    """Run an artifact in a fresh process without Keras and compare it with the model.

    Floats must be close, and other values must be equal. Outputs of an example whose best two
    scores have a relative difference below 1e-5 (`Endpoint.margin`) may differ; such ties are
    counted.

    Args:
        artifact: a version directory, an ONNX directory, or the result of `to_onnx`.
        endpoints: the table of endpoints, or the model that has them.
        **options: arguments of `verify_many`.

    Raises:
        VerificationError: an output differs; the message lists the failing rows.
    """
    return verify_many([(artifact, endpoints)], **options)[0].check()


def verify_many(
    artifacts: Iterable[tuple],
    *,
    batch_sizes: Sequence[int] = (1, 3),
    lengths: Sequence[int] = (5, 8),
    tolerance: tuple[float, float] = TOLERANCE,
    seed: int = 0,
) -> list[VerificationReport]:
    """Verify many artifacts with one process per format.

    Args:
        artifacts: pairs `(artifact, endpoints)` as in `verify`.
        batch_sizes: batch sizes to verify.
        lengths: sizes of the free axes to verify, in multiples of the endpoint's `unit`,
            such as the number of samples per frame.
        tolerance: relative and absolute tolerance of floats.
        seed: seed of the random inputs.

    Returns:
        one report for each artifact. Failures in a report do not raise an error.
    """
    jobs = []
    for artifact, endpoints in artifacts:
        format, location, names = locate(artifact)
        table = endpoints if isinstance(endpoints, Mapping) else select(endpoints, names, format)[1]
        table = {n: e for n, e in table.items() if format in e.formats and (names is None or n in names)}
        jobs.append((format, location, make_cases(table, batch_sizes, lengths, seed)))
    return check_cases(jobs, tolerance)


def check_cases(
    jobs: Sequence[tuple[str, object, Sequence[Case]]], tolerance: tuple[float, float] = TOLERANCE
) -> list[VerificationReport]:
    """Verify jobs `(format, path or files, cases)` with one process per format.

    Raises:
        InputError: the tolerance is not valid.
    """
    bounds = np.asarray(tolerance, dtype=object).ravel().tolist()
    if len(bounds) != 2 or not all(isinstance(bound, numbers.Real) and float(bound) >= 0 for bound in bounds):
        raise InputError(
            "tolerance must be two numbers of at least 0, the relative and the absolute one. "
            f"Received: tolerance={tolerance!r}."
        )
    reports: dict[int, VerificationReport] = {}
    for format in sorted({job[0] for job in jobs}):
        chosen = [i for i, job in enumerate(jobs) if job[0] == format]
        for i, actual in zip(chosen, _run([jobs[i] for i in chosen]), strict=True):
            reports[i] = compare(format, jobs[i][2], actual, tolerance)
    return [reports[i] for i in range(len(jobs))]


def _run(jobs):
    """Return the outputs of the artifacts: per job and case, a dict of arrays or an error message."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with named_errors(directory):
            _write_job(directory, jobs)
        # -I: no paths of this process, no user packages. The expected outputs come from the CPU, too.
        process = subprocess.run(
            [sys.executable, "-I", verification_process.__file__, name],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
        )
        if process.returncode:
            complaint = without_chatter(process.stderr).decode(errors="replace")
            raise VerificationError(
                f"The process that runs the artifact ended with code {process.returncode}.\n"
                + complaint[-2000:]
            )
        return _read_outputs(directory, jobs)


def _write_job(directory, jobs):
    arrays, job = {}, []
    for index, (format, path, cases) in enumerate(jobs):
        path = {name: str(file) for name, file in path.items()} if isinstance(path, Mapping) else str(path)
        calls = [{"endpoint": case.endpoint, "inputs": list(case.inputs)} for case in cases]
        job.append({"format": format, "path": path, "calls": calls})
        for number, case in enumerate(cases):
            arrays |= {f"{index}/{number}/{name}": value for name, value in case.inputs.items()}
    np.savez(directory / "inputs.npz", **arrays)
    (directory / "job.json").write_text(json.dumps(job))


def _read_outputs(directory, jobs):
    errors = json.loads((directory / "errors.json").read_text())
    actual = [[{} for _ in cases] for _, _, cases in jobs]
    with np.load(directory / "outputs.npz") as arrays:
        for key in arrays:
            index, number, name = key.split("/", 2)
            actual[int(index)][int(number)][name] = arrays[key]
    for key, message in errors.items():
        index, number = key.split("/")
        actual[int(index)][int(number)] = message
    return actual
