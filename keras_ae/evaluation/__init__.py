"""Measures of embeddings: what they know, and what they leak."""

from keras_ae.evaluation.attribute_predictability import sap
from keras_ae.evaluation.cepstral_distance import mel_cepstral_distortion
from keras_ae.evaluation.control_rows import mean_of_words, transfer_controls
from keras_ae.evaluation.conversion_judge import ConversionJudge
from keras_ae.evaluation.encoding import encode_batches
from keras_ae.evaluation.factor_differences import beta_vae_score
from keras_ae.evaluation.factor_votes import factor_vae_score
from keras_ae.evaluation.importance import dci
from keras_ae.evaluation.labelled_sentences import LabelledSentences
from keras_ae.evaluation.larger_vocabulary import with_larger_vocabulary
from keras_ae.evaluation.leaks import leakage
from keras_ae.evaluation.mutual_information import mig, modularity
from keras_ae.evaluation.neighbours import knn, nearest_neighbours
from keras_ae.evaluation.pair_discriminator import PairDiscriminator
from keras_ae.evaluation.pair_measure import pair_discrimination
from keras_ae.evaluation.probes import probe
from keras_ae.evaluation.report.comparison import compare_reports
from keras_ae.evaluation.report.encoders import load_encoder
from keras_ae.evaluation.report.writing import embedding_report
from keras_ae.evaluation.sentence_neighbours import nearest_sentences, nearest_words, trained_word_vectors
from keras_ae.evaluation.sentence_task import SentenceTask
from keras_ae.evaluation.sentence_task_files import load_sentence_tasks
from keras_ae.evaluation.sentence_transfer import transfer
from keras_ae.evaluation.sprites import Sprites
from keras_ae.evaluation.variance_ratio import global_variance_ratio
from keras_ae.evaluation.verification import equal_error_rate
from keras_ae.evaluation.vocoding import copy_synthesis, vocode

__all__ = [
    "ConversionJudge",
    "LabelledSentences",
    "PairDiscriminator",
    "SentenceTask",
    "Sprites",
    "beta_vae_score",
    "compare_reports",
    "copy_synthesis",
    "dci",
    "embedding_report",
    "encode_batches",
    "equal_error_rate",
    "factor_vae_score",
    "global_variance_ratio",
    "knn",
    "leakage",
    "load_encoder",
    "load_sentence_tasks",
    "mean_of_words",
    "mel_cepstral_distortion",
    "mig",
    "modularity",
    "nearest_neighbours",
    "nearest_sentences",
    "nearest_words",
    "pair_discrimination",
    "probe",
    "sap",
    "transfer",
    "trained_word_vectors",
    "transfer_controls",
    "vocode",
    "with_larger_vocabulary",
]
