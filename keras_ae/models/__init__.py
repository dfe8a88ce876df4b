"""The models: what `model.fit` trains."""

from keras_ae.models.adain_voice_converter import AdaINVoiceConverter
from keras_ae.models.adversarial_disentangler import AdversarialDisentangler
from keras_ae.models.adversarial_voice_converter import AdversarialVoiceConverter
from keras_ae.models.adversary import Adversary
from keras_ae.models.auto_encoder import AutoEncoder
from keras_ae.models.base import BaseModel, Player
from keras_ae.models.code_prior import CodePrior
from keras_ae.models.combined_sentence_encoder import CombinedSentenceEncoder
from keras_ae.models.contrastive_predictive_coding import ContrastivePredictiveCoding
from keras_ae.models.deep_info_max import DeepInfoMax
from keras_ae.models.discrete_variational_auto_encoder import DiscreteVariationalAutoEncoder
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.generative_auto_encoder import GenerativeAutoEncoder
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.models.quick_thought import QuickThought
from keras_ae.models.sentence_model import SentenceModel
from keras_ae.models.skip_thought import SkipThought
from keras_ae.models.speech_auto_encoder import SpeechAutoEncoder
from keras_ae.models.stages import Stage
from keras_ae.models.total_correlation_variational_auto_encoder import (
    TotalCorrelationVariationalAutoEncoder,
)
from keras_ae.models.two_level_auto_encoder import TwoLevelAutoEncoder
from keras_ae.models.variational_auto_encoder import VariationalAutoEncoder
from keras_ae.models.voice_converter import VoiceConverter

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
