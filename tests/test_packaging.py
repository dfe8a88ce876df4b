"""The sdist holds the whole checkout, and the wheel built from it the whole package."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_PACKED = (".*", "runs", "build", "dist", "*.egg-info", "__pycache__")


def missing_requirement():
    """What the build needs and this environment has not: nothing may be fetched from the network."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in ["build>=1", *needed]:
        name, minimum = re.fullmatch(r"([\w-]+)>=(\d+)", requirement).groups()
        try:
            if int(importlib.metadata.version(name).split(".")[0]) < int(minimum):
                return requirement
        except importlib.metadata.PackageNotFoundError:
            return requirement
    return None


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    missing = missing_requirement()
    if missing:
        pytest.skip(f"building needs {missing}: pip install '{missing}'")
    copy = tmp_path_factory.mktemp("checkout") / "keras_ae"
    return shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_PACKED))


@pytest.fixture(scope="module")
def files(checkout):
    """Every file of the checkout, as a relative path."""
    return {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def built(checkout, files, tmp_path_factory):
    """The folder with an sdist and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, checkout]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def sdist(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    return {name for name in names if name}


@pytest.fixture(scope="module")
def wheel(built, tmp_path_factory):
    """The unpacked wheel."""
    (path,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def test_sdist_holds_every_file_of_the_checkout(sdist, files):
    assert sorted(files - sdist) == []
    assert sdist >= {
        "LICENSE",
        "MANIFEST.in",
        "Makefile",
        "README.md",
        "conftest.py",
        "constraints-tf216.txt",
        "constraints.txt",
        "docs/export.md",
        "keras_ae/pages/style.css",
        "keras_ae/py.typed",
        "pyproject.toml",
        "tests/export/serve.c",
        "tests/test_packaging.py",
        "training/report/report.html",
    }


def test_wheel_holds_the_package_and_the_module_that_starts_the_command_line(wheel, files):
    tops = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"keras_ae", "keras_ae_command.py"}
    packed = {
        path.relative_to(wheel).as_posix() for path in (wheel / "keras_ae").rglob("*") if path.is_file()
    }
    sources = {name for name in files if name.startswith(("keras_ae/", "training/", "export/"))}
    assert packed == {name if name.startswith("keras_ae/") else f"keras_ae/{name}" for name in sources}
    assert {"keras_ae/py.typed", "keras_ae/training/report/report.html", "keras_ae/export/onnx.py"} <= packed


def test_wheel_names_command_and_licence(wheel):
    (information,) = wheel.glob("*.dist-info")
    assert "keras-ae = keras_ae_command:main" in (information / "entry_points.txt").read_text()
    assert (information / "licenses" / "LICENSE").is_file()
    assert "License-Expression: Apache-2.0" in (information / "METADATA").read_text()


def test_wheel_alone_is_enough(wheel, tmp_path):
    program = (
        "import keras_ae, keras_ae.export as export, keras_ae.training.cli as cli; "
        "import keras_ae_command, sys; sys.argv[1:] = ['recipes']; "
        "print(keras_ae.__file__, export.__file__, cli.__file__, keras_ae_command.__file__); "
        "keras_ae_command.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel)},
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert all(Path(path).is_relative_to(wheel) for path in first.split())
    assert len(rest) > 5
