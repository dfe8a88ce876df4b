"""`jit_compile=True` trains the same model."""

import keras
import numpy as np
import tensorflow as tf
from conformance_models import CASES

from keras_ae.layers import VectorQuantizer


def trained(case, jit):
    model, x = case.compiled(keras.optimizers.SGD(1e-2), jit_compile=jit), case.data(8)
    assert model.jit_compile is jit
    history = model.fit(**case.fit_arguments(x), batch_size=8, epochs=2, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"]).all()
    return model.get_weights()


def test_xla_trains(case):
    trained(case, jit=True)


def test_xla_trains_the_same_weights():
    # XLA draws other random numbers from the same seed, for noise and k-means: of a model without
    case = next(case for case in CASES if case.name == "auto_encoder")
    for compiled, plain in zip(trained(case, True), trained(case, False), strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-5)  # XLA fuses float32 sums in another order


def test_xla_quantises_and_learns_the_same_codebook():
    x = np.random.default_rng(0).standard_normal((64, 4)).astype("float32")
    codebooks = []
    for jit in (True, False):
        layer = VectorQuantizer(8, kmeans_samples=0, revival_threshold=0.0)
        layer.build(x.shape)
        layer.codebook.assign(x[None, :8])
        layer.sums.assign(x[None, :8])
        step = tf.function(lambda x, layer=layer: layer(x, training=True), jit_compile=jit, autograph=False)
        embeddings = [step(x) for _ in range(3)]
        codebooks.append((layer.codebook.numpy(), embeddings[-1].numpy()))
    for compiled, plain in zip(*codebooks, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-6)  # float32 sums in another order
