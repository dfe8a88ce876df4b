"""Former path of `keras_ae.evaluation.speech.converter_codes`."""

from keras_ae.evaluation.speech.converter_codes import (
    Codes,
    ProbedUtterances,
    conversion_figures,
    listed,
)

__all__ = [
    "Codes",
    "ProbedUtterances",
    "conversion_figures",
    "listed",
]
