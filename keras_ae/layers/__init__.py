"""Layers that drop into any Keras model."""

from keras_ae.layers.adain import AdaIN
from keras_ae.layers.add_channel import AddChannel
from keras_ae.layers.add_condition import AddCondition
from keras_ae.layers.augment_reinforce_merge import AugmentReinforceMerge
from keras_ae.layers.binary_bottleneck import BinaryBottleneck
from keras_ae.layers.bottleneck import Bottleneck
from keras_ae.layers.causal_transformer_block import CausalTransformerBlock
from keras_ae.layers.cepstral_coefficients import CepstralCoefficients
from keras_ae.layers.distinct_words import DistinctWords
from keras_ae.layers.finite_scalar_quantizer import FiniteScalarQuantizer
from keras_ae.layers.frame_normalization import FrameNormalization
from keras_ae.layers.gaussian_bottleneck import GaussianBottleneck
from keras_ae.layers.global_variance import GlobalVariance
from keras_ae.layers.gradient_reversal import GradientReversal
from keras_ae.layers.gru_decoder import GRUDecoder
from keras_ae.layers.gru_step import GRUStep
from keras_ae.layers.gumbel_one_hot import GumbelOneHot
from keras_ae.layers.instance_normalization import InstanceNormalization
from keras_ae.layers.linear_dependence import LinearDependence
from keras_ae.layers.log_mel_spectrogram import LogMelSpectrogram
from keras_ae.layers.lookup_free_quantizer import LookupFreeQuantizer
from keras_ae.layers.masked_average_pooling1d import MaskedAveragePooling1D
from keras_ae.layers.masked_batch_normalization import MaskedBatchNormalization
from keras_ae.layers.masked_conv1d import MaskedConv1D
from keras_ae.layers.masked_conv1d_transpose import MaskedConv1DTranspose
from keras_ae.layers.mfcc import MFCC
from keras_ae.layers.mutual_information_network import MutualInformationNetwork
from keras_ae.layers.pixel_shuffle1d import PixelShuffle1D
from keras_ae.layers.repeat_frames import RepeatFrames
from keras_ae.layers.residual_vector_quantizer import ResidualVectorQuantizer
from keras_ae.layers.score_function import ScoreFunction
from keras_ae.layers.segment_means import SegmentMeans
from keras_ae.layers.sentence_gru import SentenceGRU
from keras_ae.layers.spatial_broadcast import SpatialBroadcast
from keras_ae.layers.spec_augment import SpecAugment
from keras_ae.layers.spectral_perturbation import SpectralPerturbation
from keras_ae.layers.step_predictors import StepPredictors
from keras_ae.layers.time_jitter import TimeJitter
from keras_ae.layers.vector_quantizer import VectorQuantizer
from keras_ae.layers.voice_perturbation import VoicePerturbation
from keras_ae.layers.waveform_noise import WaveformNoise
from keras_ae.layers.word_dropout import WordDropout
from keras_ae.layers.word_ids import WordIds
from keras_ae.layers.word_pooling import WordPooling
from keras_ae.layers.word_softmax import WordSoftmax

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
    "TimeJitter",
    "VectorQuantizer",
    "VoicePerturbation",
    "WaveformNoise",
    "WordDropout",
    "WordIds",
    "WordPooling",
    "WordSoftmax",
]
