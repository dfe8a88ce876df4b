"""Callback that writes example sentences for the report of a run."""

from typing import Any

import keras
import numpy as np

from keras_ae.evaluation import nearest_sentences, nearest_words
from keras_ae.evaluation.attempts import attempt
from keras_ae.training.report.examples import SentenceReading, write_reading

MOST_SENTENCES = 5_000  # among which neighbours are searched
SHORTEST, LONGEST = 4, 25  # words of the sentences that are shown
NEIGHBOURS = 5
FIRST_WORD = 100  # rank in the vocabulary: more frequent words are not informative
BETWEEN = 5  # number of steps from one sentence to another


class SentenceExamples(keras.callbacks.Callback):
    """Callback that writes nearest neighbours of sentences and words to `reading.json` after the training.

    Sentences are drawn from the test documents, their neighbours from the training documents. For a model
    that decodes (`models.SkipThought`), interpolations between two sentences are also written.

    Args:
        data: `SentenceData`.
        directory: the run directory.
        examples: number of sentences and of words.
        seed: seed of the draw of sentences.
    """

    def __init__(self, data: Any, directory: Any, *, examples: int = 8, seed: int = 0):
        super().__init__()
        self.data = data
        self.directory = str(directory)
        self.examples = examples
        self.seed = seed

    def on_train_end(self, logs: dict | None = None) -> None:
        attempt(f"examples of {type(self).__name__}", self._write)

    def _write(self):
        queries = self._drawn(self.data.test, self.examples)
        others = self._drawn(self.data.train, MOST_SENTENCES)
        others = [sentence for sentence in others if sentence not in queries]
        sentences, words = [], []
        if queries and others:
            near = nearest_sentences(self.model, queries, others, NEIGHBOURS)
            sentences = list(zip(queries, near, strict=True))
        chosen = self._words()
        if chosen:
            words = list(zip(chosen, nearest_words(self.model, chosen, NEIGHBOURS), strict=True))
        write_reading(self.directory, SentenceReading(sentences, words, self._between(queries)))

    def _drawn(self, split, number):
        """Draw different sentences of 4 to 25 words."""
        fit = np.flatnonzero((split.words >= SHORTEST) & (split.words <= LONGEST))
        rows = np.random.default_rng([self.seed, 13]).permutation(fit)[:number]
        return list(dict.fromkeys(split.sentences(np.sort(rows))))

    def _words(self):
        """Return words that consist of letters, spaced evenly in log rank from frequent to rare."""
        words = [word for word in self.data.vocabulary.words if word.isalpha()]
        first = min(FIRST_WORD, len(words) // 2)
        places = np.geomspace(first + 1, len(words), self.examples) - 1 if words else ()
        return list(dict.fromkeys(words[int(place)] for place in places))

    def _between(self, queries):
        """Return the decoded sentences on the path from one sentence to the next."""
        if len(queries) < 2 or not hasattr(self.model, "decode"):
            return []
        pairs = zip(queries[::2], queries[1::2], strict=False)
        return [(a, b, list(self.model.interpolate(a, b, steps=BETWEEN))) for a, b in pairs]
