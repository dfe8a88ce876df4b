"""The packages that are loaded by their first use."""

import keras_ae


def test_packages_that_are_loaded_late_are_attributes():
    for name in ("evaluation", "export", "training"):
        assert getattr(keras_ae, name).__name__ == f"keras_ae.{name}"
        assert name in dir(keras_ae)
    assert not hasattr(keras_ae, "evaluations")
