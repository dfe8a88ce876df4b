"""Auto-encoder with a Gaussian mixture over its embeddings, from which new examples are drawn."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, is_eager, require
from keras_ae.models._data_checks import is_stream
from keras_ae.models._input_rules import InputRules, as_batch
from keras_ae.models._wrapped_auto_encoder import WrappedAutoEncoder
from keras_ae.models.base import BaseModel
from keras_ae.models.discrete.code_prior import code_at_quantile
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.exploration import check_draws
from keras_ae.ops.core import Tensor
from keras_ae.ops.terms import mean_term, scalars

COVARIANCES = {"full": "full", "diagonal": "diag"}  # names of scikit-learn


@keras.saving.register_keras_serializable(package="keras_ae")
class GaussianMixtureSampler(WrappedAutoEncoder):
    """Trained auto-encoder with a Gaussian mixture over its embeddings, from which `sample` draws.

    ```
    p(z) = sum_k w_k N(z; m_k, C_k),   x = decode(z)
    ```

    `adapt(x)` fits the mixture to the embeddings of `x` by the EM algorithm of scikit-learn. It makes any
    auto-encoder with embeddings of one size generative, and the samples of a variational auto-encoder
    closer to the data, since the mixture describes the embeddings that occur instead of the prior. The
    auto-encoder is not changed.

    Args:
        auto_encoder: a trained `AutoEncoder` without a discrete bottleneck, such as a
            `VariationalAutoEncoder`. Embeddings of any fixed shape count as one vector.
        num_components: number of Gaussians.
        covariance: "full" or "diagonal". A full covariance of a vector of `d` numbers has `d (d + 1) / 2`
            parameters: it needs more examples than that for each component.
        regularization: variance that is added to each coordinate.
        seed: seed of the initialisation of the EM algorithm.

    Inputs of `adapt`, `evaluate`:
        x: inputs of the auto-encoder; for `adapt` also a `tf.data.Dataset` of batches.

    Metrics:
        `loss`: `-log p(embedding)` in nats per example.

    Raises:
        InputError: the auto-encoder is discrete, is not built, or has embeddings of any length; `sample` or
            `score` is called before `adapt`.

    Example:

    >>> from keras_ae.models import AutoEncoder
    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
    >>> model = GaussianMixtureSampler(AutoEncoder(encoder, decoder), num_components=2)
    >>> model.adapt(np.random.default_rng(0).random((50, 8), "float32"))
    >>> model.sample(3, seed=0).shape
    TensorShape([3, 8])

    Reference:
        Ghosh et al., 2020, https://arxiv.org/abs/1903.12436 (mixtures fitted after the training).
    """

    discrete = False

    def __init__(
        self,
        auto_encoder: BaseModel,
        num_components: int = 10,
        *,
        covariance: str = "full",
        regularization: float = 1e-6,
        seed: int | None = 0,
        **kwargs: Any,
    ):
        _check(auto_encoder, num_components, covariance, regularization)
        super().__init__(auto_encoder, **kwargs)
        self.num_components = num_components
        self.covariance = covariance
        self.regularization = regularization
        self.seed = seed
        self.sample_shape, self.code_shape = auto_encoder.sample_shape, auto_encoder.code_shape
        self.embedding_size = size = math.prod(self.code_shape)
        square = (size, size) if covariance == "full" else (size,)
        self.log_weights = self._weight("log_weights", (num_components,))
        self.means = self._weight("means", (num_components, size))
        # C = A A', and A^-1, which is stored because ONNX solves no linear equations
        self.factors = self._weight("factors", (num_components, *square))
        self.inverse_factors = self._weight("inverse_factors", (num_components, *square))
        self.num_adapted = self._weight("num_adapted", (), "int32")  # examples; 0: not fitted
        self.built = True

    def _weight(self, name, shape, dtype="float32"):
        settings = {"initializer": "zeros", "trainable": False, "autocast": False}
        return self.add_weight(name=name, shape=shape, dtype=dtype, **settings)

    def input_rules(self) -> InputRules:
        return self.auto_encoder.input_rules()

    # Fitting

    def adapt(self, x: Any, *, batch_size: int = 256) -> None:
        """Fit the mixture to the embeddings of `x`.

        Args:
            x: inputs of the auto-encoder, or a `tf.data.Dataset` of batches of them.
            batch_size: number of examples that are encoded at once.

        Raises:
            InputError: `x` contains fewer examples than there are components, or does not satisfy the rules
                of the auto-encoder; its batches have sample weights.
            ImportError: scikit-learn is not installed.
        """
        mixture = require("sklearn.mixture", extra="evaluation").GaussianMixture(
            self.num_components,
            covariance_type=COVARIANCES[self.covariance],
            reg_covar=self.regularization,
            random_state=self.seed,
        )
        parts = [np.asarray(self.embed(batch), "float64") for batch in self._batches(x, batch_size)]
        embeddings = np.concatenate(parts).reshape(-1, self.embedding_size)
        if len(embeddings) < max(2, self.num_components):
            raise InputError(
                f"x must contain at least {max(2, self.num_components)} examples for num_components="
                f"{self.num_components}. Received: {len(embeddings)}."
            )
        mixture.fit(embeddings)
        factors, inverse = _factors(mixture.covariances_)
        self.log_weights.assign(np.log(np.maximum(mixture.weights_, 1e-30)))
        self.means.assign(mixture.means_)
        self.factors.assign(factors)
        self.inverse_factors.assign(inverse)
        self.num_adapted.assign(len(embeddings))

    def _batches(self, x, batch_size) -> Iterator[Any]:
        if is_stream(x):
            for batch in x:
                x, _, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
                if sample_weight is not None:
                    raise InputError(
                        "x must be a data set without sample_weight, since the EM algorithm weights all "
                        "examples equally. Received: batches (x, y, sample_weight). Pass "
                        "dataset.map(lambda x, y, weight: x)."
                    )
                yield x
            return
        x = as_batch(self.input_rules(), x)
        number = len(keras.tree.flatten(x)[0])
        for start in range(0, number, batch_size):
            part = slice(start, start + batch_size)
            yield keras.tree.map_structure(lambda values, part=part: values[part], x)

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Raise an error: the mixture is fitted by `adapt`.

        Raises:
            InputError: always.
        """
        raise InputError(
            "GaussianMixtureSampler must be fitted by adapt(x), since its mixture has no gradient steps. "
            "Received: fit. Train the auto-encoder before."
        )

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Any]:
        return scalars({"loss": mean_term(-self.log_prob(self.embed(x)), sample_weight)})

    # The distribution

    def log_prob(self, embedding: Any) -> Tensor:
        """Return `log p(z)` of embeddings in nats, float32 `(batch,)`."""
        self._check_adapted("log_prob")
        z = ops.reshape(ops.cast(embedding, "float32"), (-1, 1, self.embedding_size))
        inverse = ops.convert_to_tensor(self.inverse_factors)
        centred = z - ops.convert_to_tensor(self.means)
        if self.covariance == "full":
            white = ops.einsum("bkd,ked->bke", centred, inverse)
            diagonal = ops.convert_to_tensor(ops.diagonal(inverse, axis1=1, axis2=2))
        else:
            white, diagonal = centred * inverse, inverse
        log_determinant = ops.sum(ops.log(diagonal), axis=-1)
        constant = 0.5 * self.embedding_size * math.log(2 * math.pi)
        log_densities = log_determinant - 0.5 * ops.sum(ops.square(white), axis=-1) - constant
        return ops.logsumexp(ops.convert_to_tensor(self.log_weights) + log_densities, axis=-1)

    def score(self, x: Any) -> Tensor:
        """Return `-log p(embedding of x)` in nats, `(batch,)`: the larger, the less typical `x` is."""
        return -self.log_prob(self.embed(x))

    def sample_codes(
        self, num: int, length: int | None = None, *, seed: int | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Draw embeddings `(num, ...)` from the mixture; the arguments are those of `sample`."""
        check_draws(num, temperature)
        if length is not None:
            raise InputError(f"length must be None for a model of one size. Received: length={length}")
        noise = np.random.default_rng(seed).standard_normal((num, 1 + self.embedding_size), "float32")
        return self.embedding_of_noise(noise, temperature)[0]

    def embedding_of_noise(self, noise: Any, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return `(embedding, gap)`: the draw determined by standard normal `noise`.

        Args:
            noise: `(batch, 1 + size of the embedding)`; the first number determines the component.
            temperature: factor of the standard deviation of each component.

        Returns:
            the embedding `(batch, ...)`; `gap` `(batch,)` is the distance of the quantile of the first
            number from the nearest one that gives another component.
        """
        self._check_adapted("sample")
        noise = ops.cast(noise, "float32")
        component, gap = self._component(noise[:, 0])
        factors, rest = ops.convert_to_tensor(self.factors), temperature * noise[:, 1:]
        if self.covariance == "full":
            # the offsets in all components: the factors of each example would need more memory
            offsets = ops.einsum("bd,ked->bke", rest, factors)
        else:
            offsets = rest[:, None] * factors
        chosen = ops.one_hot(component, self.num_components, dtype="float32")
        points = ops.einsum("bk,bkd->bd", chosen, ops.convert_to_tensor(self.means) + offsets)
        points = ops.cast(points, self.compute_dtype)
        return ops.reshape(points, (-1, *self.code_shape)), gap

    def _component(self, number):
        """Return the component that a standard normal number determines, and the gap of its quantile."""
        if self.num_components == 1:
            return ops.zeros_like(number, dtype="int32"), ops.ones_like(number)
        quantile = 0.5 * (1.0 + ops.erf(number / math.sqrt(2)))
        logits = ops.convert_to_tensor(self.log_weights) + ops.zeros_like(number[:, None])
        return code_at_quantile(logits, quantile)

    def coordinate_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of each coordinate of the mixture."""
        stored = (self.log_weights, self.means, self.factors)
        log_weights, means, factors = (np.asarray(values, "float64") for values in stored)
        weights, squares = np.exp(log_weights), np.square(factors)
        variances = squares.sum(axis=-1) if self.covariance == "full" else squares
        mean = weights @ means / weights.sum()
        # around the mean: a difference of squares would have no digits left far from 0
        return mean, np.sqrt(weights @ (variances + np.square(means - mean)) / weights.sum())

    def _check_adapted(self, method):
        if is_eager(self.num_adapted.value) and not int(self.num_adapted.value):
            raise InputError(f"adapt must be called before {method}. Received: a mixture that is not fitted.")

    # Exports

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of the auto-encoder, `score`, and `sample` from standard normal noise."""
        table = self.auto_encoder.endpoints()
        noise = tf.TensorSpec((None, 1 + self.embedding_size), tf.float32, name="noise")
        decoded = {n: s for n, s in table["decode"].inputs.items() if n != "embedding"}
        # what is valid for the inputs of the auto-encoder is so here too: their ranges and their examples
        score = replace(table["encode"], function=self._score_endpoint, margin=None)
        sample = replace(
            table["decode"],
            function=self._sample_endpoint,
            inputs={"noise": noise, **decoded},
            sample=_with_normal_noise(table["decode"].sample),
            margin=lambda noise, **_: self.embedding_of_noise(noise)[1],
        )
        return {**table, "score": score, "sample": sample}

    def _score_endpoint(self, **inputs):
        return {"score": self.score(inputs)}

    def _sample_endpoint(self, noise, **given):
        embedding = self.embedding_of_noise(noise)[0]
        decode = self.auto_encoder.endpoints()["decode"].function
        return {**decode(embedding=embedding, **given), "embedding": embedding}

    def get_config(self) -> dict[str, Any]:
        names = ("num_components", "covariance", "regularization", "seed")
        return {
            **super().get_config(),
            "auto_encoder": keras.saving.serialize_keras_object(self.auto_encoder),
            **{name: getattr(self, name) for name in names},
        }


def _factors(covariances):
    """Return `(A, A^-1)` with `C = A A'`, for covariances `(K, d, d)` or variances `(K, d)`."""
    if covariances.ndim == 2:
        return np.sqrt(covariances), 1 / np.sqrt(covariances)
    factors = np.linalg.cholesky(covariances)
    return factors, np.linalg.inv(factors)


def _with_normal_noise(sample):
    """Return `sample` of an endpoint, or none, followed by the draw of the noise."""

    def drawn(inputs):
        noise = np.random.default_rng(0).standard_normal(inputs["noise"].shape, "float32")
        return {**inputs, **({} if sample is None else sample(inputs)), "noise": noise}

    return drawn


def _check(auto_encoder, num_components, covariance, regularization):
    shape = getattr(auto_encoder, "code_shape", None)
    if not hasattr(auto_encoder, "decode") or shape is None or getattr(auto_encoder, "discrete", False):
        discrete = getattr(auto_encoder, "discrete", False)
        advice = "GenerativeAutoEncoder" if discrete else "Build the auto-encoder by calling it on a batch"
        raise InputError(
            "auto_encoder must be a built auto-encoder without a discrete bottleneck. "
            f"Received: {type(auto_encoder).__name__}, {'discrete' if discrete else 'without code_shape'}. "
            f"{'Use ' if discrete else ''}{advice}."
        )
    if None in shape:
        raise InputError(
            "auto_encoder must have embeddings of one size. "
            f"Received: {type(auto_encoder).__name__} with embeddings of shape {('batch', *shape)}."
        )
    if num_components < 1 or regularization < 0:
        raise InputError(
            "num_components must be at least 1 and regularization at least 0. "
            f"Received: num_components={num_components}, regularization={regularization}"
        )
    if covariance not in COVARIANCES:
        raise InputError(f"covariance must be one of {list(COVARIANCES)}. Received: {covariance!r}")
