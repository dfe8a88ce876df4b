"""Score-function gradient of an expectation over discrete samples."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import Float32Dense
from keras_ae.ops.core import Tensor, assign_finite, finite_padding, num_replicas, sum_over_replicas
from keras_ae.ops.terms import weighted_mean

BASELINES = (None, "leave_one_out", "self_critical", "moving_average", "learned")


@keras.saving.register_keras_serializable(package="keras_ae")
class ScoreFunction(keras.layers.Layer):
    """Score-function (REINFORCE) gradient estimator with a baseline.

    ```
    d E_q[f(z)] = E_q[ df(z) + (f(z) - b) d log q(z) ]          for any b that does not depend on z
    surrogate   = f(z) + sg[f(z) - b] (log q(z) - sg[log q(z)])
    ```

    The value of the surrogate is the loss itself, its gradient the estimate: average it and minimise. `f`
    may be any function of the samples: a likelihood, a reward, a score of a generated sentence. The
    baseline `b` only changes the variance:

    - `None`: 0;
    - `"leave_one_out"`: the mean loss of the other samples of the same example;
    - `"self_critical"`: the loss of the most likely code, given as `greedy_losses`;
    - `"moving_average"`: of the finite losses of past batches, in a saved variable;
    - `"learned"`: a network of one hidden layer on `features`, trained by `add_loss` to predict
      the loss.

    Args:
        baseline: kind of baseline, see above.
        decay: decay of the moving average.
        units: number of hidden units of the learned baseline.

    Call arguments:
        losses: `(samples, batch)`, or `(batch,)` for one sample (not with `"leave_one_out"`).
        log_probs: `log q` of the samples, of the same shape.
        greedy_losses: `(batch,)`, for `"self_critical"`.
        features: `(batch, ...)`, for `"learned"`; they receive no gradient.
        sample_weight: `(batch,)`, weights of the examples when the baseline is updated.
        training: whether to update the moving average.

    Output shape:
        that of `losses`, float32.

    Example:

    >>> logits, bits = keras.Variable([0.0, 0.0]), ops.array([[0.0, 1.0], [1.0, 1.0]])
    >>> log_probs = ops.sum(bits * logits - ops.softplus(logits), axis=-1)
    >>> ScoreFunction(None)(ops.sum(bits, axis=-1), log_probs).numpy().tolist()
    [1.0, 2.0]

    Reference:
        Williams, 1992, https://doi.org/10.1007/BF00992696; Kool et al., 2019 (leave-one-out),
        https://openreview.net/forum?id=r1lgTGL5DE; Rennie et al., 2017 (self-critical),
        https://arxiv.org/abs/1612.00563; Mnih and Gregor, 2014 (learned),
        https://arxiv.org/abs/1402.0030.
    """

    def __init__(
        self, baseline: str | None = "leave_one_out", *, decay: float = 0.99, units: int = 100, **kwargs: Any
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if baseline not in BASELINES:
            raise ValueError(
                f"ScoreFunction: baseline must be one of {BASELINES}. Received: baseline={baseline!r}"
            )
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be in [0, 1). Received: decay={decay!r}")
        self.baseline = baseline
        self.decay = decay
        self.units = units
        if baseline == "moving_average":
            self.mean, self.mass = (self._scalar(name) for name in ("mean", "mass"))
        if baseline == "learned":
            flat = keras.layers.Flatten(data_format="channels_last")
            hidden = Float32Dense(units, activation="tanh")
            self.network = keras.Sequential([flat, hidden, Float32Dense(1)])

    def build_baseline(self, features_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the learned baseline, for features `(batch, ...)`."""
        if self.baseline == "learned" and not self.network.built:
            self.network.build(tuple(features_shape))

    def build(
        self, losses_shape: tuple[int | None, ...], log_probs_shape: tuple[int | None, ...] | None = None
    ) -> None:
        self.built = True

    def call(
        self,
        losses: Tensor,
        log_probs: Tensor,
        greedy_losses: Tensor | None = None,
        features: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        losses, log_probs = ops.cast(losses, "float32"), ops.cast(log_probs, "float32")
        fixed = ops.stop_gradient(losses)
        others = {"greedy_losses": greedy_losses, "features": features}
        baseline = self._baseline(fixed, others, sample_weight, training)
        advantage = fixed - ops.stop_gradient(baseline)
        return losses + advantage * (log_probs - ops.stop_gradient(log_probs))

    def _baseline(self, losses, others, sample_weight, training):
        if self.baseline is None:
            return ops.zeros_like(losses)
        return getattr(self, f"_{self.baseline}")(losses, others, sample_weight, training)

    def _leave_one_out(self, losses, others, sample_weight, training):
        if len(losses.shape) != 2 or losses.shape[0] == 1:
            raise ValueError(
                "losses must have the shape (samples, batch) with at least 2 samples for the leave-one-out "
                "baseline. "
                f"Received: shape={tuple(losses.shape)}"
            )
        return (ops.sum(losses, axis=0) - losses) / (losses.shape[0] - 1)

    def _self_critical(self, losses, others, sample_weight, training):
        return ops.cast(self._given("greedy_losses", others), "float32") + ops.zeros_like(losses)

    def _moving_average(self, losses, others, sample_weight, training):
        baseline = ops.divide_no_nan(ops.convert_to_tensor(self.mean), ops.convert_to_tensor(self.mass))
        if training and self.trainable:
            # `weighted_mean` is a replica's share of the mean over the global batch
            share = weighted_mean(losses if len(losses.shape) == 1 else ops.mean(losses, 0), sample_weight)
            batch = sum_over_replicas(share) / num_replicas()
            mean = self.decay * self.mean + (1 - self.decay) * batch
            assign_finite((self.mean, mean), (self.mass, self.decay * self.mass + (1 - self.decay)))
        return baseline + ops.zeros_like(losses)

    def _learned(self, losses, others, sample_weight, training):
        features = ops.stop_gradient(ops.cast(self._given("features", others), "float32"))
        features = finite_padding(features, sample_weight)
        self.build_baseline(features.shape)
        predicted = self.network(features)[..., 0]
        target = losses if len(losses.shape) == 1 else ops.mean(losses, axis=0)
        self.add_loss(weighted_mean(ops.square(predicted - target), sample_weight))
        return predicted + ops.zeros_like(losses)

    def _given(self, name, others):
        if others[name] is None:
            raise ValueError(
                f"{name} must be passed for the baseline {self.baseline!r}. Received: {name}=None"
            )
        return others[name]

    def _scalar(self, name):
        # sums of losses and of weights: their ratio is not biased towards the initial 0
        options = {"trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        return self.add_weight(name=name, shape=(), initializer="zeros", dtype="float32", **options)

    def compute_output_shape(
        self, losses_shape: tuple[int | None, ...], log_probs_shape: tuple[int | None, ...] | None = None
    ) -> tuple[int | None, ...]:
        return losses_shape

    def get_config(self) -> dict[str, Any]:
        config = {"baseline": self.baseline, "decay": self.decay, "units": self.units}
        return {**super().get_config(), **config}
