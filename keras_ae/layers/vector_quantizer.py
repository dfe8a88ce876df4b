"""Embedding as the nearest of a learned codebook."""

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.bottleneck import Bottleneck, flat_or_none, ones_unless
from keras_ae.layers.codebook_start import first_codes
from keras_ae.layers.global_sampling import GlobalRows
from keras_ae.layers.k_means import kmeans_rounds
from keras_ae.layers.sample_buffer import SampleBuffer
from keras_ae.layers.vector_quantizer_settings import check_settings
from keras_ae.losses.vector_quantization import codebook_loss, commitment_loss
from keras_ae.metrics.code_counts import count_codes
from keras_ae.ops import most_similar, nearest_code, straight_through, sum_over_replicas

USAGE_DECAY = 0.99  # of the usage counts where the codebook learns by gradient
KMEANS_BATCHES = 4  # at least so many batches make the k-means start: one batch is a poor sample


@keras.saving.register_keras_serializable(package="keras_ae")
class VectorQuantizer(Bottleneck):
    """Replaces each vector by the nearest of `K` learned codes.

    ```
    code(x)   = argmin_k |x - e_k|^2          embedding(x) = e_code(x)
    gradient  = that of the embedding, handed to x unchanged
    loss      = commitment_cost * mean |x - sg[e]|^2     (+ mean |sg[x] - e|^2 without EMA)
    EMA       : N_k <- g N_k + (1 - g) n_k,   m_k <- g m_k + (1 - g) sum x,   e_k = m_k / N_k
    ```

    The codebook starts by k-means++ on the first batches (its codes are samples of
    the data meanwhile), and a code whose running count falls below
    `revival_threshold` of its fair share moves to a random vector of the batch, with
    statistics of its own: the defaults do not collapse. Under `tf.distribute` all
    replicas hold the codebook that one device would get from the global batch.

    Args:
        num_embeddings: `K`, size of the codebook (of each head).
        commitment_cost: weight of the commitment loss (0.25 as in the paper).
        ema_decay: `g`; `None` learns the codebook by gradient instead.
        num_heads: the vector is cut in so many parts with a codebook each.
        distance: `"euclidean"`, or `"cosine"`: vectors and codes of unit length.
        kmeans_samples: vectors collected for the k-means start; `None`: 32 a code, at
            most 65,536 but at least 4 a code; 0: no k-means, the codes start random normal.
        revival_threshold: a code is dead below this fraction of `vectors / K`, its
            fair share of a batch; 0: never.
        seed: of the k-means start and the revival.

    Call arguments:
        x: `(batch, ..., dim)`, `dim` divisible by `num_heads`.
        mask: `(batch, ...)`, 1 = real.
        training: whether to train.
        return_codes: also return the codes.

    Output shape:
        embedding `(batch, ..., dim)`; codes int32 `(batch, ...)`, with several heads
        `(batch, ..., heads)`.

    Metrics:
        `perplexity`, `usage`, `commitment_loss`, without EMA also `codebook_loss`.

    Example:

    >>> layer = VectorQuantizer(16, seed=0)
    >>> layer.encode(keras.random.normal((2, 4, 8))).shape
    TensorShape([2, 4])

    Reference:
        van den Oord et al., 2017, https://arxiv.org/abs/1711.00937.
    """

    def __init__(
        self,
        num_embeddings: int,
        *,
        commitment_cost: float = 0.25,
        ema_decay: float | None = 0.99,
        num_heads: int = 1,
        distance: str = "euclidean",
        kmeans_samples: int | None = None,
        revival_threshold: float = 0.1,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_settings(num_embeddings, ema_decay, num_heads, distance, kmeans_samples)
        self.num_embeddings = num_embeddings
        self.commitment_cost = commitment_cost
        self.ema_decay = ema_decay
        self.num_heads = num_heads
        self.distance = distance
        self.kmeans_samples = kmeans_samples
        self.revival_threshold = revival_threshold
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.track_codes(num_embeddings, num_heads)
        self.track_term("commitment_loss")
        if ema_decay is None:
            self.track_term("codebook_loss")

    def build(self, input_shape):
        dim = input_shape[-1]
        if dim is None or dim % self.num_heads:
            raise ValueError(
                "VectorQuantizer expects a last axis that is known and divisible by "
                f"num_heads={self.num_heads}. Received: input_shape={tuple(input_shape)}"
            )
        self.head_dim = dim // self.num_heads
        table = (self.num_heads, self.num_embeddings, self.head_dim)
        learned_by_gradient = self.ema_decay is None
        random = keras.initializers.RandomNormal(seed=self.seed)  # the same numbers at every call
        self.codebook = self._state("codebook", table, random, trainable=learned_by_gradient)
        self.counts = self._state("counts", table[:2], "ones")
        if not learned_by_gradient:
            self.sums = self._state("sums", table, random)  # e = m / N from the start
        if self._buffer_size():
            self.started = self._state("started", (), "zeros")
            self.buffer = SampleBuffer(
                self._buffer_size(), -(-self._buffer_size() // KMEANS_BATCHES), name="buffer"
            )
            self.buffer.build((None, self.num_heads, self.head_dim))
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

    def _buffer_size(self):
        if self.kmeans_samples is not None:
            return self.kmeans_samples
        return max(min(32 * self.num_embeddings, 65536), 4 * self.num_embeddings)

    # inference

    def assign_codes(self, x):
        codes = self._search(self._split_heads(x))
        return ops.reshape(codes, self._code_shape(ops.shape(x)))

    def look_up(self, codes):
        codes = codes[..., None] if self.num_heads == 1 else codes
        rows = self._gather(ops.reshape(codes, (-1, self.num_heads)))
        return ops.reshape(rows, (*ops.shape(codes)[:-1], self.num_heads * self.head_dim))

    def margin(self, x):
        """Relative gap `(d_2 - d_1) / d_2` of the two smallest squared distances."""
        heads = self._split_heads(ops.cast(x, "float32"))
        squared = ops.sum(ops.square(heads[:, :, None] - self._codes()[None]), axis=-1)
        best = -ops.top_k(-squared, 2)[0] if self.num_embeddings > 1 else ops.ones_like(squared)
        gap = (best[..., -1] - best[..., 0]) / ops.maximum(best[..., -1], 1e-30)
        return ops.reshape(gap, self._code_shape(ops.shape(x)))

    def observe(self, x, embedding, codes, weights):
        heads = ops.reshape(codes, (-1, self.num_heads))
        quantized = ops.reshape(embedding, (-1, self.num_heads, self.head_dim))
        self._record(self._split_heads(x), quantized, heads, flat_or_none(weights))

    # training

    def train_call(self, x, weights):
        weights = flat_or_none(weights)
        heads = self._split_heads(x)
        data = ops.stop_gradient(heads)
        learning = self.trainable
        rows = GlobalRows(data, weights) if learning else None
        if learning and self._buffer_size():
            self._start(rows)
        codes = self._search(data)
        quantized = self._gather(codes)
        if learning:
            self._learn(rows, data, codes, weights)
        self._record(heads, quantized, codes, weights)
        embedding = straight_through(heads, quantized)
        codes = ops.reshape(codes, self._code_shape(ops.shape(x)))
        return ops.reshape(embedding, ops.shape(x)), codes

    def _start(self, rows):
        """Fill the buffer; the codes are samples until it is full, then k-means runs once."""
        numbers, real = rows.spread(self.buffer.batch_rows, self._uniform(()))
        count = self.buffer.add(rows.gather(numbers), real)
        uniforms = self._uniform((self.num_heads, *kmeans_rounds(self.num_embeddings)))
        started = self.started > 0

        # nothing is assigned and no replica waits inside of the condition
        codebook, samples = tf.cond(
            started,
            lambda: (self.codebook.value, self.counts.value),
            lambda: first_codes(self.buffer, count, self.num_embeddings, uniforms),
        )
        share = rows.weight / self.num_embeddings
        per_batch = rows.weight / self.buffer.capacity
        # a code that k-means left nearly empty begins at half its share, so that it gets a chance
        counts = tf.where(started, samples, tf.maximum(samples * per_batch, 0.5 * share))
        codebook = self._unit(codebook)
        self.codebook.assign(codebook)
        self.counts.assign(counts)
        if self.ema_decay is not None:
            self.sums.assign(tf.where(started, self.sums.value, codebook * counts[..., None]))
        self.started.assign(ops.cast(count >= self.buffer.capacity, "float32"))

    def _learn(self, rows, data, codes, weights):
        """EMA statistics of the global batch, and new places for dead codes."""
        decay = USAGE_DECAY if self.ema_decay is None else self.ema_decay
        batch = {"counts": count_codes(codes, ones_unless(weights, data), self.num_embeddings)}
        if self.ema_decay is not None:
            batch["sums"] = self._code_sums(data, codes, weights)
        batch = sum_over_replicas(batch)
        counts = decay * self.counts + (1.0 - decay) * batch["counts"]
        share = ops.sum(batch["counts"][0]) / self.num_embeddings
        dead = counts < self.revival_threshold * share
        revived = rows.gather(rows.draw(self._uniform((self.num_embeddings,))))
        revived = ops.transpose(revived, (1, 0, 2))
        if self.ema_decay is None:
            codebook = tf.where(dead[..., None], revived, self.codebook.value)
        else:
            sums = decay * self.sums + (1.0 - decay) * batch["sums"]
            sums = tf.where(dead[..., None], revived * share, sums)
            self.sums.assign(sums)
        counts = tf.where(dead, share, counts)
        if self.ema_decay is not None:
            moved = sums / ops.maximum(counts, 1e-12)[..., None]
            codebook = tf.where(counts[..., None] > 1e-12, moved, self.codebook.value)
        self.counts.assign(counts)
        self.codebook.assign(self._unit(codebook))

    def _code_sums(self, data, codes, weights):
        weighted = data if weights is None else data * weights[:, None, None]
        sums = [
            tf.math.unsorted_segment_sum(weighted[:, head], codes[:, head], self.num_embeddings)
            for head in range(self.num_heads)
        ]
        return ops.stack(sums)

    # parts

    def _record(self, heads, quantized, codes, weights):
        terms = {"commitment_loss": commitment_loss(heads, quantized, weights)}
        loss = self.commitment_cost * terms["commitment_loss"]
        if self.ema_decay is None:
            terms["codebook_loss"] = codebook_loss(heads, quantized, weights)
            loss = loss + terms["codebook_loss"]
        self.record_counts(count_codes(codes, ones_unless(weights, heads), self.num_embeddings))
        self.record_terms(terms, loss)

    def _search(self, heads):
        find = most_similar if self.distance == "cosine" else nearest_code
        table = self._codes()
        codes = [find(heads[:, head], table[head]) for head in range(self.num_heads)]
        return ops.stack(codes, axis=-1)

    def _gather(self, codes):
        rows = ops.reshape(self._codes(), (-1, self.head_dim))
        offsets = self.num_embeddings * ops.arange(self.num_heads, dtype="int32")
        return ops.take(rows, codes + offsets, axis=0)

    def _split_heads(self, x):
        return self._unit(ops.reshape(x, (-1, self.num_heads, self.head_dim)))

    def _codes(self):
        """The codes `(heads, K, head_dim)`; an optimiser's step leaves the codebook off unit length."""
        return self._unit(self.codebook)

    def _unit(self, x):
        # the gradient of keras.ops.normalize at a vector of zeros is NaN under XLA
        return tf.math.l2_normalize(x, axis=-1) if self.distance == "cosine" else x

    def _code_shape(self, shape):
        return shape[:-1] if self.num_heads == 1 else (*shape[:-1], self.num_heads)

    def _uniform(self, shape):
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)

    def compute_output_spec(self, x, mask=None, training=None, return_codes=False, sample_weight=None):
        embedding = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if not return_codes:
            return embedding
        return embedding, keras.KerasTensor(self._code_shape(x.shape), dtype="int32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_embeddings": self.num_embeddings,
            "commitment_cost": self.commitment_cost,
            "ema_decay": self.ema_decay,
            "num_heads": self.num_heads,
            "distance": self.distance,
            "kmeans_samples": self.kmeans_samples,
            "revival_threshold": self.revival_threshold,
            "seed": self.seed,
        }
