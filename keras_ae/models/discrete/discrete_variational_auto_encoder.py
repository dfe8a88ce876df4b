"""Variational auto-encoder with a discrete posterior."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import renamed_arguments
from keras_ae.layers.base import ScheduledVariable
from keras_ae.layers.bottlenecks.augment_reinforce_merge import AugmentReinforceMerge
from keras_ae.layers.bottlenecks.binary_bottleneck import BinaryBottleneck
from keras_ae.layers.bottlenecks.score_function import ScoreFunction
from keras_ae.layers.bottlenecks.stochastic_bottleneck import StochasticBottleneck
from keras_ae.layers.tables.table_likelihood import TableLikelihood
from keras_ae.losses.divergences import LIKELIHOODS, log_likelihood_of
from keras_ae.models._input_rules import likelihood_bounds
from keras_ae.models.auto_encoder import AutoEncoder, check_observation_scale
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import Tensor, where_counted
from keras_ae.ops.sequences import (
    call_masked,
    combine,
    crop,
    input_mask,
    mask_of,
    sum_per_example,
    unpack_inputs,
)
from keras_ae.ops.terms import mean_term, scalars, take_losses

ESTIMATORS = {"score_function": ScoreFunction, "arm": AugmentReinforceMerge}


@keras.saving.register_keras_serializable(package="keras_ae")
class DiscreteVariationalAutoEncoder(AutoEncoder):
    """Discrete variational auto-encoder, trained on the negative evidence lower bound in nats per example.

    ```
    loss = -E_q(z|x) log p(x|z) + beta * KL(q(z|x) || p(z))
    ```

    `q(z|x)` is the distribution of a `GumbelOneHot` or `BinaryBottleneck`, whose prior is
    uniform or learned. The KL is exact. The gradient of the expectation is that of the bottleneck
    (Gumbel-softmax, straight-through, ...), or an unbiased estimate from hard samples. Validation always
    draws hard codes, with the same random numbers each time. The methods `sample`, `elbo` and
    `log_likelihood` draw different ones in each call. Neither changes the draws of the training.

    Args:
        encoder: any `keras.Model` that returns logits.
        decoder: any `keras.Model` from the embedding to the parameters of the likelihood, in the
            shape of the input.
        bottleneck: `layers.GumbelOneHot` or `layers.BinaryBottleneck`, with `kl_weight=0`.
        estimator: estimator of the gradient: `"pathwise"` (the bottleneck's), `"score_function"`, `"arm"`
            (bits only), or a `layers.ScoreFunction` or `layers.AugmentReinforceMerge` with its own settings.
        likelihood: `"bernoulli"` (the decoder returns logits; `x` in [0, 1]) or
            `"gaussian"` (it returns the mean), or `layers.TableLikelihood` for the rows of a table.
        observation_scale: standard deviation of the Gaussian likelihood; a `TableLikelihood` has its own.
        num_samples: number of codes drawn for each example in training (one pair with `"arm"`).
        beta: weight of the KL, or a `keras.optimizers.schedules.LearningRateSchedule` of
            the training steps, counted in a saved variable.

    Inputs of `fit`, `evaluate`:
        as in `AutoEncoder`.

    Metrics:
        `loss`, `reconstruction_loss` and `negative_elbo` (with `beta=1`) in nats per example,
        and the metrics of the bottleneck.

    Example:

    >>> from keras_ae.layers import GumbelOneHot
    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(6)])
    >>> decoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8)])
    >>> model = DiscreteVariationalAutoEncoder(encoder, decoder, GumbelOneHot(num_groups=2))
    >>> model.encode(ops.ones((3, 8))).shape, model.elbo(ops.ones((3, 8))).shape
    (TensorShape([3, 2]), TensorShape([3]))

    Reference:
        Mnih and Gregor, 2014, https://arxiv.org/abs/1402.0030; Jang et al., 2017,
        https://arxiv.org/abs/1611.01144; Burda et al., 2016 (`log_likelihood`),
        https://arxiv.org/abs/1509.00519.
    """

    term_names = ("reconstruction_loss", "negative_elbo")
    likelihood_names = LIKELIHOODS

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        bottleneck: StochasticBottleneck,
        *,
        estimator: str | ScoreFunction | AugmentReinforceMerge = "pathwise",
        likelihood: str | TableLikelihood = "bernoulli",
        observation_scale: float = 1.0,
        num_samples: int | None = None,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        **kwargs: Any,
    ):
        _check(bottleneck, estimator)
        check_observation_scale(likelihood, observation_scale)
        # Set before the call of the parent's constructor, which builds the model if it can.
        self.estimator = ESTIMATORS[estimator]() if estimator in ESTIMATORS else estimator
        self.warm_up = ScheduledVariable(beta, name="beta")
        super().__init__(encoder, decoder, bottleneck, likelihood=likelihood, **kwargs)
        self.observation_scale = observation_scale
        leave_one_out = getattr(self.estimator, "baseline", None) == "leave_one_out"
        self.num_samples = (2 if leave_one_out else 1) if num_samples is None else num_samples

    @property
    def beta(self) -> keras.Variable:
        """Variable with the current weight of the KL."""
        return self.warm_up.variable

    def build_embedding(self, features: Tensor) -> Tensor:
        if isinstance(self.estimator, ScoreFunction):
            self.estimator.build_baseline(features.shape)
        return super().build_embedding(features)

    def target_bounds(self) -> dict[str, Any]:
        return likelihood_bounds(self.likelihood)

    def elbo(self, x: Any, num_samples: int = 1) -> Tensor:
        """Return `log p(x|z) - KL(q(z|x) || p(z))`, the mean over hard samples `z ~ q`, nats: `(batch,)`."""
        values, mask, features = self._posterior(x)
        likelihoods = [self._likelihood_of_draw(values, mask, features)[0] for _ in range(num_samples)]
        return sum(likelihoods) / num_samples - self._kl(features)

    def score(self, x: Any, noise: Tensor | None = None) -> Tensor:
        """Return the negative evidence lower bound `-log p(x|z) + KL(q(z|x) || p(z))`, nats: `(batch,)`.

        It is the bound with `beta=1`: the larger, the less likely `x` is for the model.

        Args:
            x: as in `encode`.
            noise: uniform noise in (0, 1), in the shape of the logits, from which `z` is drawn; `None`: `z`
                is the most probable code, as in the endpoint `score`.
        """
        values, mask, features = self._posterior(x)
        codes = self.bottleneck.encode(features)
        if noise is not None:
            codes = self.bottleneck.codes_of_noise(ops.cast(features, "float32"), ops.cast(noise, "float32"))
        return self._loss_of(values, mask, codes, mask_of(features), False) + self._kl(features)

    def log_likelihood(self, x: Any, num_samples: int = 1000) -> Tensor:
        """Return the importance-weighted bound `log 1/S sum_s p(x|z_s) p(z_s) / q(z_s|x)`, nats: `(batch,)`.

        Its expectation increases with the number of samples S, towards `log p(x)`.
        """
        values, mask, features = self._posterior(x)

        def more(left, total):
            _, log_weights = self._likelihood_of_draw(values, mask, features)
            return left - 1, ops.logaddexp(total, log_weights)

        start = ops.full(ops.shape(features)[:1], -1e30, "float32")
        count = ops.convert_to_tensor(num_samples, "int32")
        _, total = tf.while_loop(lambda left, _: left > 0, more, (count, start), parallel_iterations=1)
        return total - math.log(num_samples)

    @property
    def generative(self) -> bool:
        """Whether `sample` draws new examples: codes from the prior of the bottleneck."""
        return True

    @renamed_arguments(num_examples="num")
    def sample(self, num: int, length: int | None = None, **options: Any) -> Tensor:
        """Return the mean of `p(x|z)` for codes from the prior, with the options of `BaseModel.sample`."""
        return super().sample(num, length, **options)

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        features = call_masked(self.encoder, values, mask, training)
        target, mask = self.target_of(ops.cast(values if y is None else y, "float32"), mask)
        target = where_counted(target, mask)
        added = take_losses(self.encoder)
        kl = mean_term(self._kl(features), sample_weight)
        self._observe(target, mask, features, sample_weight)
        losses = self._surrogate(target, mask, features, sample_weight, training)
        # Collects the losses added by the calls of the bottleneck, the decoder and the estimator's baseline.
        parts = [self.bottleneck, self.decoder]
        parts += [self.estimator] if self.estimator != "pathwise" else []
        added += sum(take_losses(part) for part in parts)
        reconstruction = mean_term(losses, sample_weight)
        beta = self.warm_up.next(advance=bool(training) and self.trainable)
        terms = {"reconstruction_loss": reconstruction, "negative_elbo": reconstruction + kl}
        return scalars({"loss": reconstruction + beta * kl + added, **terms})

    def _observe(self, target, mask, features, sample_weight):
        """Update the metrics given to `compile` with the reconstruction from the most probable codes."""
        if self._metrics_of_user.metrics:
            code = self.bottleneck.decode(self.bottleneck.encode(ops.stop_gradient(features)))
            parameters = call_masked(self.decoder, code, mask_of(features), False)
            take_losses(self.decoder)
            weights = combine(mask, sample_weight)
            self.observe_reconstruction(target, self._mean(crop(parameters, target)), weights)

    # The expectation of the loss, and its gradient

    def _surrogate(self, target, mask, features, sample_weight, training):
        """Return `-log p(x|z)`, `(batch,)`, as a surrogate with the gradient of the expectation."""
        if training and self.estimator == "pathwise":
            return self._by_path(target, mask, features, sample_weight)
        # Updates the bottleneck's metrics and losses only; the codes are drawn below.
        self.bottleneck(features, training=False, **self._weighting(features, sample_weight))
        if not training:
            return self._loss_of(target, mask, self.bottleneck.draw(features), mask_of(features), training)
        if isinstance(self.estimator, AugmentReinforceMerge):
            return self._by_pairs(target, mask, features)
        return self._by_scores(target, mask, features, sample_weight)

    def _by_path(self, target, mask, features, sample_weight):
        given = (target, mask, features, mask_of(features), sample_weight)
        target, mask, features, code_mask, weight = self._repeated(*given)
        embedding = self.bottleneck(features, mask=code_mask, sample_weight=weight, training=True)
        losses = self._loss_of(target, mask, embedding, code_mask, True)
        return ops.mean(ops.reshape(losses, (self.num_samples, -1)), axis=0)

    def _by_scores(self, target, mask, features, sample_weight):
        code_mask, given = mask_of(features), {"sample_weight": sample_weight, "training": True}
        if self.estimator.baseline == "self_critical":
            greedy = self.bottleneck.encode(features)
            given["greedy_losses"] = self._loss_of(target, mask, greedy, code_mask, True)
        if self.estimator.baseline == "learned":
            given["features"] = features
        target, mask, features, code_mask = self._repeated(target, mask, features, code_mask)
        codes = self.bottleneck.draw(features)
        losses = self._loss_of(target, mask, codes, code_mask, True)
        log_probs = sum_per_example(self.bottleneck.log_prob(features, codes), code_mask)
        pairs = (ops.reshape(each, (self.num_samples, -1)) for each in (losses, log_probs))
        return ops.mean(self.estimator(*pairs, **given), axis=0)

    def _by_pairs(self, target, mask, features):
        code_mask = mask_of(features)
        codes, uniform = self.estimator.draw(features)
        losses = [self._loss_of(target, mask, one, code_mask, True) for one in (codes[0], codes[1])]
        logits = ops.cast(features, "float32")
        if code_mask is not None:  # the loss does not depend on padded bits, which would only add noise
            logits = logits * ops.cast(ops.expand_dims(code_mask, -1), "float32")
        return self.estimator(ops.stack(losses), logits, uniform)

    def _repeated(self, *tensors):
        """Return each tensor repeated `num_samples` times along the batch."""
        if self.num_samples == 1:
            return tensors
        return [None if one is None else ops.concatenate([one] * self.num_samples) for one in tensors]

    def _loss_of(self, target, mask, code, code_mask, training):
        """Return `-log p(target | code)`, `(batch,)`, for integer codes or an embedding."""
        if not keras.backend.is_float_dtype(code.dtype):
            code = self.bottleneck.decode(code)
        parameters = crop(call_masked(self.decoder, code, code_mask, training), target)
        settings = (ops.cast(parameters, "float32"), self.observation_scale)
        return -sum_per_example(log_likelihood_of(self.likelihood, target, *settings), mask)

    def _kl(self, features):
        return sum_per_example(self.bottleneck.kl(features), mask_of(features))

    # Evaluation

    def _posterior(self, x):
        """Return `(values, mask, features)` of `x`."""
        values, lengths = unpack_inputs(self.checked_inputs(x))
        values = ops.cast(values, "float32")
        return values, input_mask(values, lengths), self.features(values, lengths)

    def _likelihood_of_draw(self, values, mask, features):
        """Return `(log p(x|z), log p(x|z) p(z) / q(z|x))` for one hard sample, each `(batch,)`."""
        codes, code_mask = self.bottleneck.draw(features, self._method_draws), mask_of(features)
        likelihood = -self._loss_of(values, mask, codes, code_mask, False)
        ratio = self.bottleneck.prior_log_prob(codes) - self.bottleneck.log_prob(features, codes)
        return likelihood, likelihood + sum_per_example(ratio, code_mask)

    def _mean(self, parameters):
        return ops.sigmoid(parameters) if self.likelihood == "bernoulli" else super()._mean(parameters)

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `AutoEncoder` and `sample`, whose noise is uniform and shaped as logits."""
        noise = tf.TensorSpec((None, *self.feature_shape), tf.float32, name="noise")
        specs = {name: spec for name, spec in self.code_specs().items() if name == "code_lengths"}
        specs = {"noise": noise, **specs}
        return {**super().endpoints(), "sample": Endpoint(self._sample_endpoint, specs)}

    def _sample_endpoint(self, noise, code_lengths=None):
        return {"reconstruction": self.decode(self.bottleneck.prior_codes(noise), code_lengths)}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("reconstruction_loss")
        estimator = self.estimator
        if estimator != "pathwise":
            estimator = keras.saving.serialize_keras_object(estimator)
        return {
            **config,
            "estimator": estimator,
            "observation_scale": self.observation_scale,
            "num_samples": self.num_samples,
            "beta": self.warm_up.get_value_config(),
        }


def _check(bottleneck, estimator):
    if not isinstance(bottleneck, StochasticBottleneck) or bottleneck.kl_weight:
        kind, weight = type(bottleneck).__name__, getattr(bottleneck, "kl_weight", None)
        raise ValueError(
            "bottleneck must be a GumbelOneHot or BinaryBottleneck with kl_weight=0, since the model weights "
            f"the KL by beta. Received: {kind}, kl_weight={weight}"
        )
    layers = tuple(ESTIMATORS.values())
    if estimator not in ("pathwise", *ESTIMATORS) and not isinstance(estimator, layers):
        raise ValueError(
            "estimator must be 'pathwise', 'score_function', 'arm', a ScoreFunction or an "
            "AugmentReinforceMerge. "
            f"Received: estimator={estimator!r}"
        )
    arm = estimator == "arm" or isinstance(estimator, AugmentReinforceMerge)
    if arm and not isinstance(bottleneck, BinaryBottleneck):
        raise ValueError(
            "bottleneck must be a BinaryBottleneck for estimator='arm'. "
            f"Received: {type(bottleneck).__name__}. 'score_function' accepts any bottleneck."
        )
