"""Data of a report: training and held-out examples, their embeddings and their factors."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_ae.errors import InputError, require
from keras_ae.evaluation._factor_values import as_factor
from keras_ae.evaluation.disentanglement.factor_table import factor_columns
from keras_ae.evaluation.encoders.examples import Examples, mean_and_deviation
from keras_ae.evaluation.encoders.loading import LoadedEncoder, embeddings_of
from keras_ae.evaluation.report.sections.visual import shrunk
from keras_ae.evaluation.report.settings import ReportSettings

MOST_COMPONENTS, MOST_VARIANCE = 64, 0.95


@dataclass(frozen=True)
class Material:
    """Training and test examples with their embeddings.

    Attributes:
        encoder: the encoder of the examples.
        train, test: the examples to fit on, and to measure on.
        z_train, z_test: their embeddings `(examples, features)`.
        shape: shape of one embedding before it was flattened or pooled.
        factors: `{name: (training values, test values)}` that the embedding should contain.
        nuisances: the same for values that it should not contain.
        settings: `ReportSettings`.
    """

    encoder: LoadedEncoder
    train: Examples
    test: Examples
    z_train: np.ndarray
    z_test: np.ndarray
    shape: tuple[int, ...]
    factors: dict
    nuisances: dict
    settings: ReportSettings

    @cached_property
    def vocabulary(self) -> dict[str, int] | None:
        """Vocabulary of the training texts; `None` for other kinds of examples."""
        return self.train.vocabulary()

    @cached_property
    def inputs(self) -> tuple:
        """Inputs of a pair discriminator, for the training and the test examples."""
        return tuple(self._pair_inputs(part) for part in (self.train, self.test))

    def _pair_inputs(self, part):
        inputs, side = part.pair_inputs(self.vocabulary), self.settings.pair_side
        return shrunk(inputs, side) if side and part.kind == "images" else inputs

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Principal components of the inputs as a control, as many as the embedding has features.

        There are at most 64, and at most as many as explain 95 % of the variance.
        """
        decomposition = require("sklearn.decomposition", extra="evaluation")
        train, test = (part.features(self.vocabulary) for part in (self.train, self.test))
        number = min(self.z_train.shape[1], MOST_COMPONENTS, *train.shape)
        pca = decomposition.PCA(number, random_state=0).fit(train)
        # components with almost no variance become noise when they are standardised
        kept = int((np.cumsum(pca.explained_variance_ratio_) < MOST_VARIANCE).sum()) + 1
        return pca.transform(train)[:, :kept], pca.transform(test)[:, :kept]

    @property
    def control(self) -> str:
        """Name of the control `components`."""
        return f"PCA-{self.components[0].shape[1]}"

    def classes(self) -> dict:
        """Return the factors and nuisances that are classes."""
        both = {**self.factors, **self.nuisances}
        return {name: values for name, values in both.items() if values[0].dtype.kind != "f"}


def gather(
    encoder: LoadedEncoder, data: Any, factors: Any, nuisances: Any, test: Any, settings: ReportSettings
) -> Material:
    """Split and encode the data, and separate factors from nuisances.

    Args:
        encoder: the result of `load_encoder`.
        data, factors, nuisances, test, settings: as in `embedding_report`.
    """
    rate = None if encoder.preprocessing is None else encoder.preprocessing.sample_rate
    examples, factors = _examples(data, rate), as_factors(factors)
    if isinstance(nuisances, dict):
        factors, unwanted = {**factors, **as_factors(nuisances)}, list(nuisances)
    else:
        unwanted = [nuisances] if isinstance(nuisances, str) else list(nuisances or ())
    unknown = [name for name in unwanted if name not in factors]
    if unknown:
        raise InputError(f"nuisances must be names of factors, {sorted(factors)}. Received: {unknown}")
    for name, values in factors.items():
        if len(values) != len(examples):
            raise InputError(
                f"Factor {name!r} must have one value per example. "
                f"Received: {len(values)} values, {len(examples)} examples"
            )
    train, test = _parts(examples, factors, test, settings, rate)
    z_train, shape = _embeddings(encoder, train[0], settings)
    z_test, _ = _embeddings(encoder, test[0], settings)
    pairs = {name: (train[1][name], test[1][name]) for name in factors}
    return Material(
        encoder,
        train[0],
        test[0],
        z_train,
        z_test,
        shape,
        {name: pair for name, pair in pairs.items() if name not in unwanted},
        {name: pairs[name] for name in unwanted},
        settings,
    )


def as_factors(factors: Any) -> dict[str, np.ndarray]:
    """Return `{name: values (examples,)}` of a dict, an array, or the columns of an array.

    Example:

    >>> sorted(as_factors(np.zeros((3, 2), int))), list(as_factors([1, 2]))
    (['factor 1', 'factor 2'], ['label'])
    """
    if factors is None:
        return {}
    return {name: as_factor(values, name) for name, values in factor_columns(factors).items()}


def _examples(data, rate):
    """Return `Examples` with their own sample rate, or that of the encoder if they have none."""
    return Examples(data, getattr(data, "sample_rate", None) or rate)


def _parts(examples, factors, test, settings, rate):
    """Return `(examples, factors)` to fit on and to measure on, limited to the sizes in the settings."""
    generator = np.random.default_rng([settings.seed, 7])
    if test is None:
        order = generator.permutation(len(examples))
        held_out = max(1, round(settings.test_fraction * len(order)))
        parts = [(examples, factors, order[held_out:]), (examples, factors, order[:held_out])]
    else:
        other, values = test if isinstance(test, tuple) else (test, None)
        other, values = _examples(other, rate), as_factors(values)
        if set(values) != set(factors):
            raise InputError(
                f"test must contain values of the factors {sorted(factors)}. Received: {sorted(values)}"
            )
        parts = [(examples, factors, np.arange(len(examples))), (other, values, np.arange(len(other)))]
    limits = (settings.max_examples, settings.max_test)
    chosen = []
    for (part, values, rows), limit in zip(parts, limits, strict=True):
        rows = np.sort(generator.permutation(rows)[:limit])
        chosen.append((part.take(rows), {name: array[rows] for name, array in values.items()}))
    return chosen


def _embeddings(encoder, examples, settings):
    """Return `(z (examples, features), shape of one embedding)`."""
    pool = settings.pool
    z = embeddings_of(encoder, examples, pool)
    if pool != "none" and encoder.pooled is not None:
        return z, np.shape(encoder.embed(examples.take(np.arange(1)).data))[1:]
    shape = z.shape[1:]
    if pool == "auto":
        pool = "mean_and_deviation" if examples.lengths is not None and z.ndim == 3 else "none"
    if pool == "none" or z.ndim < 3:
        return z.reshape(len(z), -1), shape
    lengths = np.full(len(z), z.shape[1])
    if examples.lengths is not None:
        lengths = np.ceil(examples.lengths * z.shape[1] / examples.array.shape[1])
    pooled = mean_and_deviation(z.reshape(*z.shape[:2], -1), lengths)
    return (pooled if pool == "mean_and_deviation" else pooled[:, : pooled.shape[1] // 2]), shape
