"""The objective of single examples."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ae.layers import (
    BinaryBottleneck,
    FiniteScalarQuantizer,
    GaussianBottleneck,
    GumbelOneHot,
    LookupFreeQuantizer,
    MaskedConv1D,
    ResidualVectorQuantizer,
    VectorQuantizer,
)
from keras_ae.models import (
    AutoEncoder,
    CodePrior,
    DiscreteVariationalAutoEncoder,
    TwoLevelAutoEncoder,
    VariationalAutoEncoder,
)
from keras_ae.networks import two_level_networks

X = np.random.default_rng(0).random((5, 3, 4), "float32")
# without the terms of a whole batch: each example is evaluated by itself
BOTTLENECKS = {
    "none": lambda: None,
    "vector quantiser": lambda: VectorQuantizer(4, kmeans_samples=0, seed=0),
    "cosine, by gradient": lambda: VectorQuantizer(
        4, num_heads=2, share_codebook=True, distance="cosine", ema_decay=None, kmeans_samples=0, seed=0
    ),
    "residual": lambda: ResidualVectorQuantizer(4, 2, kmeans_samples=0, seed=0),
    "one-hot": lambda: GumbelOneHot(num_groups=2, kl_weight=0.3, free_bits=0.1),
    "bits": lambda: BinaryBottleneck(kl_weight=0.2, entropy_weight=0.1),
    "finite scalars": lambda: FiniteScalarQuantizer([5, 3], num_heads=2, saturation_cost=0.5),
    "lookup-free": lambda: LookupFreeQuantizer(5, diversity_weight=0.0),
    "gaussian": lambda: GaussianBottleneck(4, beta=0.5),
}


def sequence_model(bottleneck):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((None, 4)), MaskedConv1D(4, 1, kernel_initializer="he_normal")])
    decoder = keras.Sequential([keras.Input((None, 4)), MaskedConv1D(4, 1)])
    return AutoEncoder(encoder, decoder, bottleneck)


def objective(model, x):
    return float(model.compute_terms(x, None, None, training=False, player="model")["loss"])


def test_without_a_bottleneck_an_example_is_encoded_once(monkeypatch):
    model, calls = sequence_model(None), []
    encode = model.encoder_output
    monkeypatch.setattr(
        model, "encoder_output", lambda *args, **kwargs: calls.append(1) or encode(*args, **kwargs)
    )
    model.score({"x": X, "lengths": np.array([3, 1, 2, 3, 2])})
    assert len(calls) == 1


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_score_is_the_loss_of_each_example_alone(name):
    model = sequence_model(BOTTLENECKS[name]())
    x = {"x": 3 * X, "lengths": np.array([3, 1, 2, 3, 2])}
    expected = [objective(model, {key: value[i : i + 1] for key, value in x.items()}) for i in range(5)]
    np.testing.assert_allclose(model.score(x), expected, rtol=1e-5)
    endpoint = model.endpoints()["score"].function(**{k: ops.convert_to_tensor(v) for k, v in x.items()})
    np.testing.assert_allclose(endpoint["score"], expected, rtol=1e-5)


def test_reconstruction_error_is_that_of_the_reconstruction_alone():
    model = sequence_model(VectorQuantizer(4, kmeans_samples=0, seed=0))
    squared = np.mean((np.asarray(model.reconstruct(X)) - X) ** 2, axis=(1, 2))
    np.testing.assert_allclose(model.reconstruction_error(X), squared, rtol=1e-5)
    found = model.endpoints()["reconstruction_error"].function(x=ops.convert_to_tensor(X))
    np.testing.assert_allclose(found["reconstruction_error"], squared, rtol=1e-5)
    assert (np.asarray(model.score(X)) > squared).all()


def test_score_of_two_levels_is_the_loss_of_each_example_alone():
    quantizers = {
        f"{name}_bottleneck": VectorQuantizer(4, kmeans_samples=0, name=name, seed=0)
        for name in ("top", "bottom")
    }
    networks = two_level_networks((8, 8, 1), 2, filters=4, residual_blocks=0)
    model = TwoLevelAutoEncoder(**networks, **quantizers)
    x = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    np.testing.assert_allclose(model.score(x), [objective(model, one[None]) for one in x], rtol=1e-5)
    assert {"score", "reconstruction_error"} <= set(model.endpoints())


def flat(outputs, inputs):
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(outputs)])
    decoder = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(6)])
    return encoder, decoder


def cross_entropy(x, logits):
    return np.sum(np.logaddexp(0, logits) - x * logits, axis=-1)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("noisy", [False, True])
def test_score_of_a_vae_is_its_negative_evidence_lower_bound(likelihood, noisy):
    x = np.random.default_rng(0).random((4, 6), "float32")
    noise = np.random.default_rng(1).normal(size=(4, 2)).astype("float32") if noisy else None
    settings = {"likelihood": likelihood, "observation_scale": 0.5}
    model = VariationalAutoEncoder(*flat(3, 2), 2, beta=4.0, **settings)
    mean, log_variance = map(np.asarray, model.bottleneck.parameters(model.encoder(x)))
    z = mean + np.exp(log_variance / 2) * noise if noisy else mean
    parameters = np.asarray(model.decoder(z))
    kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
    error = cross_entropy(x, parameters)
    if likelihood == "gaussian":
        error = np.sum((x - parameters) ** 2 / 2 / 0.25 + np.log(0.5) + np.log(2 * np.pi) / 2, axis=1)
    np.testing.assert_allclose(model.score(x, noise), error + kl, rtol=1e-4)
    if not noisy:
        found = model.endpoints()["score"].function(x=ops.convert_to_tensor(x))
        np.testing.assert_allclose(found["score"], error + kl, rtol=1e-4)
    mean_error = np.mean((np.asarray(model.reconstruct(x)) - x) ** 2, axis=1)
    np.testing.assert_allclose(model.reconstruction_error(x), mean_error, rtol=1e-4)


@pytest.mark.parametrize("noisy", [False, True])
def test_score_of_a_discrete_vae_is_its_negative_evidence_lower_bound(noisy):
    x = np.random.default_rng(0).random((4, 6), "float32")
    noise = np.random.default_rng(1).random((4, 3), "float32") if noisy else None
    model = DiscreteVariationalAutoEncoder(*flat(3, 3), BinaryBottleneck(), beta=4.0)
    logits = np.asarray(model.encoder(x))
    p = 1 / (1 + np.exp(-logits))
    codes = (noise < p) if noisy else logits > 0
    kl = np.sum(p * np.log(2 * p) + (1 - p) * np.log(2 * (1 - p)), axis=1)
    expected = cross_entropy(x, np.asarray(model.decoder(codes.astype("float32")))) + kl
    np.testing.assert_allclose(model.score(x, noise), expected, rtol=1e-4)


def test_score_of_a_prior_is_its_loss_in_nats_per_code():
    prior = CodePrior(4, (2, 2), dim=8, depth=1)
    codes = np.random.default_rng(0).integers(0, 4, (3, 2, 2), "int32")
    expected = [objective(prior, one[None]) for one in codes]
    found = prior.endpoints()["score"].function(codes=ops.convert_to_tensor(codes))
    np.testing.assert_allclose(found["score"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["log_prob"], -4 * np.array(expected), rtol=1e-5)


def test_what_the_model_was_not_trained_on_scores_above_the_threshold():
    """The example of docs/export.md."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    normal = np.clip(np.linspace(0, 1, 6) + 0.05 * rng.normal(size=(260, 6)), 0, 1).astype("float32")
    model = VariationalAutoEncoder(*flat(4, 2), 2)
    model.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    model.fit(normal[:160], batch_size=32, epochs=8, verbose=0)
    threshold = np.quantile(model.score(normal[160:]), 0.99)
    assert (np.asarray(model.score(normal[:160, ::-1])) > threshold).all()
    assert (np.asarray(model.score(normal[:160])) > threshold).mean() < 0.1
