"""Vocabulary expansion of a trained sentence model."""

import copy
from collections.abc import Iterator
from typing import Any

import keras

from keras_ae.errors import InputError
from keras_ae.evaluation.text.sentence_neighbours import word_embeddings
from keras_ae.models import CombinedSentenceEncoder, SkipThought
from keras_ae.text.vocabulary_expansion import ExpandedVocabulary, expand_vocabulary
from keras_ae.text.word_vectors import WordVectors


def with_larger_vocabulary(
    model: keras.Model, vectors: WordVectors, *, ridge: float = 0.0
) -> tuple[keras.Model, list[ExpandedVocabulary]]:
    """Return a copy of a trained model whose vocabulary also includes the words of a word-vector table.

    Each word embedding of the model is expanded by its own linear map, see `text.expand_vocabulary`.
    Vectors of sentences without new words do not change. The copy can be saved and exported like the
    model. For a `models.SkipThought`, the copy has the encoder only, because the decoders have no
    outputs for the new words.

    Args:
        model: a `SentenceModel` with a vocabulary.
        vectors: a table with many words.
        ridge: L2 penalty of the linear map.

    Returns:
        the copy (a `CombinedSentenceEncoder` for `SkipThought`), and one `ExpandedVocabulary` for each
        embedding, with the R^2 of its map.

    Raises:
        InputError: the model has no vocabulary or no embedding of it, other weights depend on the number of
            words, or `text.expand_vocabulary` raises an error.

    Example:

    >>> import numpy as np
    >>> from keras_ae.models import QuickThought
    >>> from keras_ae.networks import bag_of_words_encoder
    >>> words = [chr(code) for code in range(97, 119)]
    >>> encoders = [bag_of_words_encoder(22, 3, name=name) for name in ("f", "g")]
    >>> model = QuickThought(*encoders, vocabulary=words[:20])
    >>> table = WordVectors(words, np.random.default_rng(0).normal(size=(22, 3)))
    >>> larger, expanded = with_larger_vocabulary(model, table, ridge=1.0)
    >>> len(model.vocabulary), len(larger.vocabulary), len(expanded)
    (22, 24, 2)
    """
    if isinstance(model, SkipThought):
        shared: dict[str, Any] = {"vocabulary": model.vocabulary, "max_words": model.max_words}
        encoder: Any = CombinedSentenceEncoder([model.encoder], **shared)
        model = encoder
    layers = word_embeddings(model)
    expanded = [
        expand_vocabulary(layer.embeddings.numpy(), model.vocabulary, vectors, ridge=ridge)
        for layer in layers
    ]
    vocabulary = expanded[0].vocabulary
    config = copy.deepcopy(model.get_config())
    for part in _settings(config):
        if part.get("input_dim") == len(model.vocabulary) and "output_dim" in part:
            part["input_dim"] = len(vocabulary)
        if part.get("vocabulary") == list(model.vocabulary.words):
            part["vocabulary"] = list(vocabulary.words)
    larger = type(model).from_config(config)
    tables = {id(layer.embeddings): own.embedding for layer, own in zip(layers, expanded, strict=True)}
    for variable, before in zip(larger.variables, model.variables, strict=True):
        value = tables.get(id(before), before)
        if tuple(variable.shape) != tuple(value.shape):
            raise InputError(
                f"{type(model).__name__} does not support more words: its weight {before.path} has the shape "
                f"{tuple(before.shape)}, which depends on the number of words. Expand its encoder alone."
            )
        variable.assign(value)
    return larger, expanded


def _settings(config) -> Iterator[dict]:
    """Yield all dicts in the configuration of a model."""
    if isinstance(config, dict):
        yield config
        for part in config.values():
            yield from _settings(part)
    elif isinstance(config, list | tuple):
        for part in config:
            yield from _settings(part)
