"""Measures of embeddings: the information that they contain, and the information that they leak."""

from keras_ae.evaluation.disentanglement.beta_vae_score import beta_vae_score
from keras_ae.evaluation.disentanglement.dci import dci
from keras_ae.evaluation.disentanglement.factor_vae_score import factor_vae_score
from keras_ae.evaluation.disentanglement.mig import mig, modularity
from keras_ae.evaluation.disentanglement.sap import sap
from keras_ae.evaluation.disentanglement.sprites import Sprites
from keras_ae.evaluation.encoders.encoding import encode_batches
from keras_ae.evaluation.encoders.loading import load_encoder
from keras_ae.evaluation.pairs.pair_discrimination import pair_discrimination
from keras_ae.evaluation.pairs.pair_discriminator import PairDiscriminator
from keras_ae.evaluation.probes.leakage import leakage
from keras_ae.evaluation.probes.neighbours import knn, nearest_neighbours
from keras_ae.evaluation.probes.probe import probe
from keras_ae.evaluation.report.embedding_report import embedding_report
from keras_ae.evaluation.report.page.comparison import compare_reports
from keras_ae.evaluation.speech.conversion_judge import ConversionJudge
from keras_ae.evaluation.speech.distortion import global_variance_ratio, mel_cepstral_distortion
from keras_ae.evaluation.speech.speaker_verification import equal_error_rate
from keras_ae.evaluation.speech.vocoding import copy_synthesis, vocode
from keras_ae.evaluation.text.larger_vocabulary import with_larger_vocabulary
from keras_ae.evaluation.text.sentence_neighbours import (
    nearest_sentences,
    nearest_words,
    trained_word_vectors,
)
from keras_ae.evaluation.text.sentence_tasks import LabelledSentences, SentenceTask, load_sentence_tasks
from keras_ae.evaluation.text.transfer import transfer
from keras_ae.evaluation.text.transfer_controls import mean_of_words, transfer_controls

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
