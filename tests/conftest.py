"""What the tests of several folders share."""

import pytest

# fixtures that take long to make: the tests that use them stay in one process
COSTLY = {"trained": "conformance", "trained_run": "run", "saved": "export", "onnx_files": "export"}


def pytest_collection_modifyitems(items):
    """Under `pytest -n 2 --dist loadgroup`: which tests run in the same process, the others file by file."""
    for item in items:
        groups = [group for fixture, group in COSTLY.items() if fixture in item.fixturenames]
        item.add_marker(pytest.mark.xdist_group((groups or [item.path.name])[0]))


@pytest.fixture(scope="session")
def tfd():
    """The distributions of TensorFlow Probability."""
    return pytest.importorskip("tensorflow_probability").distributions
