"""The promises that the source itself keeps: packages, imports, names, docstrings, examples."""

import ast
import doctest
import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import keras
import pytest

import keras_ae
from tools.architecture import FILES_TO_OPEN, ROOT, draw, files_to_open, imports, sources, tree

SERIALIZED = (
    keras.Layer,  # models are layers too
    keras.metrics.Metric,
    keras.losses.Loss,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
)
# bases of which nobody makes one, and parts that their layer makes anew
NOT_SAVED_BY_NAME = {
    "BaseModel",
    "Bottleneck",
    "CodeCounts",
    "ConvertedFrames",
    "Float32Layer",
    "GridQuantizer",
    "QuantizableLayer",
    "SampleBuffer",
    "StandardizedStart",
    "Codebook",
    "ScheduledVariable",
    "SentenceModel",
    "SentenceDecoding",
    "StochasticBottleneck",
    "VoiceConverter",
    "WrappedAutoEncoder",
}
OPTIONAL = (
    "tensorflow_probability",
    "sklearn",
    "onnx",
    "tf2onnx",
    "tokenizers",
    "onnxruntime",
    "matplotlib",
    "jinja2",
    "tyro",
    "tensorboard",
    "soundfile",
    "gensim",
    "sentencex",
)


def within(name, package):
    return name == package or name.startswith(f"{package}.")


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_package_list_equals_the_folders():
    listed = pyproject()["tool"]["setuptools"]["packages"]
    assert len(listed) == len(set(listed))
    packages = {
        name if path.name == "__init__.py" else name.rpartition(".")[0] for name, path in sources().items()
    }
    assert set(listed) == packages
    for name in packages:
        assert sources()[name].name == "__init__.py", f"{name} lacks an __init__.py"


def test_version_is_the_one_of_the_package():
    assert pyproject()["project"]["version"] == keras_ae.__version__


def test_new_tensors_name_their_dtype():
    """What `keras.ops` and `keras.random` make is of Keras' `floatx` otherwise, and whole numbers with it."""
    # the number of arguments before the dtype, where it can be given by its place
    makers = {"ones": 1, "zeros": 1, "full": 2, "eye": 9, "arange": 9, "one_hot": 9, "linspace": 9}
    makers |= {"uniform": 9, "normal": 9, "randint": 9, "truncated_normal": 9}
    problems = []
    for name, path in sources().items():
        for node in ast.walk(tree(path)):
            if not within(name, "keras_ae") or not isinstance(node, ast.Call):
                continue
            owner, _, function = ast.unparse(node.func).rpartition(".")
            named = any(keyword.arg == "dtype" for keyword in node.keywords)
            makes = owner in ("ops", "keras.ops", "keras.random") and function in makers
            if makes and not named and len(node.args) <= makers[function]:
                problems.append(f"{path}:{node.lineno}: {owner}.{function} without dtype")
    assert not problems, "\n".join(problems)


def test_imports_point_from_training_and_export_to_keras_ae_alone():
    problems = []
    for module, path in sources().items():
        owner = next((p for p in ("keras_ae.training", "keras_ae.export") if within(module, p)), "keras_ae")
        for line, name, top in imports(path):
            lazily_by_command_line = within(module, "keras_ae.training.command_line") and not top
            for other in {"keras_ae.training", "keras_ae.export"} - {owner}:
                if within(name, other) and not (other == "keras_ae.export" and lazily_by_command_line):
                    problems.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not problems


@pytest.mark.slow
def test_nothing_imports_the_folders_by_their_bare_names():
    problems = []
    for path in ROOT.rglob("*.py"):
        if any(part.startswith(".") or part in ("build", "dist") for part in path.relative_to(ROOT).parts):
            continue
        for line, name, _ in imports(path):
            if within(name, "training") or within(name, "export") or name.startswith("."):
                problems.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not problems


def test_no_module_has_the_name_of_a_function_that_the_package_beside_it_exports():
    """`from package import name` would give the function or the module, whichever was imported last."""
    problems = []
    for name, path in sources().items():
        package, _, module = name.rpartition(".")
        exported = vars(importlib.import_module(package)).get("__all__", ()) if package else ()
        if path.name != "__init__.py" and module in exported:
            problems.append(name)
    assert not problems


def test_no_two_functions_or_classes_that_others_may_import_have_one_name():
    found = {}
    for name, path in sources().items():
        for node in tree(path).body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            if public and node.name != "main":  # of programs
                found.setdefault(node.name, []).append(name)
    assert not {name: modules for name, modules in found.items() if len(modules) > 1}


# programs, and documented or former paths: no module of the package imports them
STARTED_OR_NAMED = {
    "keras_ae.training.cli",
    "keras_ae.training.run",
    "keras_ae.training.datasets.speech.espeak_synthesis",
    "keras_ae.training.voice_conversions",
    "keras_ae.training.voice_conversion_figures",
}


@cache
def users():
    """`{module: modules of the package that import it}`."""
    found = {name: set() for name in sources()}
    for user, path in sources().items():
        for _, name, _ in imports(path):
            module = name if name in found else name.rpartition(".")[0]
            found.get(module, set()).add(user)
    return found


def test_an_underscore_marks_the_modules_that_nobody_outside_of_their_folder_uses():
    problems = []
    for name, path in sources().items():
        folder, _, module = name.rpartition(".")
        # the package's own folder holds what all others share, and exports are checked without the package
        free = folder == "keras_ae" or within(name, "keras_ae.export") or name in STARTED_OR_NAMED
        if path.name == "__init__.py" or free:
            continue
        outside = {user for user in users()[name] if user == folder or not within(user, folder)}
        if module.startswith("_") and outside:
            problems.append(f"{name} is used by {min(outside)}: no underscore")
        if not module.startswith("_") and not outside:
            problems.append(f"{name} is used in its folder alone: _{module}")
    assert not problems, "\n".join(problems)


def test_no_assert_stub_or_open_end():
    for path in sources().values():
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", path.read_text()), path
        for node in ast.walk(tree(path)):
            assert not isinstance(node, ast.Assert), f"{path}:{node.lineno}"
            if isinstance(node, ast.FunctionDef):
                # a documented method with no body at all is a hook
                stub = all(isinstance(part, ast.Pass) or is_ellipsis(part) for part in node.body)
                assert not stub, f"{path}:{node.lineno} {node.name} does nothing"


def test_public_signatures_are_annotated():
    functions = [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node)
        for name, path in sources().items()
        if not name.rpartition(".")[2].startswith("_")
        for node in public_functions(path)
    ]
    without = [place for place, node in functions if not is_annotated(node)]
    assert len(without) <= 0.05 * len(functions), "\n".join(without)


def public_functions(path):
    """Functions of a module and methods of its public classes, also `__init__`, without those with `_`."""
    for node in tree(path).body:
        public_class = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for part in node.body if public_class else [node]:
            if isinstance(part, ast.FunctionDef) and (part.name == "__init__" or part.name[0] != "_"):
                yield part


def is_annotated(function):
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    named = [one for one in named if one is not None and one.arg not in ("self", "cls")]
    return all(one.annotation for one in named) and bool(function.returns or function.name == "__init__")


def is_ellipsis(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def test_files_functions_and_folders_are_short():
    lines = {name: len(path.read_text().splitlines()) for name, path in sources().items()}
    assert not {name: count for name, count in lines.items() if count > 500}
    modules = [name for name, path in sources().items() if path.name != "__init__.py"]
    assert sum(lines[name] < 60 for name in modules) <= 0.1 * len(modules)
    folders = Counter(name.rpartition(".")[0] for name in modules)
    assert not {folder: count for folder, count in folders.items() if count > 16}
    long = {node.name for path in sources().values() for node in long_functions(path)}
    assert not long


def long_functions(path):
    """Functions of more than 60 lines, without their docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            if node.end_lineno - body[0].lineno >= 60:
                yield node


@pytest.mark.parametrize(("module", "most"), FILES_TO_OPEN.items())
def test_few_files_are_opened_to_read_one(module, most):
    assert len(files_to_open(module)) <= most, sorted(files_to_open(module))


def test_the_picture_of_the_architecture_is_current(tmp_path):
    draw(tmp_path / "architecture.svg")
    expected = (ROOT / "docs" / "architecture.svg").read_text()
    assert (tmp_path / "architecture.svg").read_text() == expected, "run make architecture"


@pytest.mark.filterwarnings("ignore:.* is now :DeprecationWarning")
def test_every_public_name_is_importable_where_it_was():
    for name in (Path(__file__).parent / "public_names.txt").read_text().split():
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def test_every_module_and_every_exported_name_is_documented():
    for name, path in sources().items():
        assert ast.get_docstring(tree(path)), f"{path} has no docstring"
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public)
            if inspect.isfunction(value) or inspect.isclass(value):
                text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
                # a dataclass without a docstring gets its signature for one
                assert text and not text.startswith(f"{public}("), f"{name}.{public} has no docstring"


def test_every_class_that_keras_saves_is_registered():
    found = [
        value
        for name in sources()
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and value.__module__ == name and issubclass(value, SERIALIZED)
    ]
    registered = {keras.saving.get_registered_name(value) for value in found}
    assert {f"keras_ae>{value.__name__}" for value in found} - registered == {
        f"keras_ae>{name}" for name in NOT_SAVED_BY_NAME
    }


@pytest.mark.slow
def test_import_loads_no_optional_package():
    program = (
        # Keras itself imports some where they are installed
        f"import sys; sys.path[:0] = {sys.path}; import keras; before = set(sys.modules); import keras_ae; "
        f"print(*(set(sys.modules) - before) & {set(OPTIONAL)})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, path in sources().items() if ">>> " in path.read_text()])
def test_examples_run(name):
    module = importlib.import_module(name)
    tests = [test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples]
    assert tests
    if any("to_onnx" in example.source for test in tests for example in test.examples):
        for package in ("tf2onnx", "onnx", "onnxruntime"):
            pytest.importorskip(package, exc_type=Exception)
    report = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in tests:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_tests_that_share_costly_models_run_in_one_process(request):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process")
    assert request.node.nodeid.endswith("@test_layout.py")
