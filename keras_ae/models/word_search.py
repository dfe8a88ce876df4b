"""The most probable sentence of a model that says what the next word may be."""

import keras
import numpy as np
import tensorflow as tf  # keras.ops.take would look for negative numbers in every step
from keras import ops

from keras_ae.text.vocabulary import PADDING

END = PADDING  # the number of padding, as a word to predict, ends the sentence
IMPOSSIBLE = np.float32(-1e9)  # log probability; sums of it stay finite


def beam_search(step, state, beam_size: int, max_words: int):
    """The best sentence found when the `beam_size` best beginnings are kept after each word.

    ```
    score = sum_t log p(word t | words before),  the end of the sentence included
    ```

    With `beam_size=1` that is the most probable word, one after the other. The search of a sentence
    ends when its best beginning has ended: what is added to the others only lowers their scores.

    Args:
        step: `(words (rows,), state) -> (log_prob (rows, V), state)`: what may follow `words`; the word
            0, the end, stands before the first one.
        state: tensor or nest of tensors `(batch, ...)` at the beginning; rows are repeated and chosen.
        beam_size: beginnings kept.
        max_words: sentences end there at the latest.

    Returns:
        dict of `ids` `(batch, max_words)` int32, zero after the end; `lengths` `(batch,)` int32;
        `score` `(batch,)`; `gap` `(batch,)`: the least relative difference of neighbouring scores by which
        beginnings were chosen; where it is within rounding, two runtimes may choose differently.
    """
    batch = ops.shape(keras.tree.flatten(state)[0])[0]
    beams = _Beams(batch, beam_size, max_words)

    def body(index, words, state, ids, scores, done, gap):
        log_prob, state = step(words, state)
        scores, parents, words, nearest = beams.choose(scores, log_prob, done)
        state, ids, done = keras.tree.map_structure(lambda rows: tf.gather(rows, parents), (state, ids, done))
        ids = ops.where(ops.arange(max_words, dtype="int32") == index, words[:, None], ids)
        done = ops.logical_or(done, words == END)
        return index + 1, words, state, ids, scores, done, ops.minimum(gap, nearest)

    def unfinished(index, words, state, ids, scores, done, gap):
        best = ops.reshape(done, (batch, beam_size))[:, 0]
        return ops.logical_and(index < max_words, ops.logical_not(ops.all(best)))

    _, _, _, ids, scores, _, gap = ops.while_loop(unfinished, body, beams.start(state))
    ids = ops.reshape(ids, (batch, beam_size, max_words))[:, 0]
    lengths = ops.sum(ops.cast(ids != END, "int32"), axis=-1)
    return {"ids": ids, "lengths": lengths, "score": scores[:, 0], "gap": gap}


class _Beams:
    """Rows `batch * beam_size`, the beginnings of a sentence one after the other, the best one first."""

    def __init__(self, batch, size, max_words):
        self.batch = batch
        self.size = size
        self.max_words = max_words

    def start(self, state):
        rows = self.batch * self.size
        words = ops.zeros((rows,), "int32")
        ids = ops.zeros((rows, self.max_words), "int32")
        state = keras.tree.map_structure(lambda part: ops.repeat(part, self.size, axis=0), state)
        # all beginnings are the empty one: a single one of them is to be continued
        first = ops.where(ops.arange(self.size, dtype="int32") == 0, 0.0, IMPOSSIBLE)
        scores = ops.broadcast_to(first[None], (self.batch, self.size))
        gap = ops.ones((self.batch,), "float32")
        return ops.convert_to_tensor(0, "int32"), words, state, ids, scores, ops.zeros((rows,), "bool"), gap

    def choose(self, scores, log_prob, done):
        """`(scores, row of the beginning, word, gap)` of the best continuations."""
        num_words = log_prob.shape[-1]
        ended = ops.where(ops.arange(num_words, dtype="int32") == END, 0.0, IMPOSSIBLE)
        log_prob = ops.where(done[:, None], ended[None], log_prob)
        totals = scores[..., None] + ops.reshape(log_prob, (self.batch, self.size, num_words))
        totals = ops.reshape(totals, (self.batch, self.size * num_words))
        best, index = ops.top_k(totals, self.size + 1)
        index = ops.cast(index[:, : self.size], "int32")
        parents = ops.arange(self.batch, dtype="int32")[:, None] * self.size + index // num_words
        return (
            best[:, : self.size],
            ops.reshape(parents, (-1,)),
            ops.reshape(index % num_words, (-1,)),
            _relative_gap(best),
        )


def _relative_gap(best):
    """Of sorted scores `(batch, scores)`; those that are impossible alike are no tie."""
    gap = (best[:, :-1] - best[:, 1:]) / ops.maximum(1.0, ops.abs(best[:, :-1]))
    return ops.min(ops.where(best[:, 1:] > IMPOSSIBLE / 2, gap, 1.0), axis=-1)
