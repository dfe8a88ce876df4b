"""Codebooks of all heads: search, learning, start from data and revival of unused codes.

The learning statistics are `{"counts": (heads, K), "vectors": (heads, K, dim)}`, with `"sums"`
`(heads, K, dim)` where the codes are running means.
"""

import base64

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

from keras_ae.layers.base import ScheduledVariable
from keras_ae.layers.bottlenecks._codebook_start import GlobalRows, SampleBuffer, first_codes, kmeans_rounds
from keras_ae.metrics.codebook import count_codes
from keras_ae.ops.core import (
    Tensor,
    argmax,
    has_fixed_shapes,
    is_exporting,
    is_finite,
    num_replicas,
    sum_over_replicas,
)
from keras_ae.ops.search import (
    CANDIDATES,
    exact_scores,
    export_candidates,
    in_row_blocks,
    nearest_code,
    recentred,
    squared_distances,
)

WINDOW_GROWTH = 1 / 8  # after the start, the running means span an eighth of the batches so far
KMEANS_BATCHES = 4  # least number of batches for the k-means start: one batch is a poor sample


class Codebook(keras.layers.Layer):
    """Codebook `(heads, K, dim)` of `VectorQuantizer` and of each level of `ResidualVectorQuantizer`.

    ```
    code(x) = argmin_k |x - e_k|^2,    with a temperature t:  P(k) ~ exp(-|x - e_k|^2 / t)
    EMA     : N_k <- g N_k + (1 - g) n_k,   m_k <- g m_k + (1 - g) sum x,   e_k = m_k / N_k
    ```

    Every tensor of vectors is float32 `(vectors, heads, dim)`, every tensor of codes int32
    `(vectors, heads)`, weights are `(vectors,)` or `None`.

    Args:
        num_embeddings: `K`.
        ema_decay: `g`; `None`: `e` is trained by gradient instead.
        distance: `"euclidean"` or `"cosine"`.
        linear: whether `e = W c`, where `c` keeps its initial value and the matrix `W` is trained.
        kmeans_samples: number of vectors for the k-means start; `None`: derived from `K`; 0: no k-means.
        initial: initial code vectors `(heads, K, dim)`, replacing a k-means start; `None`: none.
        revival_threshold: a code is dead below this fraction of its fair share; 0: no revival.
        sampling_temperature: `t` in training, a float or a schedule; 0: the nearest code.
        seed: seed of the k-means start, the revival and the sampling.
    """

    def __init__(
        self,
        num_embeddings: int,
        *,
        ema_decay: float | None = 0.99,
        distance: str = "euclidean",
        linear: bool = False,
        kmeans_samples: int | None = None,
        initial: np.ndarray | None = None,
        revival_threshold: float = 0.05,
        sampling_temperature: float | keras.optimizers.schedules.LearningRateSchedule = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "autocast": False})
        self.num_embeddings = num_embeddings
        self.ema_decay = ema_decay
        self.distance = distance
        self.linear = linear
        self.kmeans_samples = kmeans_samples if initial is None else 0
        self.initial = initial
        self.revival_threshold = 0.0 if linear else revival_threshold  # with W, every step moves all codes
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.annealing = ScheduledVariable(sampling_temperature, name="sampling_temperature")

    def build(self, input_shape: tuple[int | None, int, int]) -> None:
        heads, dim = input_shape[-2:]
        table = (heads, self.num_embeddings, dim)
        by_gradient = self.ema_decay is None and not self.linear
        random = keras.initializers.RandomNormal(seed=self.seed)  # the same numbers at every call
        first = random if self.initial is None else lambda shape, dtype: self.unit(self.initial)
        self.vectors = self._state("codebook", table, first, trainable=by_gradient)
        # all 0: equal shares, whatever the size of the first batch
        self.counts = self._state("counts", table[:2], "zeros")
        if self.linear:
            identity = keras.initializers.Identity()
            matrices = lambda shape, dtype: ops.stack([identity(shape[1:], dtype)] * heads)  # noqa: E731
            self.transform = self._state("transform", (heads, dim, dim), matrices, trainable=True)
        if self.ema_decay is not None:
            self.sums = self._state("sums", table, "zeros")
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
    def buffer_size(self) -> int:
        """Number of vectors collected for the k-means start; 0 without one."""
        if self.kmeans_samples is not None:
            return self.kmeans_samples
        return max(min(64 * self.num_embeddings, 65536), 4 * self.num_embeddings)

    def set_vectors(self, vectors: Tensor, counts: Tensor) -> None:
        """Set the code vectors to `vectors` `(heads, K, dim)`, replacing a k-means start.

        `counts`: `(heads, K)`, the weight of each code in a batch; zeros: an equal share of the next batch.
        """
        vectors = self.unit(ops.convert_to_tensor(vectors))
        self.vectors.assign(vectors)
        self.counts.assign(counts)
        if self.linear:
            self.transform.assign(ops.stack([ops.eye(self.dim, dtype="float32")] * self.num_heads))
        if self.ema_decay is not None:
            self.sums.assign(vectors * counts[..., None])
        if self.buffer_size:
            self.started.assign(1.0)
            # the running means start with the full window of `ema_decay`
            self.window.assign(1.0 / (1.0 - (self.ema_decay or 0.0)))

    # Inference

    def code_vectors(self) -> Tensor:
        """Return the code vectors `(heads, K, dim)`, normalised again after the optimiser's step."""
        vectors = ops.convert_to_tensor(self.vectors)
        return self.unit(tf.matmul(vectors, self.transform) if self.linear else vectors)

    def search(self, x: Tensor) -> Tensor:
        """Return the nearest code of each vector."""
        table = self.code_vectors()
        candidates = self._candidates()
        found = [nearest_code(x[:, head], table[head], candidates[head]) for head in range(self.num_heads)]
        return ops.stack(found, axis=-1)

    def look_up(self, codes: Tensor) -> Tensor:
        """Return the vectors of codes; differentiable in the codebook where that is trained."""
        rows = ops.reshape(self.code_vectors(), (-1, self.dim))
        return ops.take(rows, codes + self.num_embeddings * ops.arange(self.num_heads, dtype="int32"), axis=0)

    def margin(self, x: Tensor) -> Tensor:
        """Return the gap `(d_2 - d_1) / d_2` of the two least squared distances, `(vectors, heads)`."""
        if self.num_embeddings == 1:
            return ops.ones_like(x[:, :, 0])
        table = self.code_vectors()
        gaps = [self._gap(x[:, head], table[head]) for head in range(self.num_heads)]
        return ops.stack(gaps, axis=-1)

    def unit(self, x: Tensor) -> Tensor:
        """Return `x`, normalised to unit length if the distance is the cosine."""
        # the gradient of keras.ops.normalize at a vector of zeros is NaN under XLA
        return tf.math.l2_normalize(x, axis=-1) if self.distance == "cosine" else x

    def _candidates(self):
        """Return the argument `candidates` of the search for each head."""
        if not is_exporting():
            return [None] * self.num_heads
        with tf.init_scope():  # the exported values, not symbolic tensors
            return [export_candidates(codebook.numpy()) for codebook in ops.unstack(self.code_vectors())]

    def _gap(self, x, codebook):
        x = tf.cast(x, tf.float64)
        best = tf.math.top_k(exact_scores(x, codebook), min(CANDIDATES, self.num_embeddings)).indices
        squared = ops.sort(squared_distances(x, tf.cast(codebook, tf.float64), best), axis=-1)
        gap = (squared[:, 1] - squared[:, 0]) / ops.maximum(squared[:, 1], 1e-30)
        return ops.cast(gap, "float32")

    # Training

    def train(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Update the codebook with the vectors of a batch.

        Vectors that are not finite are left out: training uses the others, and all state stays finite.

        Returns:
            `(quantized, codes, squared)` by the codebook before this update;
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
        """Return the code of each vector in training: the nearest, or a sampled one."""
        temperature = self.annealing.next(advance=self.trainable)
        if self.annealing.schedule is None and self.annealing.start == 0.0:
            return self.search(x)
        table = ops.stop_gradient(self.code_vectors())
        found = [
            sample_codes(x[:, head], table[head], temperature, self.seed_generator.next())
            for head in range(self.num_heads)
        ]
        return ops.stack(found, axis=-1)

    def _start(self, rows):
        """Fill the buffer; the codes are samples until it is full, then k-means runs once."""
        started = self.started > 0
        numbers, real = rows.spread(self.buffer.batch_rows, self._uniform(()))
        if num_replicas() == 1 and not has_fixed_shapes():
            numbers = numbers[: tf.where(started, 0, self.buffer.batch_rows)]  # no samples after the start
        count = self.buffer.add(rows.gather(numbers), tf.where(started, 0, real))
        uniforms = self._uniform((self.num_heads, *kmeans_rounds(self.num_embeddings)))

        # a batch without a finite vector does not change the codes
        stays = started | ((rows.total == 0) & (count > 0))
        # inside of the condition nothing is assigned and no replica waits for another
        vectors, samples = tf.cond(
            stays,
            lambda: (self.vectors.value, self.counts.value),
            lambda: first_codes(self.buffer, count, self.num_embeddings, uniforms),
        )
        share = rows.weight / self.num_embeddings
        per_batch = rows.weight / self.buffer.capacity
        # a code that k-means left nearly empty starts with half of its share, so that it survives at first
        counts = tf.where(stays, samples, tf.maximum(samples * per_batch, 0.5 * share))
        vectors = self.unit(vectors)
        self.vectors.assign(vectors)
        self.counts.assign(counts)
        if self.ema_decay is not None:
            self.sums.assign(tf.where(stays, self.sums.value, vectors * counts[..., None]))
        self.started.assign(ops.cast(started | (count >= self.buffer.capacity), "float32"))
        # the k-means samples count as the number of batches that would have contained them
        worth = self.buffer.capacity / tf.maximum(tf.cast(rows.total, tf.float32), 1.0)
        window = tf.where(stays, self.window.value, tf.maximum(worth, 2.0))
        self.window.assign(tf.where(started, self.window.value + WINDOW_GROWTH, window))

    def _learn(self, rows, quantized, squared, codes):
        """Update the statistics with the global batch, and move dead codes."""
        state, share = ema_step(self._statistics(rows), rows, codes, self._decay())
        if self.revival_threshold:
            finite = ops.all(is_finite(state["vectors"]), axis=-1)
            dead = (state["counts"] < self.revival_threshold * share) | ~finite
            uniforms = self._uniform((self.num_heads, self.num_embeddings))
            state = revive(state, dead, rows.draw_far(quantized, squared, uniforms), share)
        if self.ema_decay is not None:
            self.sums.assign(state["sums"])
            moved = ops.divide_no_nan(state["sums"], state["counts"][..., None])
            state["vectors"] = tf.where(state["counts"][..., None] > 1e-12, moved, state["vectors"])
        self.counts.assign(state["counts"])
        self.vectors.assign(self.unit(state["vectors"]))

    def _statistics(self, rows):
        """Return counts, vectors and sums; codes without a count start with an equal share of this batch."""
        counts, vectors = self.counts.value, self.vectors.value
        new = tf.reduce_sum(counts) == 0.0
        counts = tf.where(new, rows.weight / self.num_embeddings, counts)
        if self.ema_decay is None:
            return {"counts": counts, "vectors": vectors}
        sums = tf.where(new, vectors * counts[..., None], self.sums.value)
        return {"counts": counts, "vectors": vectors, "sums": sums}

    def _decay(self):
        """Return `g`; smaller in the batches after a k-means start, while the encoder still changes."""
        if self.ema_decay is None or not self.buffer_size:
            return self.ema_decay
        return tf.where(self.started > 0, tf.minimum(self.ema_decay, 1.0 - 1.0 / self.window), self.ema_decay)

    def _uniform(self, shape):
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)


def squared_distance(x: Tensor, quantized: Tensor) -> Tensor:
    """Return `|x - quantized|^2` over the last axis."""
    return ops.sum(ops.square(x - quantized), axis=-1)


USAGE_DECAY = 0.99  # decay of the usage counts where the codebook is trained by gradient


def ema_step(
    state: dict[str, Tensor], rows: GlobalRows, codes: Tensor, decay: Tensor | float | None
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the running counts and sums updated with the global batch.

    `N_k <- g N_k + (1 - g) n_k,   m_k <- g m_k + (1 - g) sum_{x of k} x`; a batch without
    weight leaves both as they are.

    Args:
        state: statistics before the batch.
        rows: `GlobalRows` of the batch; rows that are not real are excluded by selection.
        codes: int32 `(vectors, heads)`.
        decay: `g`; `None`: only the counts are updated, with `USAGE_DECAY`.

    Returns:
        `(state, share)`: `share` is the weight of the batch over `K`.
    """
    num_embeddings = state["counts"].shape[1]
    batch = {"counts": count_codes(codes, rows.weights, num_embeddings)}
    if decay is not None:
        weights = rows.weights if rows.is_weighted else None
        # segment -1 does not exist; a product with 0 would keep NaN
        real = tf.where(rows.weights[:, None] > 0, codes, -1)
        batch["sums"] = code_sums(rows.x, real, weights, num_embeddings)
    batch = sum_over_replicas(batch)
    share = ops.sum(batch["counts"][0]) / num_embeddings
    kept = tf.where(share > 0, USAGE_DECAY if decay is None else decay, 1.0)
    learned = {name: kept * state[name] + (1.0 - kept) * value for name, value in batch.items()}
    return {**state, **learned}, share


def code_sums(x: Tensor, codes: Tensor, weights: Tensor | None, num_embeddings: int) -> Tensor:
    """Return the weighted sums `(heads, K, dim)` of the vectors of each code; code -1 leaves a vector out."""
    weighted = x if weights is None else x * weights[:, None, None]
    sums = [
        tf.math.unsorted_segment_sum(weighted[:, head], codes[:, head], num_embeddings)
        for head in range(x.shape[1])
    ]
    return ops.stack(sums)


def revive(state: dict[str, Tensor], dead: Tensor, places: Tensor, share: Tensor) -> dict[str, Tensor]:
    """Move the `dead` codes `(heads, K)` to `places` `(heads, K, dim)`, each with its fair share as count.

    The statistics are replaced as well: otherwise the next running mean would move the code back.
    """
    revived = {
        "counts": tf.where(dead, share, state["counts"]),
        "vectors": tf.where(dead[..., None], places, state["vectors"]),
    }
    if "sums" in state:
        revived["sums"] = tf.where(dead[..., None], places * share, state["sums"])
    return revived


def sample_codes(x: Tensor, codebook: Tensor, temperature: Tensor, seed: Tensor) -> Tensor:
    """Draw codes with `P(k) ~ exp(-|x - e_k|^2 / temperature)`, int32 `(vectors,)`.

    `argmax_k (2 s_k / t + g_k)` with Gumbel noise `g` and the scores `s = x.e - |e|^2 / 2` in float64,
    because their differences matter even for codes far from each other. They are computed in blocks of
    rows, so that memory does not grow with vectors x codes.

    Args:
        x: `(vectors, dim)`.
        codebook: `(codes, dim)`.
        temperature: positive scalar.
        seed: two integers, the seed of a stateless draw.

    Reference:
        Takida et al., 2022, https://arxiv.org/abs/2205.07547.
    """
    seed = tf.cast(seed, tf.int32)
    # scores divided by a temperature of 0 would be NaN; a temperature this small selects the nearest code
    scale = tf.cast(2.0 / tf.maximum(temperature, 1e-6), tf.float64)

    table = recentred(codebook)

    def draw(rows, start):
        scores = exact_scores(rows, codebook, table)
        # relative to the largest score, the differences fit float32
        scores = tf.cast(scale * (scores - tf.reduce_max(scores, axis=1, keepdims=True)), tf.float32)
        # one seed per block: the loop must not change a generator's state
        uniform = tf.random.stateless_uniform(tf.shape(scores), seed + tf.stack([0, start]), 1e-7, 1.0 - 1e-7)
        return argmax(scores - tf.math.log(-tf.math.log(uniform)))

    return in_row_blocks(draw, x, 2 * codebook.shape[0])


def codebook_array(
    value: ArrayLike,
    tables: int,
    num_embeddings: int,
    dim: int | None = None,
    *,
    name: str = "codebook",
    unit: bool = False,
) -> np.ndarray:
    """Return `value` as a float32 array `(tables, K, dim)`.

    Args:
        value: array `(tables, K, dim)`; `(K, dim)` where there is one table.
        tables: number of heads with separate codebooks, or of levels.
        num_embeddings: `K`.
        dim: size of a code; `None`: any.
        name: name of the argument, for the error message.
        unit: whether only the directions of the codes matter, in which case no code may be zero.

    Raises:
        ValueError: for another shape, or codes that are not finite, or zero where they must not be.
    """
    codebook = np.asarray(value, "float32")
    if codebook.ndim == 2 and tables == 1:
        codebook = codebook[None]
    if (
        codebook.ndim != 3
        or codebook.shape[:2] != (tables, num_embeddings)
        or codebook.shape[2] != (dim or codebook.shape[2])
    ):
        size = "dim" if dim is None else dim
        expected = f"({num_embeddings}, {size})" if tables == 1 else f"({tables}, {num_embeddings}, {size})"
        raise ValueError(f"{name} must have the shape {expected}. Received: shape={np.shape(value)}")
    if not np.isfinite(codebook).all():
        raise ValueError(
            f"{name} must be finite. "
            f"Received: {np.sum(~np.isfinite(codebook).all(axis=2))} codes with NaN or infinite entries"
        )
    if unit and not np.square(codebook).sum(axis=2).all():
        raise ValueError(
            f'{name} must not contain zero vectors with distance="cosine". Received: at least one'
        )
    return codebook


def counts_array(counts: ArrayLike | None, codebook: np.ndarray) -> np.ndarray:
    """Return `counts` as a float32 array `(tables, K)` for `codebook` `(tables, K, dim)`; zeros if `None`.

    Raises:
        ValueError: for another shape, or counts that are negative, not finite, or all 0.
    """
    if counts is None:
        return np.zeros(codebook.shape[:2], "float32")
    array = np.asarray(counts, "float32")
    array = array[None] if array.ndim == 1 and len(codebook) == 1 else array
    if array.shape != codebook.shape[:2]:
        expected = codebook.shape[1:2] if len(codebook) == 1 else codebook.shape[:2]
        raise ValueError(f"counts must have the shape {expected}. Received: shape={np.shape(counts)}")
    if not np.isfinite(array).all() or array.min() < 0 or not array.any(axis=1).all():
        raise ValueError(
            "counts must be finite, at least 0 and not all 0. "
            f"Received: counts from {array.min()} to {array.max()}. Pass None for equal shares."
        )
    return array


def codebook_config(codebook: np.ndarray | None) -> dict | None:
    """Return a codebook as a config entry; `None` for `None`."""
    if codebook is None:
        return None
    codebook = np.asarray(codebook, "<f4")
    return {"shape": list(codebook.shape), "float32": base64.b64encode(codebook.tobytes()).decode("ascii")}


def codebook_from_config(config: dict | None) -> np.ndarray | None:
    """Return the codebook of a config entry made by `codebook_config`."""
    if not isinstance(config, dict):
        return config
    return np.frombuffer(base64.b64decode(config["float32"]), "<f4").reshape(config["shape"]).copy()
