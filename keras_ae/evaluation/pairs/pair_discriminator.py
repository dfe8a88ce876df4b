"""Discriminator of pairs of inputs and frozen embeddings."""

import math
from typing import Any, Self

import numpy as np
import tensorflow as tf  # embeddings restored inside of traced loops

from keras_ae.errors import InputError
from keras_ae.evaluation._checks import as_embedding, check_lengths
from keras_ae.evaluation.pairs._inputs import as_inputs, seeded, take
from keras_ae.evaluation.pairs._ranking import PairRanking, TracedScore
from keras_ae.evaluation.pairs._scores import DecoderNetwork, DecoderScore, MLPScore, frozen_decoder
from keras_ae.evaluation.pairs._training import PairTraining

FEWEST = 8  # examples to fit on


class PairDiscriminator:
    """Discriminator of matched and mismatched pairs of input and embedding, whose lowest loss is `L_D*`.

    ```
    L_D  = mean_i softplus(-T(x_i, z_i)) + mean_{i != j} softplus(T(x_i, z_j))      nats
    L_D* = min_T L_D = 2 log 2 - 2 JSD(p(x, z) || p(x) p(z)),   T* = log p(x, z) / p(x) p(z)
    ```

    The embedding is frozen: only `T` is fitted, on training pairs, until its loss on
    validation pairs stops decreasing. On held-out pairs, its loss is an upper bound of `L_D*`,
    which lies between 0 (the embedding identifies its input) and 1.386 (independent).

    `L_D*` measures information, not usefulness: one principal component can have a lower `L_D*`
    than the true class. It must not be used to rank embeddings for a task; report it next to
    probes. It saturates earlier than `info_nce` and `retrieval` of `evaluate`, and than the
    results with `code_noise`.

    With `score="decoder"`, `T(x, z) = -|x - Dec(z)|^2 / 2 sigma^2 + c(x)`: the reconstruction
    error of an auto-encoder, whose mean squared error is reported together with `L_D`.

    Args:
        network: network of the inputs, a `keras.Model` or layer from `x` (with a mask if there are
            lengths) to features; every `fit` starts from newly initialised weights. `None`: no
            network for vectors, small convolutions for images, sequences, tokens and volumes.
        score: `"mlp"`, a perceptron of `[network(x), z]`, or `"decoder"`.
        decoder: for `score="decoder"`, a Keras model or a function from embeddings to
            reconstructions, which is not trained; `None`: a perceptron, fitted to the squared error
            of the matched pairs alone.
        hidden_units: widths of the perceptron.
        code_noise: standard deviation `s` of the noise `N(0, s^2)` on standardised embeddings,
            drawn again in every step and evaluation. The result is `L_D*` of the noisy embedding.
        learning_rate, weight_decay, batch_size: settings of AdamW.
        max_steps: largest number of steps.
        patience: number of validations (one every 50 steps) without improvement before training
            stops.
        negatives: number of mismatched pairs per example and step.
        seed: seed of weights, pairs, noise and split.

    Inputs of `fit`, `evaluate`:
        x: `(examples, ...)`: vectors, images `(height, width, channels)`, sequences
            `(length, features)`; or `{"x":, "lengths": (examples,)}` for padded sequences, where
            integers `(examples, length)` are token numbers.
        z: embeddings `(examples, ...)` of any scale; they are standardised by the training examples.

    Raises:
        InputError: the numbers of examples differ or are less than 8, there is NaN, or the decoder has
            another output shape.
        ValueError: a setting is out of range, or `evaluate` is called before `fit`.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(400, 2)).astype("float32")
    >>> discriminator = PairDiscriminator(max_steps=200).fit(x[:300], x[:300, :1])
    >>> results = discriminator.evaluate(x[300:], x[300:, :1], num_candidates=32)
    >>> results["ld"] < 1.0, results["auc"] > 0.8, results["retrieval"] > 2 / 32
    (True, True, True)

    Reference:
        Hjelm et al., 2019, https://arxiv.org/abs/1808.06670; Barber and Agakov, 2003,
        "The IM algorithm", for the decoder.
    """

    def __init__(
        self,
        network: Any = None,
        *,
        score: str = "mlp",
        decoder: Any = None,
        hidden_units: tuple[int, ...] = (256, 128),
        code_noise: float = 0.0,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.3,
        batch_size: int = 256,
        max_steps: int = 2000,
        patience: int = 8,
        negatives: int = 1,
        seed: int = 0,
    ):
        if score not in ("mlp", "decoder") or (decoder is not None and score != "decoder"):
            raise ValueError(
                'score must be "mlp" or "decoder", and decoder must be None unless score="decoder". '
                f"Received: score={score!r}, decoder={decoder!r}"
            )
        if code_noise < 0 or min(batch_size, max_steps, patience, negatives, *hidden_units) < 1:
            raise ValueError(
                "code_noise must be at least 0, and batch_size, max_steps, patience, negatives and "
                f"hidden_units must be at least 1. Received: code_noise={code_noise}, "
                f"batch_size={batch_size}, "
                f"max_steps={max_steps}, patience={patience}, negatives={negatives}, "
                f"hidden_units={hidden_units}"
            )
        self.network, self.score, self.decoder = network, score, decoder
        self.hidden_units, self.code_noise, self.seed = tuple(hidden_units), code_noise, seed
        self.settings = {
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
            "batch_size": batch_size,
            "max_steps": max_steps,
            "patience": patience,
            "negatives": negatives,
        }
        self.progress = None  # function called with (step, maximum number of steps) at each validation
        self.history: list | None = None
        self._training: PairTraining | None = None
        self._traced: TracedScore | None = None

    def fit(self, x: Any, z: Any, *, validation: float | tuple[Any, Any] = 0.15) -> Self:
        """Fit `T` on the pairs of `x` and `z`, from newly initialised weights.

        Args:
            validation: share of the examples held out for early stopping, or `(x, z)` of other examples.

        Returns:
            this discriminator; its `history` has `(step, validation loss)` of each validation.
        """
        train, held_out = self._split(x, z, validation)
        if len(train[1]) < FEWEST or len(held_out[1]) < 2:
            raise InputError(
                f"x must contain at least {FEWEST} examples to fit on, and validation at least 2. "
                f"Received: {len(train[1])} and {len(held_out[1])}"
            )
        self._standardise_by(train[1])
        self._inputs = _layout(train[0])
        train, held_out = [(x, self._standardised(z)) for x, z in (train, held_out)]
        noise = {"noise": self.code_noise, "active": self._active, "seed": self.seed}
        with seeded(self.seed):
            decoder = self._fitted_decoder(train, held_out, noise)
            training = self._start(self._new_score(*train, decoder), *train)
        self.history = training.run(train, held_out, **noise, progress=self.progress)
        return self

    def evaluate(self, x: Any, z: Any, *, num_candidates: int | None = 256) -> dict:
        """Return the results on held-out pairs.

        Args:
            num_candidates: number of inputs among which the input of an embedding is searched, at
                most the number of examples; `None`: no search.

        Returns:
            `ld` (nats) and `auc` of matched versus mismatched pairs, from 8 derangements; `info_nce`
            (nats, a lower bound of the information, at most `log N`) and `retrieval` (top-1, share)
            of the input among `info_nce_candidates`; `n`; `mse` with `score="decoder"`.
        """
        if num_candidates is not None and num_candidates < 2:
            raise ValueError(f"num_candidates must be at least 2 or None. Received: {num_candidates=}")
        ranking = self._ranking(x, z)
        results = {**ranking.discrimination(), "n": len(ranking.embeddings)}
        if num_candidates is not None:
            results.update(ranking.ranking(num_candidates))
        if self.score == "decoder":
            results["mse"] = ranking.squared_error()
        return results

    def scores(self, x: Any, z: Any) -> np.ndarray:
        """Return `T(x_i, z_i)` of each pair, `(examples,)`."""
        return self._ranking(x, z).matched()

    def score_matrix(self, x: Any, z: Any) -> np.ndarray:
        """Return `T(x_i, z_j)` of all pairs, `(inputs, embeddings)`; memory grows with their number."""
        ranking = self._ranking(x, z)
        return ranking.matrix(np.arange(len(ranking.embeddings)))

    def _ranking(self, x, z):
        if self.history is None:
            raise ValueError("The PairDiscriminator has not been fitted. Call fit(x, z) first.")
        inputs, embeddings = _checked(x, z)
        if len(embeddings) < 2:
            raise InputError(
                f"x must contain at least 2 examples for mismatched pairs. Received: {len(embeddings)}"
            )
        if embeddings.shape[1:] != self.shape and embeddings.reshape(len(embeddings), -1).shape[1] != len(
            self._mean
        ):
            raise InputError(
                f"z must contain embeddings of shape {self.shape}, as in fit. "
                f"Received: {embeddings.shape[1:]}"
            )
        if _layout(inputs) != self._inputs:
            raise InputError(
                f"x must have the same layout as in fit, {self._inputs}. Received: {_layout(inputs)}"
            )
        noise = np.float32(self.code_noise) * self._active
        return PairRanking(self._traced, inputs, self._standardised(embeddings), noise, self.seed)

    def _split(self, x, z, validation):
        inputs, embeddings = _checked(x, z)
        if isinstance(validation, tuple):
            return (inputs, embeddings), _checked(*validation)
        if not 0 < validation < 1:
            raise ValueError(
                f"validation must be a share between 0 and 1, or (x, z). Received: {validation=}"
            )
        order = np.random.default_rng([self.seed, 0]).permutation(len(embeddings))
        number = max(1, round(len(embeddings) * validation))
        held_out, rest = np.sort(order[:number]), np.sort(order[number:])
        return (take(inputs, rest), embeddings[rest]), (take(inputs, held_out), embeddings[held_out])

    def _standardise_by(self, embeddings):
        flat = embeddings.reshape(len(embeddings), -1).astype("float64")
        mean, deviation = flat.mean(axis=0), flat.std(axis=0)
        constant = deviation <= 1e-6 * np.abs(mean)
        self.shape, self._mean = embeddings.shape[1:], mean
        self._deviation, self._active = np.where(constant, 1.0, deviation), np.float32(~constant)

    def _standardised(self, embeddings):
        flat = embeddings.reshape(len(embeddings), -1).astype("float64")
        return ((flat - self._mean) / self._deviation).astype("float32")

    def _restored(self, embeddings):
        embedding = embeddings * self._deviation.astype("float32") + self._mean.astype("float32")
        return tf.reshape(embedding, (-1, *self.shape))

    def _fitted_decoder(self, train, held_out, noise):
        """Return a decoder from standardised embeddings to flat inputs, or `None` for another score."""
        if self.score != "decoder":
            return None
        if self.decoder is not None:
            return frozen_decoder(self.decoder, self._restored, train[0]["x"].shape[1:])
        network = DecoderNetwork(*train, self.hidden_units)
        PairTraining(network, **self.settings).run(train, held_out, **noise, progress=self.progress)
        return network

    def _new_score(self, inputs, embeddings, decoder):
        if self.score == "decoder":
            return DecoderScore(inputs, embeddings, decoder, self.network, self.hidden_units[0])
        return MLPScore(inputs, embeddings, self.network, self.hidden_units)

    def _start(self, score, inputs, embeddings):
        """Return a training from the state of `score`; reuse a fitting graph, as tracing takes seconds."""
        old = None if self._training is None else self._training.score
        if self.score == "mlp" and old is not None and _shapes(old) == _shapes(score):
            for variable, new in zip(old.variables, score.variables, strict=True):
                variable.assign(new.numpy())
            old.features.vocabulary = score.features.vocabulary
        else:
            self._training = PairTraining(score, **self.settings)
            self._traced = TracedScore(score, inputs, embeddings)
        return self._training


def _layout(inputs):
    """Return a text of the shape and dtype that inputs of `fit` and `evaluate` share, for error messages."""
    values = inputs["x"]
    shape = ("length", *values.shape[2:]) if "lengths" in inputs else values.shape[1:]
    return f"examples of shape {tuple(shape)}, {values.dtype}"


def _shapes(score):
    return [tuple(variable.shape) for variable in score.variables]


def _checked(x, z):
    inputs, embeddings = as_inputs(x), np.asarray(z)
    flat = as_embedding(embeddings)
    check_lengths(x=inputs["x"], z=flat)
    return inputs, flat.reshape(embeddings.shape) if math.prod(embeddings.shape[1:]) else flat
