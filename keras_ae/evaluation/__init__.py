"""Measures of embeddings: what they know, and what they leak."""

from keras_ae.evaluation.attribute_predictability import sap
from keras_ae.evaluation.factor_differences import beta_vae_score
from keras_ae.evaluation.factor_votes import factor_vae_score
from keras_ae.evaluation.importance import dci
from keras_ae.evaluation.mutual_information import mig, modularity
from keras_ae.evaluation.sprites import Sprites

__all__ = [
    "Sprites",
    "beta_vae_score",
    "dci",
    "factor_vae_score",
    "mig",
    "modularity",
    "sap",
]
