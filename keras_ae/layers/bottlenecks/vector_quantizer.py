"""Vector quantisation: an embedding as the nearest vector of a learned codebook."""

from typing import Any, Self

import keras
from keras import ops
from numpy.typing import ArrayLike, NDArray

from keras_ae.layers.base import Float32Dense, ScheduledVariable
from keras_ae.layers.bottlenecks._codebook import (
    Codebook,
    codebook_array,
    codebook_config,
    codebook_from_config,
    counts_array,
    squared_distance,
)
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck, flat_or_none, ones_unless
from keras_ae.losses.quantization import code_diversity_loss, codebook_loss, orthogonality_loss
from keras_ae.metrics.codebook import count_codes
from keras_ae.ops.core import Tensor, is_finite, rotate_onto, straight_through
from keras_ae.ops.terms import LossTerm, batch_term, mean_term

SETTINGS = (  # the arguments that are stored unchanged
    *("num_embeddings", "commitment_cost", "ema_decay", "num_heads", "share_codebook", "codebook_dim"),
    *("distance", "gradient", "linear_codebook", "orthogonality_weight", "diversity_weight"),
    *("diversity_temperature", "kmeans_samples", "revival_threshold", "seed"),
)


@keras.saving.register_keras_serializable(package="keras_ae")
class VectorQuantizer(Bottleneck):
    """Vector-quantisation bottleneck: each vector is replaced by the nearest of `K` learned codes.

    ```
    code(x)   = argmin_k |x - e_k|^2          embedding(x) = e_code(x)
    gradient  = that of the embedding, passed to x unchanged (or rotated as x onto its code)
    loss      = commitment_cost * mean |x - sg[e]|^2     (+ mean |sg[x] - e|^2 without EMA)
    EMA       : N_k <- g N_k + (1 - g) n_k,   m_k <- g m_k + (1 - g) sum x,   e_k = m_k / N_k
    ```

    The codebook starts by k-means++ on the first batches (until then its codes are samples of the data),
    and a code whose running count falls below `revival_threshold` of its fair share moves towards a
    vector that is far from its code, with new statistics: the defaults avoid codebook collapse. Under
    `tf.distribute` all replicas have the codebook that one device would get from the global batch.

    Args:
        num_embeddings: `K`, number of codes (of each head).
        commitment_cost: weight of the commitment loss (0.25 as in the paper).
        ema_decay: `g`; `None`: the codebook is trained by gradient instead.
        num_heads: number of parts into which the vector is cut, each with its own codebook.
        share_codebook: whether the heads share one codebook.
        codebook_dim: size of a code if it differs from that of the (part of the) vector: one learned
            linear map projects to the codes, another one back; `decode` includes the latter.
        distance: `"euclidean"`, or `"cosine"`: vectors and codes of unit length.
        gradient: `"straight_through"`, or `"rotation"` for the rotation trick.
        linear_codebook: whether to use SimVQ: `e = W c` with fixed `c` (the k-means start) and a learned
            matrix `W`, so that every step moves every code; requires `ema_decay=None`.
        sampling_temperature: in training, codes are drawn with `P(k) ~ exp(-|x - e_k|^2 / t)`; a float or
            a `keras.optimizers.schedules.LearningRateSchedule` of the training steps, which are counted
            in a saved variable; 0: always the nearest code.
        orthogonality_weight: weight of the codes' squared cosines; requires `ema_decay=None`.
        diversity_weight: weight of `log K - H(mean softmax_k(-|x - e_k|^2 / diversity_temperature))`.
        diversity_temperature: temperature of that softmax, in the units of `x` squared.
        kmeans_samples: number of vectors collected for the k-means start; `None`: 64 per code, at most
            65,536 but at least 4 per code; 0: no k-means, the initial codes are random normal.
        initial_codebook: initial code vectors, replacing a k-means start: `(K, size of a code)`, with a
            codebook for each head `(num_heads, K, size of a code)`; see also `set_codebook`.
        revival_threshold: a code is dead below this fraction of `vectors / K`, its fair share of a batch;
            0: no revival.
        seed: seed of the k-means start, the revival and the sampling.

    Call arguments:
        x: `(batch, ..., dim)`; `dim` must be divisible by `num_heads` unless `codebook_dim` is given.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.

    Output shape:
        embedding `(batch, ..., dim)`; codes int32 `(batch, ...)`, with several heads
        `(batch, ..., heads)`.

    Metrics:
        `perplexity`, `usage`, `commitment_loss`; `codebook_loss` without EMA;
        `orthogonality_loss` and `diversity_loss` if their weights are not 0.

    Example:

    >>> layer = VectorQuantizer(16, seed=0)
    >>> layer.encode(keras.random.normal((2, 4, 8))).shape
    TensorShape([2, 4])

    Reference:
        van den Oord et al., 2017, https://arxiv.org/abs/1711.00937; `codebook_dim` and cosine:
        Yu et al., 2022, https://arxiv.org/abs/2110.04627; SimVQ: Zhu et al., 2024,
        https://arxiv.org/abs/2411.02038; rotation: https://arxiv.org/abs/2410.06424.
    """

    def __init__(
        self,
        num_embeddings: int,
        *,
        commitment_cost: float = 0.25,
        ema_decay: float | None = 0.99,
        num_heads: int = 1,
        share_codebook: bool = False,
        codebook_dim: int | None = None,
        distance: str = "euclidean",
        gradient: str = "straight_through",
        linear_codebook: bool = False,
        sampling_temperature: float | keras.optimizers.schedules.LearningRateSchedule = 0.0,
        orthogonality_weight: float = 0.0,
        diversity_weight: float = 0.0,
        diversity_temperature: float = 1.0,
        kmeans_samples: int | None = None,
        initial_codebook: ArrayLike | None = None,
        revival_threshold: float = 0.05,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_embeddings = num_embeddings
        self.commitment_cost = commitment_cost
        self.ema_decay = ema_decay
        self.num_heads = num_heads
        self.share_codebook = share_codebook
        self.codebook_dim = codebook_dim
        self.distance = distance
        self.gradient = gradient
        self.linear_codebook = linear_codebook
        self.orthogonality_weight = orthogonality_weight
        self.diversity_weight = diversity_weight
        self.diversity_temperature = diversity_temperature
        self.kmeans_samples = kmeans_samples
        self.revival_threshold = revival_threshold
        self.seed = seed
        check_settings(self)
        self.initial_codebook = check_initial_codebook(self, initial_codebook, self._tables)
        self.table = Codebook(
            num_embeddings,
            ema_decay=ema_decay,
            distance=distance,
            linear=linear_codebook,
            kmeans_samples=kmeans_samples,
            initial=self.initial_codebook,
            revival_threshold=revival_threshold,
            sampling_temperature=sampling_temperature,
            seed=seed,
            name="table",
        )
        self.track_codes(num_embeddings, self._tables)
        for name in self._weighted_terms():
            self.track_term(name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        dim = input_shape[-1]
        if dim is None or (self.codebook_dim is None and dim % self.num_heads):
            raise ValueError(
                "The input of VectorQuantizer must have a last axis of known size, divisible by "
                f"num_heads={self.num_heads}. Received: input_shape={tuple(input_shape)}"
            )
        self.dim = dim
        self.head_dim = self.codebook_dim or dim // self.num_heads
        if self.codebook_dim:
            self.map_in = self._linear_map("map_in", (None, dim), self.num_heads * self.head_dim)
            self.map_out = self._linear_map("map_out", (None, self.num_heads * self.head_dim), dim)
        check_code_size(self.initial_codebook, self.head_dim)
        self.table.build((None, self._tables, self.head_dim))
        super().build(input_shape)

    def _linear_map(self, name, input_shape, units):
        # float32, as the whole layer: codes must not depend on the dtype policy
        dense = Float32Dense(units, name=name)
        dense.build(input_shape)
        return dense

    def set_codebook(self, codebook: ArrayLike, counts: ArrayLike | None = None) -> None:
        """Replace the code vectors; training continues from them, without a k-means start.

        Builds the layer if the codes alone determine its size.

        Args:
            codebook: `(K, size of a code)`, with a codebook for each head `(num_heads, K, size of a code)`.
                With a linear codebook these are the products; `W` becomes the identity.
            counts: `N`, `(K,)` or `(num_heads, K)`: the weight of each code in one batch; the larger it
                is, the less the first batches move the code. `None`: an equal share of the next training
                batch.

        Raises:
            ValueError: for another shape, values that are not finite, or an unbuilt layer with a
                `codebook_dim`.

        Example:

        >>> layer = VectorQuantizer(2)
        >>> layer.set_codebook([[0.0, 0.0], [1.0, 1.0]])
        >>> layer.encode([[0.9, 0.8]]).numpy().tolist()
        [1]
        """
        size = self.head_dim if self.built else self.codebook_dim
        unit = self.distance == "cosine"
        codebook = codebook_array(codebook, self._tables, self.num_embeddings, size, unit=unit)
        counts = counts_array(counts, codebook)
        if not self.built and self.codebook_dim:
            raise ValueError(
                "VectorQuantizer.set_codebook must be called on a built layer if codebook_dim is set. "
                "Received: a layer that is not built. Call the layer, its `encode` or its `build` first."
            )
        self._build_once((None, self.num_heads * codebook.shape[2]))
        self.table.set_vectors(codebook, counts)

    @property
    def _tables(self):
        return 1 if self.share_codebook else self.num_heads

    # State, named as in the equations

    @property
    def codebook(self) -> keras.Variable:
        """Variable of the code vectors, `(heads, K, head_dim)`."""
        return self.table.vectors

    @property
    def counts(self) -> keras.Variable:
        """Variable `N`, `(heads, K)`."""
        return self.table.counts

    @property
    def sums(self) -> keras.Variable:
        """Variable `m`, `(heads, K, head_dim)`; only with EMA."""
        return self.table.sums

    @property
    def sampling_temperature(self) -> keras.Variable:
        """Variable that holds the current temperature."""
        return self.table.annealing.variable

    @property
    def started(self) -> keras.Variable | Tensor:
        """Variable that is 1 once the k-means start is done; a constant 1 without such a start."""
        return self.table.started if self.table.buffer_size else ops.ones((), dtype="float32")

    # Inference

    def assign_codes(self, x: Tensor) -> Tensor:
        codes = self.table.search(self._split_heads(x))
        return ops.reshape(codes, self.code_shape(ops.shape(x)))

    def look_up(self, codes: Tensor) -> Tensor:
        codes = codes[..., None] if self.num_heads == 1 else codes
        rows = self.table.look_up(ops.reshape(codes, (-1, self.table.num_heads)))
        return self._join_heads(rows, ops.shape(codes)[:-1])

    def margin(self, x: Tensor) -> Tensor:
        """Return the relative gap `(d_2 - d_1) / d_2` of the two least squared distances."""
        x = ops.cast(x, "float32")
        return ops.reshape(self.table.margin(self._split_heads(x)), self.code_shape(ops.shape(x)))

    def observe(self, x: Tensor, embedding: Tensor | None, codes: Tensor, weights: Tensor | None) -> None:
        heads, weights = self._split_heads(x), self._head_weights(weights)
        codes = ops.reshape(codes, (-1, self.table.num_heads))
        quantized = self.table.look_up(codes)
        squared = squared_distance(heads, ops.stop_gradient(quantized))
        self._record(heads, quantized, codes, squared, weights)

    def position_losses(self, x: Tensor) -> Tensor | None:
        heads = self._split_heads(x)
        squared = squared_distance(heads, self.table.look_up(self.table.search(heads))) / self.head_dim
        squared = ops.mean(ops.reshape(squared, (*ops.shape(x)[:-1], self.num_heads)), axis=-1)
        return (self.commitment_cost + (self.ema_decay is None)) * squared

    # Training

    def train_call(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        weights = self._head_weights(weights)
        heads = self._split_heads(x)
        quantized, codes, squared = self.table.train(heads, weights)
        self._record(heads, quantized, codes, squared, weights)
        pass_gradient = rotate_onto if self.gradient == "rotation" else straight_through
        embedding = self._join_heads(pass_gradient(heads, quantized), ops.shape(x)[:-1])
        return embedding, ops.reshape(codes, self.code_shape(ops.shape(x)))

    def _record(self, heads, quantized, codes, squared, weights):
        terms = {"commitment_loss": mean_term(squared / self.head_dim, weights)}
        if self.ema_decay is None:
            terms["codebook_loss"] = LossTerm.of(codebook_loss(heads, quantized, weights))
        vectors = ones_unless(weights, heads)
        tables = list(enumerate(ops.unstack(self.table.code_vectors())))
        if self.orthogonality_weight:
            loss = _mean([orthogonality_loss(codebook) for _, codebook in tables])
            terms["orthogonality_loss"] = batch_term(loss, vectors)
        if self.diversity_weight:
            temperature = self.diversity_temperature
            loss = _mean(
                [
                    code_diversity_loss(heads[:, head], codebook, weights, temperature)
                    for head, codebook in tables
                ]
            )
            terms["diversity_loss"] = batch_term(loss, vectors)
        # a vector that is not finite affects the loss, but does not count as use of a code
        counted = ops.where(ops.all(is_finite(squared), axis=-1), vectors, 0.0)
        self.record_counts(count_codes(codes, counted, self.num_embeddings))
        weight = self._weighted_terms()
        self.record_terms(terms, sum(weight[name] * value for name, value in terms.items()))

    # Parts

    def _weighted_terms(self):
        """Return `{term: weight}` of the terms of this layer's loss."""
        weights = {"commitment_loss": self.commitment_cost}
        if self.ema_decay is None:
            weights["codebook_loss"] = 1.0
        if self.orthogonality_weight:
            weights["orthogonality_loss"] = self.orthogonality_weight
        if self.diversity_weight:
            weights["diversity_loss"] = self.diversity_weight
        return weights

    def _split_heads(self, x):
        """Reshape `x` to `(vectors, heads, head_dim)`; a shared codebook has one head and more vectors."""
        x = self.map_in(x) if self.codebook_dim else x
        return self.table.unit(ops.reshape(x, (-1, self.table.num_heads, self.head_dim)))

    def _join_heads(self, rows, shape):
        """Reverse `_split_heads`; `shape` is `(batch, ...)`."""
        joined = ops.reshape(rows, (*shape, self.num_heads * self.head_dim))
        return self.map_out(joined) if self.codebook_dim else joined

    def _head_weights(self, weights):
        weights = flat_or_none(weights)
        repeats = self.num_heads // self.table.num_heads
        return weights if weights is None or repeats == 1 else ops.repeat(weights, repeats)

    def codes_per_position(self) -> int | None:
        return self.num_heads if self.num_heads > 1 else None

    def code_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape[:-1] if self.num_heads == 1 else (*shape[:-1], self.num_heads)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in SETTINGS}
        temperature = self.table.annealing.get_value_config()
        codebook = codebook_config(self.initial_codebook)
        given = {"sampling_temperature": temperature, "initial_codebook": codebook}
        return {**super().get_config(), **own, **given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        temperature = ScheduledVariable.value_from_config(config.get("sampling_temperature", 0.0))
        codebook = codebook_from_config(config.get("initial_codebook"))
        return cls(**{**config, "sampling_temperature": temperature, "initial_codebook": codebook})


def _mean(values):
    return sum(values) / len(values)


def check_settings(layer: "VectorQuantizer") -> None:
    """Raise a `ValueError` for settings that are not valid for a `VectorQuantizer`.

    Args:
        layer: layer with the constructor's arguments as attributes.
    """
    check_codebook(layer.num_embeddings, layer.ema_decay, layer.kmeans_samples)
    check_shared_settings(layer)
    if layer.num_heads < 1:
        raise ValueError(
            f"VectorQuantizer: num_heads must be at least 1. Received: num_heads={layer.num_heads}"
        )
    if layer.distance not in ("euclidean", "cosine"):
        raise ValueError(f"distance must be 'euclidean' or 'cosine'. Received: distance={layer.distance!r}")
    if layer.diversity_temperature <= 0:
        raise ValueError(
            "diversity_temperature must be positive. "
            f"Received: diversity_temperature={layer.diversity_temperature}"
        )
    _check_by_gradient(layer, "orthogonality_weight")


def check_codebook(num_embeddings: int, ema_decay: float | None, kmeans_samples: int | None) -> None:
    """Raise a `ValueError` for settings that are not valid for a codebook."""
    if num_embeddings < 1:
        raise ValueError(f"num_embeddings must be at least 1. Received: num_embeddings={num_embeddings}")
    if ema_decay is not None and not 0.0 <= ema_decay < 1.0:
        raise ValueError(
            "ema_decay must be in [0, 1), or None for a codebook trained by gradient. "
            f"Received: ema_decay={ema_decay}"
        )
    if kmeans_samples and kmeans_samples < num_embeddings:
        raise ValueError(
            f"kmeans_samples must be at least one per code ({num_embeddings}), or 0 for no k-means start. "
            f"Received: kmeans_samples={kmeans_samples}"
        )


def check_initial_codebook(layer: Bottleneck, codebook: ArrayLike | None, tables: int) -> NDArray[Any] | None:
    """Return `codebook` as a float32 array `(tables, K, size)`, or `None`.

    Raises:
        ValueError: for another shape, values that are not finite, or a k-means start as well.
    """
    if codebook is None:
        return None
    if layer.kmeans_samples:
        raise ValueError(
            "kmeans_samples must be None or 0 with an initial_codebook, which replaces the k-means start. "
            f"Received: kmeans_samples={layer.kmeans_samples}"
        )
    unit = getattr(layer, "distance", "euclidean") == "cosine"
    return codebook_array(
        codebook, tables, layer.num_embeddings, layer.codebook_dim, name="initial_codebook", unit=unit
    )


def check_code_size(codebook: NDArray[Any] | None, size: int) -> None:
    """Raise `ValueError` unless the codes of `codebook` `(tables, K, dim)` have this size."""
    if codebook is not None and codebook.shape[2] != size:
        raise ValueError(
            f"initial_codebook must have codes of size {size}, that of the quantised vectors. "
            f"Received: shape={codebook.shape}"
        )


def check_shared_settings(layer: Bottleneck) -> None:
    """Raise a `ValueError` for settings of both quantisers that are not valid."""
    if layer.codebook_dim is not None and layer.codebook_dim < 1:
        raise ValueError(
            f"codebook_dim must be at least 1, or None. Received: codebook_dim={layer.codebook_dim}"
        )
    if layer.gradient not in ("straight_through", "rotation"):
        raise ValueError(
            f"gradient must be 'straight_through' or 'rotation'. Received: gradient={layer.gradient!r}"
        )
    _check_by_gradient(layer, "linear_codebook")


def _check_by_gradient(layer, name):
    if getattr(layer, name) and layer.ema_decay is not None:
        raise ValueError(
            f"ema_decay must be None with {name}, which requires a codebook trained by gradient. "
            f"Received: {name}={getattr(layer, name)}, ema_decay={layer.ema_decay}"
        )
