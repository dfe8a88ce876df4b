import numpy as np

from keras_ae.losses import gaussian_kl


def test_equals_the_divergence_of_tensorflow_probability(tfd):
    generator = np.random.default_rng(0)
    mean = generator.normal(size=(50, 4)).astype("float32") * 3
    log_variance = generator.uniform(-8, 8, (50, 4)).astype("float32")
    expected = tfd.kl_divergence(tfd.Normal(mean, np.exp(log_variance / 2)), tfd.Normal(0.0, 1.0))
    # both sum terms up to e^8 in float32
    np.testing.assert_allclose(gaussian_kl(mean, log_variance), expected, rtol=1e-5, atol=1e-5)


def test_is_zero_at_the_prior_alone():
    values = np.linspace(-2, 2, 9).astype("float32")
    kl = np.asarray(gaussian_kl(values[:, None], values[None, :]))
    assert kl[4, 4] == 0.0
    assert np.sum(kl <= 0) == 1
