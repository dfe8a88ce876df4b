"""Logistic regression with an L2 penalty, along a path of penalties."""

import numpy as np

from keras_ae.errors import require

MAX_STEPS = 300
# largest entry of the gradient, in coordinates where the curvature is about 1
GRADIENT_TOLERANCE = {"float32": 5e-5, "float64": 1e-7}
LOSS_TOLERANCE = {"float32": 1e-8, "float64": 1e-14}  # relative change per step, at the limit of the dtype
EXACT_SIZE = 1_000_000  # number of feature values up to which arithmetic is in float64
MOST_EXACT = 4_096  # number of features up to which all principal axes are computed, not only the first
FIRST_AXES = 256
ROWS_FOR_AXES = 8_192
FEWEST_ROWS = 2  # examples per feature above which the axes save more time than they cost


class PrincipalAxes:
    """Principal axes of standardised features, along which the curvature of the loss is nearly diagonal.

    They affect only the number of steps of the optimiser, not the minimum.

    Args:
        x: dense features `(examples, features)`; or sparse features, for which the axes are the features.
    """

    def __init__(self, x):
        self.axes = None
        if not isinstance(x, np.ndarray):
            self.variances = np.asarray(x.multiply(x).mean(axis=0)).ravel()
            return
        if len(x) < FEWEST_ROWS * x.shape[1]:  # with few examples, the axes do not save steps
            self.variances = np.square(x).mean(axis=0)
            return
        x = x[np.linspace(0, len(x) - 1, min(len(x), ROWS_FOR_AXES)).astype(int)]
        x = x.astype("float64" if x.size <= EXACT_SIZE else "float32")
        if x.shape[1] <= MOST_EXACT:
            self.variances, axes = np.linalg.eigh(x.T @ x / len(x))
        else:
            svd = require("sklearn.utils.extmath", extra="evaluation").randomized_svd
            _, singular, transposed = svd(x, min(FIRST_AXES, *x.shape), random_state=0)
            self.variances, axes = np.square(singular) / len(x), transposed.T
        self.axes = np.ascontiguousarray(axes)
        self.total = float(np.square(x, dtype="float64").sum() / len(x))

    def scaling(self, curvature: float, ridge: float):
        """Return a matrix `S` with approximately `S S' = (curvature X'X / n + ridge I)^-1`.

        Args:
            curvature: mean second derivative of the loss with respect to the logit.
            ridge: weight of the penalty.

        Returns:
            the functions `S v`, `S' g` and `S^-1 w` on columns `(features, columns)`.
        """
        scales = 1.0 / np.sqrt(curvature * np.maximum(self.variances, 0.0) + ridge)[:, None]
        if self.axes is None:
            return (lambda v: v * scales), (lambda g: g * scales), (lambda w: w / scales)
        axes, (features, number) = self.axes, self.axes.shape
        if number == features:
            return (
                lambda v: axes @ (scales * v).astype(axes.dtype),
                lambda g: scales * (axes.T @ g.astype(axes.dtype)),
                lambda w: (axes.T @ w.astype(axes.dtype)) / scales,
            )
        left = max(0.0, self.total - float(self.variances.sum())) / (features - number)
        rest = 1.0 / np.sqrt(curvature * left + ridge)

        def apply(values, outside, inside):
            along = (axes.T @ values.astype(axes.dtype)) * (inside - outside)
            return outside * values + axes @ along.astype(axes.dtype)

        symmetric = lambda v: apply(v, rest, scales)  # noqa: E731
        return symmetric, symmetric, lambda w: apply(w, 1 / rest, 1 / scales)


class TypicalWeights:
    """Mean weights of the fits for each penalty, used as the start of the next fits."""

    def __init__(self):
        self.means, self.counts = {}, {}

    def add(self, penalty, weights):
        """Add the weights of a fit to the means."""
        mean = self.means.get(penalty)
        if mean is None or mean.shape != weights.shape:
            self.means[penalty], self.counts[penalty] = weights.copy(), 1
            return
        self.counts[penalty] += 1
        mean += (weights - mean) / self.counts[penalty]

    def predicted(self, weights, before, penalty):
        """Return initial weights for `penalty` from the weights for the penalty `before` (or `None`)."""
        mean = self.means.get(penalty)
        if mean is None or mean.shape != weights.shape:
            return weights
        if before is None:
            return weights if weights.any() else mean
        own = self.means.get(before)
        return weights if own is None or own.shape != weights.shape else weights + mean - own


class LogisticPath:
    """Logistic regression on the same examples for one penalty after another.

    ```
    min over W, b of  sum_i  CE(t_i, softmax(W' x_i + b)) + |W|^2 / 2C
    ```

    With two classes, the model is one vector of weights and the logistic function. Each fit starts
    from the weights of the previous fit, and L-BFGS works in coordinates where the curvature is
    about 1: a fit takes about ten steps, whereas a fit from zero in the coordinates of the features
    takes hundreds.

    Args:
        x: `(examples, features)`, dense or sparse.
        targets: `(examples, classes)`, the share of each class in each example.
        axes: `PrincipalAxes` of these or similar examples.
        typical: `TypicalWeights` of fits to similar examples with the same classes. Each fit starts from
            the change of these weights between penalties, and its result is added to them; or `None`.

    Attributes:
        weights: `{C: (features + 1, columns)}` of each fit; the last row is `b`.
    """

    def __init__(self, x, targets, axes: PrincipalAxes, typical: "TypicalWeights | None" = None):
        self.typical = typical
        self._penalty: float | None = None
        # float32 halves the time of large fits; in small fits, single examples near the boundary matter
        self.dtype = "float64" if x.shape[0] * x.shape[1] <= EXACT_SIZE else "float32"
        self.x, self.axes = x.astype(self.dtype), axes
        self.binary = targets.shape[1] == 2
        self.targets = (targets[:, 1:] if self.binary else targets).astype(self.dtype)
        shares = targets.mean(axis=0, dtype="float64")
        self.curvature = float(np.mean(shares * (1 - shares)))
        self.weights: dict[float, np.ndarray] = {}
        self._last = np.zeros((x.shape[1] + 1, self.targets.shape[1]))

    def start(self, weights):
        """Start the next fit from `weights` `(features + 1, columns)`."""
        self._last = np.asarray(weights, "float64")

    def fit(self, penalty: float) -> "LogisticPath":
        """Fit with `C = penalty`, starting from the weights of the previous fit."""
        optimize = require("scipy.optimize", extra="evaluation")
        ridge = 1.0 / (penalty * self.x.shape[0])
        into, back, out_of = self.axes.scaling(self.curvature, ridge)
        bias_scale = 1.0 / np.sqrt(self.curvature + ridge)
        shape = self._last.shape

        def scaled(flat, function, scale):
            rows = flat.reshape(shape)
            return np.concatenate([function(rows[:-1]), rows[-1:] * scale])

        def loss_and_gradient(flat):
            loss, gradient = self._loss(scaled(flat, into, bias_scale), ridge)
            return loss, scaled(gradient, back, bias_scale).ravel()

        if self.typical is not None:
            self._last = self.typical.predicted(self._last, self._penalty, penalty)
        start = scaled(self._last, out_of, 1 / bias_scale)
        tolerances = {"gtol": GRADIENT_TOLERANCE[self.dtype], "ftol": LOSS_TOLERANCE[self.dtype]}
        options = {"maxiter": MAX_STEPS, "maxls": 8, **tolerances}
        found = optimize.minimize(
            loss_and_gradient, start.ravel(), jac=True, method="L-BFGS-B", options=options
        )
        self._last = self.weights[penalty] = scaled(found.x, into, bias_scale)
        self._penalty = penalty
        if self.typical is not None:
            self.typical.add(penalty, self._last)
        return self

    def probabilities(self, x, penalty: float) -> np.ndarray:
        """Return the probability of each class, `(examples, classes)`, from the fit for `penalty`."""
        logits = self._logits(x, self.weights[penalty]).astype("float64")
        if self.binary:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        return np.exp(logits - _log_sum(logits))

    def _logits(self, x, weights):
        return x @ weights[:-1].astype(self.dtype) + weights[-1].astype(self.dtype)

    def _loss(self, weights, ridge):
        """Return the mean loss with its penalty, and the gradient `(features + 1, columns)`."""
        logits, number = self._logits(self.x, weights), self.x.shape[0]
        if self.binary:
            total = np.logaddexp(0, logits)
            residual = np.exp(logits - total) - self.targets
        else:
            total = _log_sum(logits)
            residual = np.exp(logits - total) - self.targets
        loss = total.sum(dtype="float64") - np.vdot(self.targets, logits.astype("float64"))
        gradient = np.empty(weights.shape)
        gradient[:-1], gradient[-1] = self.x.T @ residual, residual.sum(axis=0, dtype="float64")
        penalized = weights.copy()
        penalized[-1] = 0
        return loss / number + ridge * np.square(penalized).sum() / 2, gradient / number + ridge * penalized


def _log_sum(logits):
    """Return `log sum exp` of each row, `(examples, 1)`."""
    largest = logits.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
