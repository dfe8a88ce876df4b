"""Former path and names of `keras_ae.evaluation.speech.converter_results`."""

import warnings
from typing import Any

from keras_ae.evaluation.speech.converter_results import (
    ConverterEmbeddings,
    ProbedUtterances,
    conversion_results,
    listed,
)

__all__ = [
    "Codes",
    "ProbedUtterances",
    "conversion_figures",
    "listed",
]


class Codes(ConverterEmbeddings):
    """Former name of `ConverterEmbeddings`."""

    def __init__(self, model: Any, train: Any, test: Any):
        _warn("Codes", "ConverterEmbeddings")
        super().__init__(model, train, test)

    def figures(self, seed: int = 0) -> dict[str, float]:
        """Return the result of `results`, the present name of this method."""
        return self.results(seed)


def conversion_figures(
    model: Any, train: Any, test: Any, judge: Any, *, codes: ConverterEmbeddings | None = None, **options: Any
) -> dict[str, float]:
    """Former name of `conversion_results`, with its arguments; `codes` is now `embeddings`."""
    _warn("conversion_figures", "conversion_results")
    return conversion_results(model, train, test, judge, embeddings=codes, **options)


def _warn(old, new):
    warnings.warn(
        f"keras_ae.training.voice_conversion_figures.{old} is now "
        f"keras_ae.evaluation.speech.converter_results.{new}.",
        DeprecationWarning,
        stacklevel=3,
    )
