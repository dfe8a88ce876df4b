"""Variational auto-encoder with a Gaussian posterior."""

import math
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, integers_in, require
from keras_ae.layers.bottlenecks.gaussian_bottleneck import GaussianBottleneck
from keras_ae.layers.tables.table_likelihood import TableLikelihood
from keras_ae.losses.divergences import LIKELIHOODS, gaussian_log_density, log_likelihood_of
from keras_ae.losses.variational import importance_weighted_bound, maximum_mean_discrepancy
from keras_ae.models._input_rules import InputRules, likelihood_bounds
from keras_ae.models._labels import check_label_inputs, labels_of
from keras_ae.models.auto_encoder import AutoEncoder, check_observation_scale
from keras_ae.models.endpoint import Endpoint, with_labels
from keras_ae.ops.core import Tensor, where_counted
from keras_ae.ops.sequences import (
    call_conditioned,
    call_masked,
    code_lengths,
    combine,
    crop,
    input_mask,
    mask_of,
    sequence_mask,
    sum_per_example,
    unpack_inputs,
)
from keras_ae.ops.terms import LossTerm, mean_term, scalars, take_losses


@keras.saving.register_keras_serializable(package="keras_ae")
class VariationalAutoEncoder(AutoEncoder):
    """Variational auto-encoder, trained on the negative evidence lower bound in nats per example.

    ```
    loss = -E_q(z|x) log p(x|z) + beta * KL(q(z|x) || N(0, I)),   q(z|x) = N(mean, exp(log_variance))
    ```

    Both terms are summed over elements and averaged over examples, with one sample of `z`, also in
    validation, where the noise is the same each time. `encode` returns the mean. The posterior is computed
    by a `layers.GaussianBottleneck`, whose log-variance is bounded. Options change the objective:

    ```
    num_labels:   -E_q(z|x,y) log p(x|z,y) + beta * KL(q(z|x,y) || N(0, I))       a bound of log p(x|y)
    mmd_weight:   loss + mmd_weight * MMD^2(q(z), N(0, I)),   q(z) = mean over examples of q(z|x)
    num_samples:  -E log 1/K sum_k w_k,   w_k = p(x|z_k) (N(z_k; 0, I) / q(z_k|x))^beta,   K = num_samples
    free_bits:    -E_q(z|x) log p(x|z) + beta * sum_d max(free_bits, mean over the batch of KL_d)
    ```

    With `mmd_weight` the model is the InfoVAE with `alpha = 1 - beta` and `lambda = mmd_weight + beta`; with
    `beta=0` it is a Wasserstein auto-encoder. `num_samples > 1` gives the importance-weighted auto-encoder,
    `num_labels` the conditional one.

    Args:
        encoder: any `keras.Model` that returns features; with `num_labels`, from `[x, labels (batch,)]`.
        decoder: any `keras.Model` from `(batch, latent_dim)` to the parameters of the
            likelihood, in the shape of the input; with `num_labels`, from `[z, labels (batch,)]`.
        latent_dim: size of `z`.
        beta: weight of the KL, or a `keras.optimizers.schedules.LearningRateSchedule` of
            the training steps for a warm-up, counted in a saved variable.
        likelihood: `"bernoulli"` (the decoder returns logits; `x` in [0, 1]) or
            `"gaussian"` (it returns the mean), or `layers.TableLikelihood` for the rows of a table, where
            missing values do not count.
        observation_scale: standard deviation of the Gaussian likelihood; a `TableLikelihood` has its own.
        num_labels: number of classes to condition on, see `networks.image_encoder`; `None`: no labels.
        mmd_weight: weight of `losses.maximum_mean_discrepancy` between one sample of `z` for each example
            of the batch (under replicas of the global batch) and the prior; a code must be one vector.
        num_samples: number of samples of `z` for each example in training and validation.
        free_bits: smallest cost of each dimension in nats, see `layers.GaussianBottleneck`.
        seed: seed of the samples of `z`.

    Inputs of `fit`, `evaluate`:
        as in `AutoEncoder`; with `num_labels`, `{"x":, "labels": (batch,) integers}`, which all methods of
        `x` require as well. `decode` has an argument `labels`.

    Metrics:
        `loss`, `reconstruction_loss`, `kl_loss`, in nats per example; with `mmd_weight`, `mmd`.

    Raises:
        ValueError: an option is out of its range; `free_bits` with `num_samples > 1`, whose bound has no KL;
            `mmd_weight` with a map or a sequence of codes; networks whose inputs do not fit `num_labels`.
        InputError: labels are missing, or not below `num_labels`.
        ImportError: at the first training step, without TensorFlow Probability, except for tables.

    Example:

    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, "relu")])
    >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
    >>> VariationalAutoEncoder(encoder, decoder, 2).encode(ops.ones((3, 8))).shape
    TensorShape([3, 2])

    Reference:
        Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114; Sohn et al., 2015 (`num_labels`),
        https://papers.nips.cc/paper/5775; Zhao et al., 2019 (`mmd_weight`), https://arxiv.org/abs/1706.02262;
        Burda et al., 2016 (`num_samples`), https://arxiv.org/abs/1509.00519; Kingma et al., 2016
        (`free_bits`), https://arxiv.org/abs/1606.04934.
    """

    likelihood_names = LIKELIHOODS

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        latent_dim: int,
        *,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        likelihood: str | TableLikelihood = "bernoulli",
        observation_scale: float = 1.0,
        num_labels: int | None = None,
        mmd_weight: float = 0.0,
        num_samples: int = 1,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        _check_options(mmd_weight, num_samples, free_bits)
        check_label_inputs({"encoder": encoder, "decoder": decoder}, num_labels)
        posterior = GaussianBottleneck(latent_dim, beta=beta, free_bits=free_bits, seed=seed)
        check_observation_scale(likelihood, observation_scale)
        # Set before the call of the parent's constructor, which builds the model if it can.
        self.num_labels = num_labels
        self.mmd_weight = mmd_weight
        self.num_samples = num_samples
        self.term_names = (*self.term_names, *(("mmd",) if mmd_weight else ()))
        super().__init__(encoder, decoder, posterior, likelihood=likelihood, **kwargs)
        self.latent_dim = latent_dim
        self.observation_scale = observation_scale

    def build(self, input_shape: Any) -> None:
        # the shapes of [x, labels], from a functional encoder
        pair = isinstance(input_shape, (list, tuple)) and isinstance(input_shape[0], (list, tuple))
        super().build(input_shape[0] if pair else input_shape)

    def build_embedding(self, features: Tensor) -> Tensor:
        if self.mmd_weight and len(features.shape) != 2:
            raise ValueError(
                "The features must have the shape (batch, features) with mmd_weight, which compares one "
                f"vector for each example. Received: {tuple(features.shape)}"
            )
        return super().build_embedding(features)

    def input_shapes(self) -> dict[str, tuple[int | None, ...] | None]:
        labels = {"labels": (None,)} if self.num_labels else {}
        return {**super().input_shapes(), **labels}

    def input_rules(self) -> InputRules:
        rules = super().input_rules()
        if not self.num_labels:
            return rules
        return replace(rules, trained_on=("labels",), sizes={"labels": self.num_labels})

    def target_bounds(self) -> dict[str, Any]:
        return likelihood_bounds(self.likelihood)

    def symbolic_inputs(self, tensor: keras.KerasTensor) -> Any:
        return [tensor, keras.KerasTensor((None,), dtype="int32")] if self.num_labels else tensor

    def decoder_conditions(self, x: Any) -> dict[str, Any]:
        return {"labels": x.get("labels") if isinstance(x, dict) else None} if self.num_labels else {}

    def encoder_output(self, x: Any, training: bool | None) -> Tensor:
        values, lengths = unpack_inputs(x)
        labels = labels_of(x) if self.num_labels else None
        return self._output_of(self.encoder, values, input_mask(values, lengths), training, labels)

    def decoder_output(self, embedding: Tensor, x: Any, training: bool | None) -> Tensor:
        conditions = self.decoder_conditions(x)
        return self._output_of(self.decoder, embedding, mask_of(embedding), training, **conditions)

    def _output_of(self, network, tensor, mask, training, labels=None):
        """Return `network(tensor)`, with `num_labels` `network([tensor, labels])`, under a mask."""
        if (labels is None) != (self.num_labels is None):
            wanted = "integers, one for each example" if self.num_labels else "None without num_labels"
            received = "None" if labels is None else "an array"
            raise InputError(f"labels must be {wanted}. Received: labels={received}.")
        if labels is None:
            return call_masked(network, tensor, mask, training)
        labels = ops.reshape(integers_in("labels", labels, self.num_labels), (-1,))
        return call_conditioned(network, tensor, labels, mask, training)

    def posterior(self, x: Any) -> Any:
        """Return `q(z|x)` as a TensorFlow Probability distribution, `(batch, ..., latent_dim)`."""
        mean, log_variance = self.bottleneck.parameters(self.features(self.checked_inputs(x)))
        return _distributions().Normal(mean, ops.exp(0.5 * log_variance))

    def observation(self, parameters: Tensor) -> Any:
        """Return `p(x|z)` for the decoder's output, one distribution per element."""
        parameters = ops.cast(parameters, "float32")
        if self.table is not None:
            return self.table.distribution(parameters)
        if self.likelihood == "bernoulli":
            return _distributions().Bernoulli(logits=parameters)
        return _distributions().Normal(parameters, self.observation_scale)

    def decode(self, codes: Tensor, lengths: Tensor | None = None, *, labels: Tensor | None = None) -> Tensor:
        """Return the mean of `p(x|z)`, with `num_labels` that of `p(x|z, labels)`.

        `lengths` `(batch,)` counts the real codes of padded sequences.
        """
        return self._mean(self.decoded_parameters(codes, lengths, labels=labels))

    def decoded_parameters(
        self, codes: Tensor, lengths: Tensor | None = None, *, labels: Tensor | None = None
    ) -> Tensor:
        """Return the decoder's output in inference: the parameters of the likelihood."""
        z = self._embedding(codes)
        mask = None if lengths is None else sequence_mask(lengths, ops.shape(z)[1])
        return self._output_of(self.decoder, z, mask, False, labels)

    def score(self, x: Any, noise: Tensor | None = None) -> Tensor:
        """Return the negative evidence lower bound `-log p(x|z) + KL(q(z|x) || N(0, I))`, nats: `(batch,)`.

        It is the bound with `beta=1` and one sample, also in training and for every other objective: the
        larger, the less likely `x` is for the model.

        Args:
            x: as in `encode`.
            noise: standard normal `(batch, ..., latent_dim)`, with
                `z = mean + exp(log_variance / 2) noise`; `None`: `z` is the mean, as in the endpoint
                `score`.
        """
        x = self.checked_inputs(x)
        features = self.features(x)
        z, log_variance = self.bottleneck.parameters(features)
        if noise is not None:
            z = z + ops.exp(0.5 * log_variance) * ops.cast(noise, "float32")
        log_likelihood = self._log_likelihood_of(x, features, z)
        return self.bottleneck.kl(features, mask_of(features)) - log_likelihood

    def log_likelihood(self, x: Any, num_samples: int = 1000) -> Tensor:
        """Return the importance-weighted bound `log 1/S sum_s p(x|z_s) p(z_s) / q(z_s|x)`, nats: `(batch,)`.

        Its expectation increases with the number of samples S, towards `log p(x)`; with `num_labels`
        towards `log p(x|labels)`. Each call draws different samples, and the training is not changed.
        """
        x = self.checked_inputs(x)
        features = self.features(x)
        posterior = self.bottleneck.parameters(features)

        def more(left, total):
            z = self.bottleneck.draw(*posterior, self._method_draws)
            ratio = _log_ratio(z, *posterior, mask_of(features))
            return left - 1, ops.logaddexp(total, self._log_likelihood_of(x, features, z) + ratio)

        start = ops.full(ops.shape(features)[:1], -1e30, "float32")
        count = ops.convert_to_tensor(num_samples, "int32")
        _, total = tf.while_loop(lambda left, _: left > 0, more, (count, start), parallel_iterations=1)
        return total - math.log(num_samples)

    def _log_likelihood_of(self, x, features, z):
        """Return `log p(x|z)` in inference, `(batch,)`, with the lengths of `features`."""
        values, lengths = unpack_inputs(x)
        values = ops.cast(values, "float32")
        z = ops.cast(z, self.bottleneck.compute_dtype)
        parameters = self.decoded_parameters(z, code_lengths(features), **self.decoder_conditions(x))
        settings = (crop(ops.cast(parameters, "float32"), values), self.observation_scale)
        log_likelihood = log_likelihood_of(self.likelihood, values, *settings)
        return sum_per_example(log_likelihood, input_mask(values, lengths))

    # Training

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        features = self.encoder_output(x, training)
        added = take_losses(self.encoder)
        z, log_ratio = self._samples(features, sample_weight, training)
        kl = take_losses(self.bottleneck)  # the bound of several samples has log_ratio instead
        parameters = self._decoded(z, mask_of(features), self.decoder_conditions(x), training)
        added += take_losses(self.decoder)
        target, mask = self.target_of(ops.cast(values if y is None else y, "float32"), mask)
        target = where_counted(target, mask)
        first = crop(parameters[: ops.shape(target)[0]], target)
        self.observe_reconstruction(target, self._mean(first), combine(mask, sample_weight))
        log_likelihoods = self._log_likelihoods(parameters, target, mask)
        reconstruction = -mean_term(ops.mean(log_likelihoods, axis=0), sample_weight)
        objective = reconstruction + kl
        if log_ratio is not None:
            bound = importance_weighted_bound(log_likelihoods + log_ratio)
            objective = -mean_term(bound, sample_weight)
        further, terms = self.code_terms(features, z[: ops.shape(target)[0]], sample_weight)
        loss = objective + added + further
        return scalars({"loss": loss, "reconstruction_loss": reconstruction, **terms})

    def _samples(self, features, sample_weight, training):
        """Return samples of `z`, `(samples batch, ..., latent_dim)`, and `beta log p(z) / q(z|x)` of each.

        The second result, `(samples, batch)`, is `None` for one sample. The losses of the bottleneck are
        those of this call.
        """
        weighting = self._weighting(features, sample_weight)
        if self.num_samples == 1:
            return self.bottleneck(features, training=training, sample=True, **weighting), None
        self.bottleneck(features, training=training, sample=False, **weighting)  # counts the KL and the step
        mask = self._repeated(mask_of(features))
        mean, log_variance = (self._repeated(part) for part in self.bottleneck.parameters(features))
        z = self.bottleneck.draw(mean, log_variance)
        ratio = ops.reshape(_log_ratio(z, mean, log_variance, mask), (self.num_samples, -1))
        beta = ops.convert_to_tensor(self.bottleneck.beta)
        return ops.cast(z, self.bottleneck.compute_dtype), beta * ratio

    def _decoded(self, z, mask, conditions, training):
        """Return the decoder's output for the samples of `_samples`."""
        conditions = {name: self._repeated(value) for name, value in conditions.items()}
        return self._output_of(self.decoder, z, self._repeated(mask), training, **conditions)

    def _log_likelihoods(self, parameters, target, mask):
        """Return `log p(x|z)` of the samples, `(num_samples, batch)`."""
        target, mask = self._repeated(target), self._repeated(mask)
        log_likelihood = self.observation(crop(parameters, target)).log_prob(target)
        return ops.reshape(sum_per_example(log_likelihood, mask), (self.num_samples, -1))

    def _repeated(self, tensor):
        """Return the tensor `num_samples` times along the batch."""
        if tensor is None or self.num_samples == 1:
            return tensor
        return ops.concatenate([ops.convert_to_tensor(tensor)] * self.num_samples)

    def code_terms(
        self, features: Tensor, z: Tensor, sample_weight: Tensor | None
    ) -> tuple[Any, dict[str, Any]]:
        """Return `(loss, {name: term})` of one sample of `z` for each example of the batch."""
        if not self.mmd_weight:
            return 0.0, {}
        mmd = LossTerm.of(maximum_mean_discrepancy(z, sample_weight))
        return self.mmd_weight * mmd, {"mmd": mmd}

    # Exports

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `AutoEncoder` and `sample`, from noise `(batch, ..., latent_dim)`.

        With `num_labels`, all of them take `labels`.
        """
        given = ("code_lengths", "labels")
        specs = {
            name: spec if name in given else tf.TensorSpec(spec.shape, spec.dtype, name="noise")
            for name, spec in self.code_specs().items()
        }
        specs = {spec.name: spec for spec in specs.values()}
        table = {**super().endpoints(), "sample": Endpoint(self._sample_endpoint, specs)}
        return with_labels(table, "labels", self.num_labels)

    def input_specs(self) -> dict[str, tf.TensorSpec]:
        return {**super().input_specs(), **self._label_specs()}

    def code_specs(self) -> dict[str, tf.TensorSpec]:
        return {**super().code_specs(), **self._label_specs()}

    def _label_specs(self):
        return {"labels": tf.TensorSpec((None,), tf.int32, name="labels")} if self.num_labels else {}

    def _decode_endpoint(self, embedding, code_lengths=None, labels=None):
        return {"reconstruction": self.decode(embedding, code_lengths, labels=labels)}

    def _sample_endpoint(self, noise, code_lengths=None, labels=None):
        return {"reconstruction": self.decode(noise, code_lengths, labels=labels)}

    def _mean(self, parameters):
        return ops.sigmoid(parameters) if self.likelihood == "bernoulli" else super()._mean(parameters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("bottleneck")
        config.pop("reconstruction_loss")
        return {
            **config,
            "latent_dim": self.latent_dim,
            "beta": self.bottleneck.warm_up.get_value_config(),
            "observation_scale": self.observation_scale,
            "num_labels": self.num_labels,
            "mmd_weight": self.mmd_weight,
            "num_samples": self.num_samples,
            "free_bits": self.bottleneck.free_bits,
            "seed": self.bottleneck.seed,
        }


def _log_ratio(z, mean, log_variance, mask):
    """Return `log N(z; 0, I) / q(z|x)` of each example, summed over real positions: `(batch,)`."""
    prior = gaussian_log_density(z, ops.zeros_like(z), ops.zeros_like(z))
    return sum_per_example(prior - gaussian_log_density(z, mean, log_variance), mask)


def _check_options(mmd_weight, num_samples, free_bits):
    if not mmd_weight >= 0 or num_samples < 1:
        raise ValueError(
            "mmd_weight must be at least 0 and num_samples at least 1. "
            f"Received: mmd_weight={mmd_weight}, num_samples={num_samples}"
        )
    if free_bits and num_samples > 1:
        raise ValueError(
            "free_bits must be 0 with num_samples > 1, since the importance-weighted bound contains no KL. "
            f"Received: free_bits={free_bits}, num_samples={num_samples}"
        )


def _distributions():
    return require("tensorflow_probability", extra="distributions").distributions
