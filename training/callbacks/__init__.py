"""Callbacks for every Keras model that is trained by `fit`."""

import warnings

from keras_ae.training.callbacks.best_model import BestModel
from keras_ae.training.callbacks.codebook_monitor import CodebookMonitor
from keras_ae.training.callbacks.conversion_examples import ConversionExamples
from keras_ae.training.callbacks.epoch_progress import EpochProgress
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.callbacks.interpolation_grid import InterpolationGrid
from keras_ae.training.callbacks.latent_traversal import LatentTraversal
from keras_ae.training.callbacks.reconstruction_grid import ReconstructionGrid
from keras_ae.training.callbacks.run_state import RunState
from keras_ae.training.callbacks.sample_grid import SampleGrid
from keras_ae.training.callbacks.score_histogram import ScoreHistogram
from keras_ae.training.callbacks.sentence_examples import SentenceExamples
from keras_ae.training.callbacks.speech_examples import SpeechExamples
from keras_ae.training.callbacks.training_facts import TrainingFacts
from keras_ae.training.callbacks.variable_schedule import VariableSchedule

__all__ = [
    "BestModel",
    "CodebookMonitor",
    "ConversionExamples",
    "EpochProgress",
    "FigureCallback",
    "InterpolationGrid",
    "LatentTraversal",
    "ReconstructionGrid",
    "RunState",
    "SampleGrid",
    "ScoreHistogram",
    "SentenceExamples",
    "SpeechExamples",
    "TrainingFacts",
    "VariableSchedule",
]


def __getattr__(name):
    if name == "CodebookUsage":  # its former name, which `keras_ae.metrics` has too
        warnings.warn(
            "keras_ae.training.callbacks.CodebookUsage is now CodebookMonitor.",
            DeprecationWarning,
            stacklevel=2,
        )
        return CodebookMonitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
