"""Every endpoint of every model gives the same as SavedModel and as ONNX, in a process without Keras."""

import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae.export import endpoints_of, float32_copy
from keras_ae.export.cases import make_cases, padding_case
from keras_ae.export.endpoints import select
from keras_ae.export.onnx import write_onnx
from keras_ae.export.samples import free_lengths
from keras_ae.export.saved_model import write_saved_model
from keras_ae.export.verification import check_cases

FORMATS = ("saved_model", "onnx")


def written(name):
    """Names of the endpoints to export; `None`: all."""
    (case,) = (case for case in sys.modules["conformance_models"].CASES if case.name == name)
    return ("encode", "decode", "score") if case.variant else None


@pytest.fixture(scope="session")
def live_cases(trained):
    """`{name of the model: {endpoint: its inputs, with what the model gives}}`, the same for both formats."""
    made = {}
    for name, model in trained.items():
        table = {
            endpoint: value
            for format in FORMATS
            for endpoint, value in select(model, written(name), format)[1].items()
        }
        made[name] = {endpoint: make_cases({endpoint: value}) for endpoint, value in table.items()}
    return made


def exported(trained, live_cases, format, folder):
    """`{name of the model: what was written and what the verification found}`, one process for all."""
    made, jobs = {}, []
    for name, model in trained.items():
        model, table = select(model, written(name), format)
        cases = [case for endpoint in table for case in live_cases[name][endpoint]]
        directory = folder / name
        directory.mkdir()
        if format == "onnx":
            location, described = write_onnx(table, cases, directory)
        else:
            location, described = directory, write_saved_model(table, cases, directory)
        made[name] = SimpleNamespace(described=described, location=location)
        jobs.append((format, location, cases))
    for one, report in zip(made.values(), check_cases(jobs), strict=True):
        one.report = report
    return made


@pytest.fixture(scope="session")
def saved_model(trained, live_cases, tmp_path_factory):
    return exported(trained, live_cases, "saved_model", tmp_path_factory.mktemp("saved_models"))


@pytest.fixture(scope="session")
def onnx(trained, live_cases, tmp_path_factory):
    for package in ("tf2onnx", "onnx", "onnxruntime"):
        pytest.importorskip(package, exc_type=Exception)
    return exported(trained, live_cases, "onnx", tmp_path_factory.mktemp("onnx_files"))


@pytest.fixture(params=FORMATS)
def format(request):
    return request.param


@pytest.fixture
def artifact(case, format, request):
    return request.getfixturevalue(format)[case.name]


def test_every_endpoint_gives_what_the_model_gives(case, format, artifact, trained):
    artifact.report.check()
    expected = {name for name, e in endpoints_of(trained[case.name]).items() if format in e.formats}
    expected &= set(written(case.name) or expected)
    assert {row.endpoint for row in artifact.report.rows} == expected
    encoded = {"encode", "decode" if case.decodes else "features" if case.frames_of else "score"}
    if case.words:
        encoded = {"encode"} | ({"encode_text"} if format == "saved_model" else set())
    assert ({"score", "sample"} if case.num_codes else encoded) <= expected
    for endpoint in expected:
        rows = [row for row in artifact.report.rows if row.endpoint == endpoint]
        assert {row.batch for row in rows} == {1, 3}
        # in frames: the deviation over two or three samples may be so small that it makes 1e-7 a 1e-3
        unit = case.least * (case.hop if case.hop and endpoint != "decode" else 1)
        free = free_lengths(endpoints_of(trained[case.name])[endpoint].inputs)  # strings have none
        assert case.words or bool(free) is case.sequence
        assert {row.length for row in rows} == ({5 * unit, 8 * unit} if free else {None})


def test_artifact_names_what_goes_in_and_comes_out(case, format, artifact, trained):
    for name, entry in artifact.described.items():
        endpoint = endpoints_of(trained[case.name])[name]
        assert list(entry["inputs"]) == list(endpoint.inputs)
        for value in [*entry["inputs"].values(), *entry["outputs"].values()]:
            assert value["axes"][0] == "batch" and value["shape"][0] is None
            free = [axis for axis, size in zip(value["axes"], value["shape"], strict=True) if size is None]
            assert all(free) and len(free) == len(set(free))
            if not case.sequence:
                assert free == ["batch"]


def test_saved_model_holds_each_weight_once(case, artifact, format, trained):
    if format == "onnx":
        files = artifact.location.values()
        assert all(file.stat().st_size for file in files)
        return
    weights = sum(np.asarray(weight).nbytes for weight in trained[case.name].weights)
    size = sum(file.stat().st_size for file in (artifact.location / "variables").iterdir())
    assert size < weights + 20_000  # the index of names comes on top


@pytest.mark.only(sequence=True)
def test_a_server_may_pad_requests_of_different_lengths(case, trained):
    table = endpoints_of(trained[case.name])
    for name in ("encode", "decode"):
        if name in table:
            assert padding_case(name, table[name])[1] == ""


def test_half_precision_model_is_exported_in_float32(case):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = case.compiled()
    finally:
        keras.config.set_dtype_policy("float32")
    copy = float32_copy(model)
    assert all(layer.compute_dtype == "float32" for layer in copy._flatten_layers())
    for ours, theirs in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    outputs = make_cases(endpoints_of(copy), batch_sizes=(2,), lengths=(6,))
    assert all(np.isfinite(value).all() for one in outputs for value in one.expected.values())
