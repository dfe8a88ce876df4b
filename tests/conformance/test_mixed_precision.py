"""Half precision: finite losses, and `call` and `encode` agree."""

import keras
import numpy as np
import pytest

# one model of each kind of training step; eager steps are sooner made than traced
TRACED = ("vae", "sequence_vq", "adversarial_voice_converter", "deep_info_max", "skip_thought")


@pytest.fixture
def mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_trains_finite_and_call_agrees_with_encode(case, mixed_float16):
    model = case.compiled(keras.optimizers.SGD(1e-2), run_eagerly=case.name not in TRACED)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    x = case.data()
    history = model.fit(**case.fit_arguments(x), batch_size=6, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    if case.functional:
        return
    called = np.asarray(model(x, training=False), "float32")
    assert np.isfinite(called).all()
    if case.num_codes:
        return
    expected = model.reconstruct(x) if case.decodes else model.embed(x)
    np.testing.assert_array_equal(called, np.asarray(expected, "float32"))
    if model.discrete and hasattr(model, "bottleneck"):
        assert model.encode(x).dtype == "int32"
        features = model.encoder(x["x"] if case.sequence else x, training=False)
        embedding, codes = model.bottleneck(features, training=False, return_codes=True)
        assert embedding.dtype == "float16"
        np.testing.assert_array_equal(codes, model.bottleneck.encode(features))
