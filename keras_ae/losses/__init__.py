"""Terms of the objectives, one function each."""

from keras_ae.losses.bit_statistics import bit_balance_loss, bit_decorrelation_loss
from keras_ae.losses.code_diversity import code_diversity_loss
from keras_ae.losses.discrete_distributions import (
    bernoulli_kl,
    bernoulli_log_prob,
    categorical_kl,
    categorical_log_prob,
    relaxed_bernoulli_log_prob,
    relaxed_categorical_log_prob,
)
from keras_ae.losses.finite_scalar_quantization import saturation_loss
from keras_ae.losses.gaussian import gaussian_kl
from keras_ae.losses.kl_to_uniform import (
    bernoulli_entropy,
    bernoulli_kl_to_uniform,
    categorical_kl_to_uniform,
)
from keras_ae.losses.lipschitz_penalty import gradient_penalty
from keras_ae.losses.lookup_free_quantization import mean_sign_kl_to_uniform, sign_entropy
from keras_ae.losses.mutual_information import donsker_varadhan, info_nce, jensen_shannon_mi
from keras_ae.losses.predictive_coding import contrastive_prediction, prediction_accuracy
from keras_ae.losses.repeated_channels import channel_correlation
from keras_ae.losses.sampled_softmax import (
    log_uniform_log_prob,
    log_uniform_words,
    sampled_cross_entropy,
)
from keras_ae.losses.sentence_context import (
    chance_loss,
    context_accuracy,
    context_masks,
    context_prediction,
)
from keras_ae.losses.total_correlation import KLDecomposition, gaussian_log_density, kl_decomposition
from keras_ae.losses.vector_quantization import codebook_loss, commitment_loss, orthogonality_loss

__all__ = [
    "KLDecomposition",
    "bernoulli_entropy",
    "bernoulli_kl",
    "bernoulli_kl_to_uniform",
    "bernoulli_log_prob",
    "bit_balance_loss",
    "bit_decorrelation_loss",
    "categorical_kl",
    "categorical_kl_to_uniform",
    "categorical_log_prob",
    "chance_loss",
    "channel_correlation",
    "code_diversity_loss",
    "codebook_loss",
    "commitment_loss",
    "context_accuracy",
    "context_masks",
    "context_prediction",
    "contrastive_prediction",
    "donsker_varadhan",
    "gaussian_kl",
    "info_nce",
    "jensen_shannon_mi",
    "gaussian_log_density",
    "gradient_penalty",
    "kl_decomposition",
    "log_uniform_log_prob",
    "log_uniform_words",
    "mean_sign_kl_to_uniform",
    "orthogonality_loss",
    "prediction_accuracy",
    "sampled_cross_entropy",
    "saturation_loss",
    "relaxed_bernoulli_log_prob",
    "relaxed_categorical_log_prob",
    "sign_entropy",
]
