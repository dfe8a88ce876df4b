"""Fits the score of pairs, with fresh mismatched pairs in every pass over the data."""

import keras
import numpy as np
import tensorflow as tf  # the loop over steps is one graph

CHECK_EVERY = 50  # steps between two looks at the validation pairs
VALIDATION_OFFSETS = 8  # mismatched pairs per validation example
MOST_VALIDATION = 2048  # examples looked at: they pass through the network at once, and often


class PairTraining:
    """Trains a score by Adam until its loss on the validation pairs stops falling.

    Every pass over the data is a fresh order, cut into batches; inside a batch each input meets
    its own code and, by rolls of random offsets >= 1, those of other examples: a derangement,
    never a matched pair by accident. The first state counts as a candidate.

    Args:
        score: `MLPScore`, `DecoderScore` or `DecoderNetwork`.
        learning_rate: first of a cosine that ends at 0 after `max_steps`.
        weight_decay: of AdamW.
        batch_size: examples of a step.
        max_steps: at most so many steps.
        patience: looks at the validation pairs without a better one before it stops.
        negatives: mismatched pairs per example and step.
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
        """Train, leave the score in its best state, return the validation losses.

        Args:
            train, validation: `(inputs, codes)`.
            noise: standard deviation of the noise added to the codes, drawn anew each time.
            active: `(features,)`, 0 where a feature is constant and gets no noise.
            seed: of orders, offsets and noise.
            progress: called with `(step, maximum number of steps)` at each validation.

        Returns:
            `[(step, validation loss), ...]`.
        """
        for variable in self.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        noise = tf.constant(noise * np.broadcast_to(np.float32(active), train[1].shape[1:]))
        inputs, codes = _tensors(train)
        batches, (draws, offset) = _orders(len(train[1]), self.batch_size, seed), _seeds(seed)
        pairs = ValidationPairs(validation, noise, seed)
        history = [(0, pairs.loss(self))]
        best, state = history[0], self._state()
        for step in range(CHECK_EVERY, self.max_steps + CHECK_EVERY, CHECK_EVERY):
            order = np.stack([next(batches) for _ in range(CHECK_EVERY)])
            rolls = draws.integers(1, order.shape[1], (CHECK_EVERY, self.negatives)).astype("int32")
            self._steps(inputs, codes, order, rolls, noise, tf.constant([offset, step], tf.int32))
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

    def scores(self, inputs, codes, rolls):
        """`(matched, mismatched)` logits of examples rolled by each of `rolls`."""
        return self._scores(inputs, codes, tf.constant(rolls, tf.int32))

    def _run_steps(self, inputs, codes, order, rolls, noise, seed):
        variables = self.score.trainable_variables
        for step in tf.range(tf.shape(order)[0]):
            rows = order[step]
            batch = {name: tf.gather(values, rows) for name, values in inputs.items()}
            z = tf.gather(codes, rows)
            z += noise * tf.random.stateless_normal(tf.shape(z), seed + [0, step])
            with tf.GradientTape() as tape:
                matched, mismatched = self._pairs(batch, z, rolls[step], self.negatives, training=True)
                loss = self.score.loss(matched, mismatched)
            self.optimizer.apply(tape.gradient(loss, variables), variables)

    def _matched_and_mismatched(self, inputs, codes, rolls):
        return self._pairs(inputs, codes, rolls, rolls.shape[0], training=False)

    def _pairs(self, inputs, codes, rolls, number, training):
        x = self.score.input_features(inputs, training=training)
        z = self.score.code_features(codes, training=training)
        others = [self.score.pairs(x, tf.roll(z, rolls[k], axis=0)) for k in range(number)]
        return self.score.pairs(x, z), tf.stack(others)

    def _state(self):
        return [variable.numpy() for variable in self.score.variables]


class ValidationPairs:
    """The same pairs at every look, so that two looks differ by the score alone.

    Args:
        examples: `(inputs, codes)`.
        noise: `(features,)`, added once.
        seed: of order, offsets and noise.
    """

    def __init__(self, examples, noise, seed):
        generator = np.random.default_rng([seed, 1])
        inputs, codes = examples
        order = generator.permutation(len(codes))[:MOST_VALIDATION]
        codes = codes[order]
        self.inputs = {name: tf.constant(values[order]) for name, values in inputs.items()}
        drawn = generator.standard_normal(codes.shape).astype("float32")
        self.codes = tf.constant(codes) + noise * drawn
        repeat = len(codes) <= VALIDATION_OFFSETS  # a fixed number of them is traced once
        self.rolls = 1 + generator.choice(len(codes) - 1, VALIDATION_OFFSETS, replace=repeat)

    def loss(self, training):
        """The loss of the score in training."""
        return float(training.score.loss(*training.scores(self.inputs, self.codes, self.rolls)))


def _orders(examples, batch_size, seed):
    """Batches of example numbers, a fresh order each pass; what does not fill a batch is left out of it."""
    generator, size = np.random.default_rng([seed, 2]), min(batch_size, examples)
    while True:
        order = generator.permutation(examples).astype("int32")
        for start in range(0, examples - size + 1, size):
            yield order[start : start + size]


def _seeds(seed):
    generator = np.random.default_rng([seed, 3])
    return generator, int(generator.integers(2**31 - 1))


def _tensors(examples):
    inputs, codes = examples
    return {name: tf.constant(values) for name, values in inputs.items()}, tf.constant(codes)
