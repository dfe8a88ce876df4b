"""Models, to be trained with `model.fit`."""

from keras_ae.models.adversarial_disentangler import AdversarialDisentangler
from keras_ae.models.adversary import Adversary
from keras_ae.models.auto_encoder import AutoEncoder
from keras_ae.models.base import BaseModel, Player
from keras_ae.models.contrastive.contrastive_predictive_coding import ContrastivePredictiveCoding
from keras_ae.models.contrastive.deep_info_max import DeepInfoMax
from keras_ae.models.discrete.code_prior import CodePrior
from keras_ae.models.discrete.discrete_variational_auto_encoder import DiscreteVariationalAutoEncoder
from keras_ae.models.discrete.generative_auto_encoder import GenerativeAutoEncoder
from keras_ae.models.discrete.two_level_auto_encoder import TwoLevelAutoEncoder
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.gaussian_mixture_sampler import GaussianMixtureSampler
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.models.speech.adain_voice_converter import AdaINVoiceConverter
from keras_ae.models.speech.adversarial_voice_converter import AdversarialVoiceConverter
from keras_ae.models.speech.speech_auto_encoder import SpeechAutoEncoder
from keras_ae.models.speech.voice_converter import VoiceConverter
from keras_ae.models.stages import Stage
from keras_ae.models.text.combined_sentence_encoder import CombinedSentenceEncoder
from keras_ae.models.text.quick_thought import QuickThought
from keras_ae.models.text.sentence_model import SentenceModel
from keras_ae.models.text.skip_thought import SkipThought
from keras_ae.models.total_correlation_variational_auto_encoder import (
    TotalCorrelationVariationalAutoEncoder,
)
from keras_ae.models.variational_auto_encoder import VariationalAutoEncoder

__all__ = [
    "AdaINVoiceConverter",
    "AdversarialDisentangler",
    "AdversarialVoiceConverter",
    "Adversary",
    "AutoEncoder",
    "BaseModel",
    "CodePrior",
    "CombinedSentenceEncoder",
    "ContrastivePredictiveCoding",
    "DeepInfoMax",
    "DiscreteVariationalAutoEncoder",
    "Endpoint",
    "GaussianMixtureSampler",
    "GenerativeAutoEncoder",
    "Player",
    "Preprocessing",
    "QuickThought",
    "SentenceModel",
    "SkipThought",
    "SpeechAutoEncoder",
    "Stage",
    "TotalCorrelationVariationalAutoEncoder",
    "TwoLevelAutoEncoder",
    "VariationalAutoEncoder",
    "VoiceConverter",
]
