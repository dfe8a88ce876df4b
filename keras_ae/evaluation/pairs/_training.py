"""Training of the score of pairs, with new mismatched pairs in every epoch."""

import keras
import numpy as np
import tensorflow as tf  # the loop over steps is one graph

CHECK_EVERY = 50  # steps between two validations
VALIDATION_OFFSETS = 8  # mismatched pairs per validation example
MOST_VALIDATION = 2048  # largest number of validation examples, which are one batch and validated often


class PairTraining:
    """Training of a score by AdamW until its loss on the validation pairs stops decreasing.

    Every epoch has a new order of the examples, cut into batches. Within a batch, each input is
    paired with its own embedding and, by rolls with random offsets >= 1, with the embeddings of other
    examples: a derangement, so that a mismatched pair is never matched by accident. The initial state
    is also a candidate for the best state.

    Args:
        score: `MLPScore`, `DecoderScore` or `DecoderNetwork`.
        learning_rate: initial learning rate of a cosine decay to 0 over `max_steps`.
        weight_decay: weight decay of AdamW.
        batch_size: number of examples per step.
        max_steps: largest number of steps.
        patience: number of validations without improvement before training stops.
        negatives: number of mismatched pairs per example and step.
    """

    def __init__(self, score, *, learning_rate, weight_decay, batch_size, max_steps, patience, negatives):
        self.score, self.batch_size, self.max_steps = score, batch_size, max_steps
        self.patience, self.negatives = patience, negatives
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, max_steps)
        self.optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
        self.optimizer.build(score.trainable_variables)
        self._steps = tf.function(self._run_steps, reduce_retracing=True)
        self._scores = tf.function(self._matched_and_mismatched, reduce_retracing=True)

    def run(self, train, validation, *, noise=0.0, active=1.0, seed=0, progress=None):
        """Train, restore the best state of the score, and return the validation losses.

        Args:
            train, validation: `(inputs, embeddings)`.
            noise: standard deviation of the noise added to the embeddings, drawn again in every step.
            active: `(features,)`, 0 for constant features, to which no noise is added.
            seed: seed of orders, offsets and noise.
            progress: function called with `(step, maximum number of steps)` at each validation.

        Returns:
            `[(step, validation loss), ...]`.
        """
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        noise = tf.constant(noise * np.broadcast_to(np.float32(active), train[1].shape[1:]))
        inputs, embeddings = _tensors(train)
        batches, (draws, offset) = _orders(len(train[1]), self.batch_size, seed), _seeds(seed)
        pairs = ValidationPairs(validation, noise, seed)
        history = [(0, pairs.loss(self))]
        best, state = history[0], self._state()
        for step in range(CHECK_EVERY, self.max_steps + CHECK_EVERY, CHECK_EVERY):
            order = np.stack([next(batches) for _ in range(CHECK_EVERY)])
            rolls = draws.integers(1, order.shape[1], (CHECK_EVERY, self.negatives)).astype("int32")
            self._steps(inputs, embeddings, order, rolls, noise, tf.constant([offset, step], tf.int32))
            history.append((step, pairs.loss(self)))
            if progress is not None:
                progress(step, self.max_steps)
            if history[-1][1] < best[1]:
                best, state = history[-1], self._state()
            elif step - best[0] >= self.patience * CHECK_EVERY:
                break
        for variable, value in zip(self.score.variables, state, strict=True):
            variable.assign(value)
        return history

    def scores(self, inputs, embeddings, rolls):
        """Return the `(matched, mismatched)` logits of examples with embeddings rolled by each of `rolls`."""
        return self._scores(inputs, embeddings, tf.constant(rolls, tf.int32))

    def _run_steps(self, inputs, embeddings, order, rolls, noise, seed):
        variables = self.score.trainable_variables
        for step in tf.range(tf.shape(order)[0]):
            rows = order[step]
            batch = {name: tf.gather(values, rows) for name, values in inputs.items()}
            z = tf.gather(embeddings, rows)
            z += noise * tf.random.stateless_normal(tf.shape(z), seed + [0, step])
            with tf.GradientTape() as tape:
                matched, mismatched = self._pairs(batch, z, rolls[step], self.negatives, training=True)
                loss = self.score.loss(matched, mismatched)
            self.optimizer.apply(tape.gradient(loss, variables), variables)

    def _matched_and_mismatched(self, inputs, embeddings, rolls):
        return self._pairs(inputs, embeddings, rolls, rolls.shape[0], training=False)

    def _pairs(self, inputs, embeddings, rolls, number, training):
        x = self.score.input_features(inputs, training=training)
        z = self.score.embedding_features(embeddings, training=training)
        others = [self.score.pairs(x, tf.roll(z, rolls[k], axis=0)) for k in range(number)]
        return self.score.pairs(x, z), tf.stack(others)

    def _state(self):
        return [variable.numpy() for variable in self.score.variables]


class ValidationPairs:
    """Validation pairs that are the same at every validation, so that losses differ by the score alone.

    Args:
        examples: `(inputs, embeddings)`.
        noise: `(features,)`, standard deviation of the noise, which is drawn once.
        seed: seed of order, offsets and noise.
    """

    def __init__(self, examples, noise, seed):
        generator = np.random.default_rng([seed, 1])
        inputs, embeddings = examples
        order = generator.permutation(len(embeddings))[:MOST_VALIDATION]
        embeddings = embeddings[order]
        self.inputs = {name: tf.constant(values[order]) for name, values in inputs.items()}
        drawn = generator.standard_normal(embeddings.shape).astype("float32")
        self.embeddings = tf.constant(embeddings) + noise * drawn
        repeat = len(embeddings) <= VALIDATION_OFFSETS  # a fixed number of offsets avoids tracing again
        self.rolls = 1 + generator.choice(len(embeddings) - 1, VALIDATION_OFFSETS, replace=repeat)

    def loss(self, training):
        """Return the current loss of the score that `training` trains."""
        return float(training.score.loss(*training.scores(self.inputs, self.embeddings, self.rolls)))


def _orders(examples, batch_size, seed):
    """Yield batches of example indices in a new order each epoch; incomplete batches are left out."""
    generator, size = np.random.default_rng([seed, 2]), min(batch_size, examples)
    while True:
        order = generator.permutation(examples).astype("int32")
        for start in range(0, examples - size + 1, size):
            yield order[start : start + size]


def _seeds(seed):
    generator = np.random.default_rng([seed, 3])
    return generator, int(generator.integers(2**31 - 1))


def _tensors(examples):
    inputs, embeddings = examples
    return {name: tf.constant(values) for name, values in inputs.items()}, tf.constant(embeddings)
