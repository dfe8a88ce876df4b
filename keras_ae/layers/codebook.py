"""A table of codes for each head: found, learned, started from data and kept alive."""

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.codebook_learning import ema_step, revive
from keras_ae.layers.codebook_start import first_codes
from keras_ae.layers.global_sampling import GlobalRows
from keras_ae.layers.k_means import kmeans_rounds
from keras_ae.layers.sample_buffer import SampleBuffer
from keras_ae.layers.scheduled_variable import ScheduledVariable
from keras_ae.layers.stochastic_codes import sample_codes
from keras_ae.ops import most_similar, recentred

WINDOW_GROWTH = 1 / 8  # after the start, the running means reach back over an eighth of the batches so far
KMEANS_BATCHES = 4  # at least so many batches make the k-means start: one batch is a poor sample


class Codebook(keras.layers.Layer):
    """What `VectorQuantizer` and `ResidualVectorQuantizer` are made of: `(heads, K, dim)` codes.

    ```
    code(x) = argmin_k |x - e_k|^2,    with a temperature t:  P(k) ~ exp(-|x - e_k|^2 / t)
    EMA     : N_k <- g N_k + (1 - g) n_k,   m_k <- g m_k + (1 - g) sum x,   e_k = m_k / N_k
    ```

    Every tensor of vectors is float32 `(vectors, heads, dim)`, every tensor of codes int32
    `(vectors, heads)`, weights are `(vectors,)` or `None`.

    Args:
        num_embeddings: `K`.
        ema_decay: `g`; `None`: `e` is trained by gradient.
        distance: `"euclidean"` or `"cosine"`.
        linear: `e = W c`, where `c` stays as it started and the matrix `W` is trained.
        kmeans_samples: vectors of the k-means start; `None`: chosen by `K`; 0: no k-means.
        revival_threshold: a code is dead below this fraction of its fair share; 0: never.
        sampling_temperature: `t` of training, a float or a schedule; 0: the nearest code.
        seed: of the k-means start, the revival and the sampling.
    """

    def __init__(
        self,
        num_embeddings,
        *,
        ema_decay=0.99,
        distance="euclidean",
        linear=False,
        kmeans_samples=None,
        revival_threshold=0.05,
        sampling_temperature=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "autocast": False})
        self.num_embeddings = num_embeddings
        self.ema_decay = ema_decay
        self.distance = distance
        self.linear = linear
        self.kmeans_samples = kmeans_samples
        self.revival_threshold = 0.0 if linear else revival_threshold  # all codes move with W
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.annealing = ScheduledVariable(sampling_temperature, name="sampling_temperature")

    def build(self, input_shape):
        heads, dim = input_shape[-2:]
        table = (heads, self.num_embeddings, dim)
        by_gradient = self.ema_decay is None and not self.linear
        random = keras.initializers.RandomNormal(seed=self.seed)  # the same numbers at every call
        self.vectors = self._state("codebook", table, random, trainable=by_gradient)
        self.counts = self._state("counts", table[:2], "ones")
        if self.linear:
            identity = keras.initializers.Identity()
            matrices = lambda shape, dtype: ops.stack([identity(shape[1:], dtype)] * heads)  # noqa: E731
            self.transform = self._state("transform", (heads, dim, dim), matrices, trainable=True)
        if self.ema_decay is not None:
            self.sums = self._state("sums", table, random)  # e = m / N from the start
        if self.buffer_size:
            self.started = self._state("started", (), "zeros")
            self.window = self._state("window", (), "ones")
            self.buffer = SampleBuffer(
                self.buffer_size, -(-self.buffer_size // KMEANS_BATCHES), name="buffer"
            )
            self.buffer.build((None, heads, dim))
        self.num_heads, self.dim = heads, dim
        super().build(input_shape)

    def _state(self, name, shape, initializer, trainable=False):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype="float32",
            trainable=trainable,
            autocast=False,
            aggregation="mean",
        )

    @property
    def buffer_size(self):
        """Vectors that are collected for the k-means start; 0 without one."""
        if self.kmeans_samples is not None:
            return self.kmeans_samples
        return max(min(64 * self.num_embeddings, 65536), 4 * self.num_embeddings)

    # inference

    def codes(self):
        """The codes `(heads, K, dim)`; an optimiser's step leaves them off unit length."""
        vectors = ops.convert_to_tensor(self.vectors)
        return self.unit(tf.matmul(vectors, self.transform) if self.linear else vectors)

    def search(self, x):
        """The nearest code of each vector."""
        table = self.codes()
        found = [most_similar(x[:, head], *self._scoring(table[head])) for head in range(self.num_heads)]
        return ops.stack(found, axis=-1)

    def look_up(self, codes):
        """The vectors of codes; differentiable in the codebook where that is trained."""
        rows = ops.reshape(self.codes(), (-1, self.dim))
        return ops.take(rows, codes + self.num_embeddings * ops.arange(self.num_heads, dtype="int32"), axis=0)

    def margin(self, x):
        """Relative gap `(d_2 - d_1) / d_2` of the two smallest squared distances, `(vectors, heads)`."""
        if self.num_embeddings == 1:
            return ops.ones_like(x[:, :, 0])
        table = self.codes()
        gaps = [self._gap(x[:, head], table[head]) for head in range(self.num_heads)]
        return ops.stack(gaps, axis=-1)

    def unit(self, x):
        """`x`, of unit length where the distance is the cosine."""
        # the gradient of keras.ops.normalize at a vector of zeros is NaN under XLA
        return tf.math.l2_normalize(x, axis=-1) if self.distance == "cosine" else x

    def _scoring(self, codes):
        return (codes,) if self.distance == "cosine" else recentred(codes)

    def _gap(self, x, codes):
        shifted, bias, centre = recentred(codes)
        scores = tf.matmul(x - centre, shifted, transpose_b=True) + bias
        best = ops.take(codes, ops.top_k(scores, 2)[1], axis=0)
        squared = ops.sort(ops.sum(ops.square(x[:, None] - best), axis=-1), axis=-1)
        return (squared[:, 1] - squared[:, 0]) / ops.maximum(squared[:, 1], 1e-30)

    # training

    def train(self, x, weights):
        """Learn from the vectors of a batch.

        Returns:
            `(quantized, codes, squared)`: by the codebook as it was before this batch moved it;
            `squared = |x - sg[quantized]|^2`, `(vectors, heads)`, differentiable in `x`.
        """
        data = ops.stop_gradient(x)
        rows = GlobalRows(data, weights) if self.trainable else None
        if self.trainable and self.buffer_size:
            self._start(rows)
        codes = self._choose(data)
        quantized = self.look_up(codes)
        squared = squared_distance(x, ops.stop_gradient(quantized))
        if self.trainable:
            self._learn(rows, ops.stop_gradient(quantized), ops.stop_gradient(squared), codes)
        return quantized, codes, squared

    def _choose(self, x):
        """The code of each vector in training: the nearest, or one drawn."""
        temperature = self.annealing.next(advance=self.trainable)
        if self.annealing.schedule is None and self.annealing.start == 0.0:
            return self.search(x)
        table = ops.stop_gradient(self.codes())
        found = [
            sample_codes(x[:, head], *recentred(table[head]), temperature, self.seed_generator.next())
            for head in range(self.num_heads)
        ]
        return ops.stack(found, axis=-1)

    def _start(self, rows):
        """Fill the buffer; the codes are samples until it is full, then k-means runs once."""
        numbers, real = rows.spread(self.buffer.batch_rows, self._uniform(()))
        count = self.buffer.add(rows.gather(numbers), real)
        uniforms = self._uniform((self.num_heads, *kmeans_rounds(self.num_embeddings)))
        started = self.started > 0

        # nothing is assigned and no replica waits inside of the condition
        vectors, samples = tf.cond(
            started,
            lambda: (self.vectors.value, self.counts.value),
            lambda: first_codes(self.buffer, count, self.num_embeddings, uniforms),
        )
        share = rows.weight / self.num_embeddings
        per_batch = rows.weight / self.buffer.capacity
        # a code that k-means left nearly empty begins at half its share, so that it gets a chance
        counts = tf.where(started, samples, tf.maximum(samples * per_batch, 0.5 * share))
        vectors = self.unit(vectors)
        self.vectors.assign(vectors)
        self.counts.assign(counts)
        if self.ema_decay is not None:
            self.sums.assign(tf.where(started, self.sums.value, vectors * counts[..., None]))
        self.started.assign(ops.cast(count >= self.buffer.capacity, "float32"))
        # the samples of k-means are worth as many batches as would have held them
        worth = self.buffer.capacity / tf.maximum(tf.cast(rows.total, tf.float32), 1.0)
        self.window.assign(tf.where(started, self.window.value + WINDOW_GROWTH, tf.maximum(worth, 2.0)))

    def _learn(self, rows, quantized, squared, codes):
        """Statistics of the global batch, and new places for dead codes."""
        state = {"counts": self.counts.value, "vectors": self.vectors.value}
        if self.ema_decay is not None:
            state["sums"] = self.sums.value
        state, share = ema_step(state, rows.x, codes, rows.weights, self._decay())
        if self.revival_threshold:
            dead = state["counts"] < self.revival_threshold * share
            uniforms = self._uniform((self.num_heads, self.num_embeddings))
            state = revive(state, dead, rows.draw_far(quantized, squared, uniforms), share)
        if self.ema_decay is not None:
            self.sums.assign(state["sums"])
            moved = ops.divide_no_nan(state["sums"], state["counts"][..., None])
            state["vectors"] = tf.where(state["counts"][..., None] > 1e-12, moved, state["vectors"])
        self.counts.assign(state["counts"])
        self.vectors.assign(self.unit(state["vectors"]))

    def _decay(self):
        """`g`; smaller in the batches after a k-means start, which saw an encoder that still moves."""
        if self.ema_decay is None or not self.buffer_size:
            return self.ema_decay
        return tf.where(self.started > 0, tf.minimum(self.ema_decay, 1.0 - 1.0 / self.window), self.ema_decay)

    def _uniform(self, shape):
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)


def squared_distance(x, quantized):
    """`|x - quantized|^2` over the last axis."""
    return ops.sum(ops.square(x - quantized), axis=-1)
