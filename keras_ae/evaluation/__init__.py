"""Measures of embeddings: what they know, and what they leak."""

from keras_ae.evaluation.attribute_predictability import sap
from keras_ae.evaluation.encoding import encode_batches
from keras_ae.evaluation.factor_differences import beta_vae_score
from keras_ae.evaluation.factor_votes import factor_vae_score
from keras_ae.evaluation.importance import dci
from keras_ae.evaluation.leaks import leakage
from keras_ae.evaluation.mutual_information import mig, modularity
from keras_ae.evaluation.neighbours import knn, nearest_neighbours
from keras_ae.evaluation.pair_discriminator import PairDiscriminator
from keras_ae.evaluation.pair_measure import pair_discrimination
from keras_ae.evaluation.probes import probe
from keras_ae.evaluation.report.comparison import compare_reports
from keras_ae.evaluation.report.encoders import load_encoder
from keras_ae.evaluation.report.writing import embedding_report
from keras_ae.evaluation.sprites import Sprites

__all__ = [
    "PairDiscriminator",
    "Sprites",
    "beta_vae_score",
    "compare_reports",
    "dci",
    "embedding_report",
    "encode_batches",
    "factor_vae_score",
    "knn",
    "leakage",
    "load_encoder",
    "mig",
    "modularity",
    "nearest_neighbours",
    "pair_discrimination",
    "probe",
    "sap",
]
