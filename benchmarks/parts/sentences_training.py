"""Trainings of sentence embeddings, and what their vectors are worth."""

import time
from dataclasses import replace

import numpy as np

from keras_ae.evaluation import transfer, transfer_controls
from keras_ae.evaluation.text.transfer import cosines
from keras_ae.models import CombinedSentenceEncoder
from keras_ae.networks import bag_of_words_encoder
from keras_ae.training.datasets import SentenceData, load_text
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import load_model
from parts.sentences_settings import PAIRED, POOLED, RANDOM_PAIRS
from parts.voice_conversion_training import KeptEpoch


def load_books(folder, settings) -> SentenceData:
    """All training novels; the validation novels are the held-out text."""
    text = load_text(folder, sentence_per_line=settings["sentence_per_line"], test_fraction=0.0)
    text = replace(text, test=text.validation)
    return SentenceData.of(text, settings["vocabulary_size"], settings["min_count"])


def train(name, settings, data, seed):
    """`(recipe, model with the weights that are kept, results)` of one training."""
    recipe = RECIPES[name](seed=seed, **settings)
    recipe.start_vectors(data)  # its minutes are not those of the training
    begun = time.process_time()
    stream = recipe.training_batches(data)
    model = recipe.build(data, stream.steps_per_epoch)
    kept = KeptEpoch(stream, recipe.monitor)
    validation = recipe.validation_batches(data)
    fit = {"epochs": recipe.epochs, "shuffle": False, "verbose": 2}
    model.fit(stream.dataset, callbacks=[kept], validation_data=validation, **fit)
    model.set_weights(kept.weights)
    results = {"epoch": kept.epoch, "training_minutes": (time.process_time() - begun) / 60}
    return recipe, model, results | {key: float(value) for key, value in kept.validation.items()}


def results_of(name, settings, data, seed, tasks, path) -> dict:
    """Validation results and transfer of one training, whose model is kept at `path`."""
    _, model, results = train(name, settings, data, seed)
    model.save(path)
    return results | {"example": example(model, data), "transfer": transfer(model, tasks)}


def perplexity_without(name, settings, data, seed) -> dict:
    """Validation results of decoders that are conditioned on nothing."""
    return train(name, settings, data, seed)[2]


def combined(recipe, data, channels, tasks) -> dict:
    """Transfer of channels side by side: files of trained models, `POOLED` word vectors."""
    table = recipe.start_vectors(data).rows(data.vocabulary)
    options = {"vocabulary_size": len(data.vocabulary), "word_vectors": table}
    model = CombinedSentenceEncoder(
        [
            bag_of_words_encoder(pooling=one, name=one, **options) if one in POOLED else load_model(one)
            for one in channels
        ]
    )
    return {"example": example(model, data), "transfer": transfer(model, tasks)}


def controls(recipe, data, tasks) -> dict:
    """Rows without training: `{row: {task: results}}`."""
    untrained = recipe.build_model(data, 1)
    return {"rows": transfer_controls(tasks, word_vectors=recipe.start_vectors(data), untrained=untrained)}


def example(model, data) -> float:
    """Share of random pairs of validation sentences that are less alike than the two questions."""
    sentences = data.validation.sentences(np.arange(len(data.validation)))
    rows = np.random.default_rng(0).integers(0, len(sentences), (2, RANDOM_PAIRS))
    vectors = model.encode([*PAIRED, *sentences])
    alike = cosines(vectors[:1], vectors[1:2])[0]
    return float(np.mean(cosines(vectors[2:][rows[0]], vectors[2:][rows[1]]) < alike))
