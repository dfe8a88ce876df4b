"""Text outside of models: tokens, vocabularies, word vectors."""

from keras_ae.text.sums_of_vectors import scaled_for_sums
from keras_ae.text.tf_tokenizer import tokens
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.vocabulary import Vocabulary
from keras_ae.text.vocabulary_expansion import ExpandedVocabulary, expand_vocabulary
from keras_ae.text.word_vectors import WordVectors

__all__ = [
    "ExpandedVocabulary",
    "Vocabulary",
    "WordVectors",
    "expand_vocabulary",
    "scaled_for_sums",
    "tokenize",
    "tokens",
]
