"""`case`: each model in turn; `trained`: one trained model of each, made once."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

# the child processes of the guarantees import the same list by its path
spec = importlib.util.spec_from_file_location("conformance_models", Path(__file__).parent / "models.py")
models = sys.modules.setdefault("conformance_models", importlib.util.module_from_spec(spec))
spec.loader.exec_module(models)


def pytest_collection_modifyitems(config, items):
    """Keep the guarantees of the one model of `make model`."""
    if os.environ.get("CONFORMANCE_MODEL"):
        kept = [item for item in items if "case" in getattr(getattr(item, "callspec", None), "params", {})]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        chosen = [case for case in models.CASES if _applies(case, metafunc.definition)]
        metafunc.parametrize("case", chosen, ids=lambda case: case.name, scope="session")


def _applies(case, test):
    """`@pytest.mark.only(sequence=True, ...)` leaves out the models of other kinds."""
    marker = test.get_closest_marker("only")
    return marker is None or all(getattr(case, name) is value for name, value in marker.kwargs.items())


@pytest.fixture(scope="session")
def trained():
    """`{name: model}`, each trained for two epochs, see `models.Case.trained`."""
    return {case.name: case.trained() for case in models.CASES}
