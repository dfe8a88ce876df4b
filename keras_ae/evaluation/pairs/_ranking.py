"""Held-out results of a fitted score of pairs."""

import math

import numpy as np
import tensorflow as tf  # traced blocks of pairs

from keras_ae.errors import require

FEATURE_BATCH = 512  # inputs per batch of the feature networks
OFFSETS = 8  # mismatched pairs per example
MOST_GROUPS = 8  # largest number of ranked groups of candidates
BLOCK_FLOATS = 2**22  # floats of pairs in memory at a time: 16 MiB


class TracedScore:
    """Functions of a score as graphs, reused as long as the score exists, because tracing takes seconds.

    Args:
        score: `MLPScore` or `DecoderScore`.
        inputs, embeddings: examples, which determine shapes and dtypes.
    """

    def __init__(self, score, inputs, embeddings):
        self.score = score
        free = 2 if "lengths" in inputs else 1  # axes of any size: the batch, and the length
        x = _specs({name: tf.constant(values[:2]) for name, values in inputs.items()}, free)
        z = _specs(tf.constant(embeddings[:2]))
        self.input_features = tf.function(score.input_features, input_signature=[x])
        self.embedding_features = tf.function(score.embedding_features, input_signature=[z])
        features = [_specs(self.input_features.get_concrete_function().structured_outputs)]
        features.append(_specs(self.embedding_features.get_concrete_function().structured_outputs))
        self.pairs = tf.function(score.pairs, input_signature=features)
        self.matrix = tf.function(score.matrix, input_signature=features)


def _specs(tensors, free=1):
    def spec(tensor):
        shape = tensor.shape.as_list()
        return tf.TensorSpec([None] * min(free, len(shape)) + shape[free:], tensor.dtype)

    return tf.nest.map_structure(spec, tensors)


class PairRanking:
    """Fitted score on held-out examples, with the features of each example computed once.

    Args:
        traced: `TracedScore`.
        inputs, embeddings: the held-out examples.
        noise: `(features,)`, standard deviation of the noise on the embeddings.
        seed: seed of pairs, groups and noise.
    """

    def __init__(self, traced, inputs, embeddings, noise, seed=0):
        self.traced, self.score = traced, traced.score
        self.noise, self.embeddings = noise, tf.constant(embeddings)
        self.generator = np.random.default_rng([seed, 4])
        self.inputs = _in_batches(
            traced.input_features, {name: tf.constant(value) for name, value in inputs.items()}
        )

    def discrimination(self) -> dict:
        """Return `{"ld", "auc"}` over all matched pairs and several derangements."""
        number = len(self.embeddings)
        offsets = 1 + self.generator.choice(number - 1, min(OFFSETS, number - 1), replace=False)
        matched, mismatched, embeddings = [], [], None
        for offset in offsets:
            if embeddings is None or np.any(self.noise):  # draw new noise for each derangement
                embeddings = self._embeddings()
                matched.append(self.traced.pairs(self.inputs, embeddings).numpy())
            order = self.generator.permutation(number)
            partner = np.empty_like(order)
            partner[order] = np.roll(order, offset)  # roll within a new random order
            mismatched.append(self.traced.pairs(self.inputs, tf.gather(embeddings, partner)).numpy())
        loss = float(self.score.loss(np.asarray(matched, "float64"), np.asarray(mismatched, "float64")))
        truth = np.repeat([1, 0], [np.size(matched), np.size(mismatched)])
        auc = require("sklearn.metrics", extra="evaluation").roc_auc_score(
            truth, np.concatenate([np.ravel(matched), np.ravel(mismatched)])
        )
        return {"ld": loss, "auc": float(auc)}

    def ranking(self, candidates) -> dict:
        """Return `{"info_nce", "retrieval", "info_nce_candidates"}` of finding `x` by `z` among candidates.

        ```
        info_nce = log N - mean_j -log softmax_i T(x_i, z_j) [i = j]      nats, at most log N
        retrieval = share of j for which T(x_j, z_j) is the largest of T(x_i, z_j)
        ```
        """
        number = len(self.embeddings)
        size = min(candidates, number)
        order, embeddings = self.generator.permutation(number), self._embeddings()
        starts = [*range(0, number - size + 1, size)][:MOST_GROUPS]
        if number % size and len(starts) < MOST_GROUPS:
            starts.append(number - size)  # the last examples, overlapping the previous group
        parts = [self._group(order[start : start + size], embeddings) for start in starts]
        log_likelihood, first = np.mean(np.concatenate(parts, axis=1), axis=1)
        return {
            "info_nce": float(math.log(size) + log_likelihood),
            "retrieval": float(first),
            "info_nce_candidates": size,
        }

    def squared_error(self):
        """Return the mean squared error of the score's decoder."""
        return self.score.squared_error(self.inputs, self._embeddings())

    def matched(self):
        """Return `T(x_i, z_i)`, `(examples,)`."""
        return self.traced.pairs(self.inputs, self._embeddings()).numpy()

    def _embeddings(self):
        drawn = 0.0
        if np.any(self.noise):
            drawn = self.noise * self.generator.standard_normal(self.embeddings.shape).astype("float32")
        return _in_batches(self.traced.embedding_features, self.embeddings + drawn)

    def _group(self, rows, embeddings):
        """Return `(log softmax of the matched input, 1 if it is the best)` for each embedding of a group."""
        scores = self.matrix(rows, embeddings)
        own, best = np.diagonal(scores), scores.max(axis=0)
        log_likelihood = own - best - np.log(np.exp(scores - best).sum(axis=0))
        # of several equally good inputs, each is first with equal probability
        return log_likelihood, (own == best) / (scores == best).sum(axis=0)

    def matrix(self, rows, embeddings=None):
        """Return `T(x_i, z_j)` of the examples `rows`, float64 `(inputs, embeddings)`, computed in blocks."""
        embeddings = tf.gather(self._embeddings() if embeddings is None else embeddings, rows)
        inputs = tf.nest.map_structure(lambda values: tf.gather(values, rows), self.inputs)
        size = max(1, BLOCK_FLOATS // (len(rows) * self.score.width))
        blocks = []
        for start in range(0, len(rows), size):
            block = tf.nest.map_structure(lambda values, at=start: values[at : at + size], inputs)
            blocks.append(self.traced.matrix(block, embeddings).numpy())
        return np.concatenate(blocks).astype("float64")


def _in_batches(function, values):
    """Apply `function` in batches to tensors whose first axis is the examples."""
    length = len(tf.nest.flatten(values)[0])
    parts = []
    for start in range(0, length, FEATURE_BATCH):
        parts.append(function(tf.nest.map_structure(lambda v, at=start: v[at : at + FEATURE_BATCH], values)))
    return tf.nest.map_structure(lambda *pieces: tf.concat(pieces, axis=0), *parts)
