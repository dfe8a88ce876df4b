"""The packages that are loaded by their first use."""

import pytest

import keras_ae


def test_packages_that_are_loaded_late_are_attributes(monkeypatch):
    for name in ("evaluation", "export", "training"):
        monkeypatch.delattr(keras_ae, name, raising=False)  # as after `import keras_ae`
        assert getattr(keras_ae, name).__name__ == f"keras_ae.{name}"
        assert name in dir(keras_ae)
    assert not hasattr(keras_ae, "evaluations")
    with pytest.raises(AttributeError, match="^module 'keras_ae' has no attribute 'evaluations'$"):
        _ = keras_ae.evaluations
