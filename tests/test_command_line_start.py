"""What the command line imports before its work begins."""

import json
import subprocess
import sys

import pytest

import keras_ae

HEAVY = {"tensorflow", "keras", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "jinja2", "onnx", "pandas"}
# Help, lists and wrong options first, and at last the classes.
PROGRAM = """
import contextlib, io, json, sys
sys.path[:0] = {path}
before = len(sys.modules)
import keras_ae_command
said, codes = io.StringIO(), []
for arguments in {light}:
    sys.argv = ["keras-ae", *arguments]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        codes.append(keras_ae_command.main())
tops = sorted({{name.partition(".")[0] for name in sys.modules}})
result = {{"codes": codes, "count": len(sys.modules) - before, "tops": tops, "said": said.getvalue()}}
import keras_ae
result["wrapped"] = hasattr(keras_ae.layers.VectorQuantizer.__init__, "takes_numpy_scalars")
import keras
result["registered"] = keras.saving.get_registered_object("keras_ae>QuickThought") is not None
print(json.dumps(result))
"""
LIGHT = ([], ["--help"], ["--version"], ["recipes"], ["train", "--help"], ["train", "vqvae", "--help"])
LIGHT += (["train", "cpc", "--help"], ["encode", "--help"])
WRONG = (["nope"], ["train", "nope"], ["train", "vae", "--epochs", "0"])


def test_help_and_wrong_options_import_nothing_heavy_and_an_attribute_imports_all_classes(installed):
    program = PROGRAM.format(path=[installed, *sys.path], light=[*LIGHT, *WRONG])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["codes"] == [0] * len(LIGHT) + [2] * len(WRONG)
    assert not HEAVY.intersection(result["tops"])
    assert result["count"] < 500  # TensorFlow and Keras alone are thousands
    assert "--num-embeddings" in result["said"] and "Received: nope" in result["said"]
    assert result["registered"] and result["wrapped"]


def test_the_package_is_a_program_that_starts_as_fast(installed):
    command = [sys.executable, "-X", "importtime", "-m", "keras_ae", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=installed)
    assert done.returncode == 0
    assert done.stdout.startswith("keras-ae 0.") and "tensorflow" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "keras_ae" in imported and not HEAVY & imported


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-m", "keras_ae", "train", "-m"], True),
        (["-mkeras_ae"], True),
        (["-X", "dev", "-m", "keras_ae.training.cli", "keras_ae.text"], True),
        (["-m", "keras_ae.text", "keras_ae"], False),
        (["-m", "pytest"], False),
        (["keras-ae", "recipes"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_other_programs_import_all_classes_at_once(monkeypatch, arguments, expected):
    monkeypatch.setattr(sys, "orig_argv", ["python", *arguments])
    own = next((i for i, part in enumerate(arguments) if part.startswith("-m")), None)
    after = 1 if own is None else own + (1 if arguments[own] != "-m" else 2)
    # what Python passes while it searches the module
    monkeypatch.setattr(sys, "argv", [*(["-m"] if own is not None else ["x"]), *arguments[after:]])
    assert keras_ae._starts_command_line() == expected
