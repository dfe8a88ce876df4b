"""Run-time failures say their cause, and empty batches give empty results."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export import Artifact
from keras_ae.export.cases import make_cases
from keras_ae.export.manifest import write_manifest
from keras_ae.export.onnx import write_onnx
from keras_ae.export.saved_model import write_saved_model
from keras_ae.export.signature import reason
from keras_ae.export.verification_report import VerificationReport
from keras_ae.models.endpoint import Endpoint

CODEBOOK = np.arange(128, dtype="float32").reshape(64, 2)


def look_up(codes):
    return {"embedding": tf.gather(tf.constant(CODEBOOK), codes)}


def look_up_checked(codes):
    message = "codes must be in [0, 64). Received:"
    fits = tf.debugging.Assert(tf.reduce_all(codes < 64), [message, tf.reduce_max(codes)])
    with tf.control_dependencies([] if fits is None else [fits]):
        return look_up(codes)


@pytest.fixture(scope="module")
def artifacts(onnx, dense_model, tmp_path_factory):
    """`{format: Artifact}` with a codebook, unverified."""
    codes = {"codes": tf.TensorSpec((None, None), tf.int32, name="codes")}
    words = {"text": tf.TensorSpec((None,), tf.string, name="text")}
    table = {
        "decode": Endpoint(look_up, codes),
        "decode_checked": Endpoint(look_up_checked, codes),
        "halves": Endpoint(lambda codes: {"halves": codes[:, ::2], "sums": tf.reduce_sum(codes, 1)}, codes),
    }
    strings = {"upper": Endpoint(lambda text: {"upper": tf.strings.upper(text)}, words)}
    opened = {}
    for format, write in (("saved_model", write_saved_model), ("onnx", write_onnx)):
        folder = tmp_path_factory.mktemp(format)
        chosen = {**table, **strings} if format == "saved_model" else table
        described = write(chosen, make_cases(chosen), folder)
        write_manifest(
            folder,
            dense_model,
            format,
            described[-1] if format == "onnx" else described,
            VerificationReport(()),
        )
        opened[format] = Artifact.open(folder)
    return opened


@pytest.mark.parametrize(
    ("format", "endpoint", "cause"),
    [
        ("saved_model", "decode_checked", "codes must be in [0, 64). Received: 64"),
        ("saved_model", "decode", "indices[1,2] = 64 is not in [0, 64)"),
        (
            "onnx",
            "decode",
            "indices element out of data bounds, idx=64 must be within the inclusive range [-64,63]",
        ),
    ],
)
def test_a_failure_says_its_cause(artifacts, format, endpoint, cause, capfd):
    artifact = artifacts[format]
    codes = np.array([[0, 1, 2], [3, 4, 64]], "int32")
    with pytest.raises(InputError) as caught:
        artifact.run(endpoint, codes=codes)
    assert (
        str(caught.value) == f"`{endpoint}` of the artifact in {artifact.path} fails on codes (2, 3): {cause}"
    )
    assert capfd.readouterr().err == ""
    found = artifact.run(endpoint, codes=codes % 64)["embedding"]  # it can still be used
    np.testing.assert_array_equal(found, CODEBOOK[codes % 64])


@pytest.mark.parametrize("format", ["saved_model", "onnx"])
def test_an_empty_batch_gives_empty_results(artifacts, format):
    run = artifacts[format].run
    for length in (3, 1):
        found = run("decode", codes=np.zeros((0, length), "int32"))["embedding"]
        assert (found.shape, found.dtype) == ((0, length, 2), "float32")
    found = run("halves", codes=np.zeros((0, 5), "int64"))
    assert {name: (value.shape, value.dtype.name) for name, value in found.items()} == {
        "halves": ((0, 3), "int32"),
        "sums": ((0,), "int32"),
    }
    assert run("decode", codes=np.zeros((0, 0), "int32"))["embedding"].shape[::2] == (0, 2)
    with pytest.raises(InputError, match=r"must have the shape \(batch, length\). Received: \(0,\)"):
        run("decode", codes=np.zeros(0, "int32"))


def test_an_empty_batch_of_strings_gives_empty_results(artifacts):
    assert artifacts["saved_model"].run("upper", text=[])["upper"].shape == (0,)


def test_an_empty_batch_of_pictures_gives_empty_results(saved, onnx_files):
    for path in (saved, onnx_files["encode"]):
        found = Artifact.open(path).run("encode", image=np.zeros((0, 8, 8, 1), "float32"))
        assert {name: value.shape for name, value in found.items()} == {
            "codes": (0, 2, 2),
            "embedding": (0, 2, 2, 4),
        }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("codes must be integers. Received: float32", "codes must be integers. Received: float32"),
        (
            "Exception encountered when calling A.call().\n\n\x1b[1mcannot do\nthis\x1b[0m\n\nArguments:",
            "cannot do",
        ),
        (
            'in user code:\n\n    File "a.py", line 3, in f\n        g(x)\n\n    ValueError: x must be 1.\n',
            "ValueError: x must be 1.",
        ),
        (
            "Graph execution error:\n\nDetected at node a/Assert defined at (most recent call last):\n"
            "<stack traces unavailable>\nassertion failed: [x must be below 64] [Condition x < y did not "
            "hold element-wise:] [x (codes:0) = ] [[64 64]]\n\t [[{{node a/Assert}}]] [Op:__inference_1]",
            "x must be below 64 Condition x < y did not hold element-wise: x (codes:0) =  [64 64]",
        ),
        (
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT:  indices[0] = 9 is not in [0, 8)",
            "indices[0] = 9 is not in [0, 8)",
        ),
        (
            "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid rank for input: x",
            "Invalid rank for input: x",
        ),
        ("", "no further details"),
    ],
)
def test_the_line_that_tells_is_found(text, line):
    assert reason(RuntimeError(text)) == line
