"""What the tests of several folders share."""

import pytest


@pytest.fixture(scope="session")
def tfd():
    """The distributions of TensorFlow Probability."""
    return pytest.importorskip("tensorflow_probability").distributions
