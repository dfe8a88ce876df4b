"""Layers that drop into any Keras model."""

from keras_ae.layers.add_condition import AddCondition
from keras_ae.layers.bottlenecks.augment_reinforce_merge import AugmentReinforceMerge
from keras_ae.layers.bottlenecks.binary_bottleneck import BinaryBottleneck
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.layers.bottlenecks.finite_scalar_quantizer import FiniteScalarQuantizer
from keras_ae.layers.bottlenecks.gaussian_bottleneck import GaussianBottleneck
from keras_ae.layers.bottlenecks.gumbel_one_hot import GumbelOneHot
from keras_ae.layers.bottlenecks.lookup_free_quantizer import LookupFreeQuantizer
from keras_ae.layers.bottlenecks.residual_vector_quantizer import ResidualVectorQuantizer
from keras_ae.layers.bottlenecks.score_function import ScoreFunction
from keras_ae.layers.bottlenecks.vector_quantizer import VectorQuantizer
from keras_ae.layers.causal_transformer_block import CausalTransformerBlock
from keras_ae.layers.gradient_reversal import GradientReversal
from keras_ae.layers.linear_dependence import LinearDependence
from keras_ae.layers.masked.adain import AdaIN
from keras_ae.layers.masked.add_channel import AddChannel
from keras_ae.layers.masked.instance_normalization import InstanceNormalization
from keras_ae.layers.masked.masked_average_pooling1d import MaskedAveragePooling1D
from keras_ae.layers.masked.masked_batch_normalization import MaskedBatchNormalization
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D
from keras_ae.layers.masked.masked_conv1d_transpose import MaskedConv1DTranspose
from keras_ae.layers.masked.pixel_shuffle1d import PixelShuffle1D
from keras_ae.layers.masked.repeat_frames import RepeatFrames
from keras_ae.layers.masked.segment_means import SegmentMeans
from keras_ae.layers.mutual_information_network import MutualInformationNetwork
from keras_ae.layers.spatial_broadcast import SpatialBroadcast
from keras_ae.layers.speech.cepstral_coefficients import CepstralCoefficients
from keras_ae.layers.speech.frame_normalization import FrameNormalization
from keras_ae.layers.speech.global_variance import GlobalVariance
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram
from keras_ae.layers.speech.mfcc import MFCC
from keras_ae.layers.speech.spec_augment import SpecAugment
from keras_ae.layers.speech.spectral_perturbation import SpectralPerturbation
from keras_ae.layers.speech.time_jitter import TimeJitter
from keras_ae.layers.speech.voice_perturbation import VoicePerturbation
from keras_ae.layers.speech.waveform_noise import WaveformNoise
from keras_ae.layers.step_predictors import StepPredictors
from keras_ae.layers.tables.table_features import TableFeatures
from keras_ae.layers.tables.table_likelihood import TableLikelihood
from keras_ae.layers.text.distinct_words import DistinctWords
from keras_ae.layers.text.gru_decoder import GRUDecoder
from keras_ae.layers.text.gru_step import GRUStep
from keras_ae.layers.text.sentence_gru import SentenceGRU
from keras_ae.layers.text.word_dropout import WordDropout
from keras_ae.layers.text.word_ids import WordIds
from keras_ae.layers.text.word_pooling import WordPooling
from keras_ae.layers.text.word_softmax import WordSoftmax

__all__ = [
    "AdaIN",
    "AddCondition",
    "AddChannel",
    "AugmentReinforceMerge",
    "BinaryBottleneck",
    "Bottleneck",
    "CausalTransformerBlock",
    "CepstralCoefficients",
    "DistinctWords",
    "FiniteScalarQuantizer",
    "FrameNormalization",
    "GaussianBottleneck",
    "GlobalVariance",
    "GradientReversal",
    "GRUDecoder",
    "GRUStep",
    "GumbelOneHot",
    "InstanceNormalization",
    "LinearDependence",
    "LogMelSpectrogram",
    "LookupFreeQuantizer",
    "MaskedAveragePooling1D",
    "MaskedBatchNormalization",
    "MaskedConv1D",
    "MaskedConv1DTranspose",
    "MFCC",
    "MutualInformationNetwork",
    "PixelShuffle1D",
    "RepeatFrames",
    "ResidualVectorQuantizer",
    "ScoreFunction",
    "SegmentMeans",
    "SentenceGRU",
    "SpatialBroadcast",
    "SpecAugment",
    "SpectralPerturbation",
    "StepPredictors",
    "TableFeatures",
    "TableLikelihood",
    "TimeJitter",
    "VectorQuantizer",
    "VoicePerturbation",
    "WaveformNoise",
    "WordDropout",
    "WordIds",
    "WordPooling",
    "WordSoftmax",
]
