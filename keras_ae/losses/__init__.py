"""Terms of the objectives, one function each."""

from keras_ae.losses.commitment_loss import codebook_loss, commitment_loss
from keras_ae.losses.gaussian_kl import gaussian_kl
from keras_ae.losses.kl_to_uniform import (
    bernoulli_entropy,
    bernoulli_kl_to_uniform,
    categorical_kl_to_uniform,
)

__all__ = [
    "bernoulli_entropy",
    "bernoulli_kl_to_uniform",
    "categorical_kl_to_uniform",
    "codebook_loss",
    "commitment_loss",
    "gaussian_kl",
]
