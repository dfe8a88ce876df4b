"""Residual vector quantisation: a sum of codes, each for the residual of the levels before."""

from typing import Any, Self

import keras
from keras import ops
from numpy.typing import ArrayLike

from keras_ae.layers.base import Float32Dense, ScheduledVariable
from keras_ae.layers.bottlenecks._codebook import (
    Codebook,
    codebook_array,
    codebook_config,
    codebook_from_config,
    counts_array,
)
from keras_ae.layers.bottlenecks._codebook_start import real_weights
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck, flatten_weights
from keras_ae.layers.bottlenecks.vector_quantizer import (
    check_code_size,
    check_codebook,
    check_initial_codebook,
    check_shared_settings,
)
from keras_ae.losses.quantization import codebook_loss, commitment_loss
from keras_ae.metrics.codebook import count_codes
from keras_ae.ops.core import Tensor, rotate_onto, straight_through
from keras_ae.ops.terms import LossTerm

SETTINGS = (  # the arguments that are stored unchanged
    *("num_embeddings", "num_levels", "commitment_cost", "ema_decay", "codebook_dim", "gradient"),
    *("linear_codebook", "quantizer_dropout", "kmeans_samples", "revival_threshold", "seed"),
)


@keras.saving.register_keras_serializable(package="keras_ae")
class ResidualVectorQuantizer(Bottleneck):
    """Bottleneck that replaces each vector by a sum of codes, one of each level.

    ```
    r_1 = x,   code_l = argmin_k |r_l - e_lk|^2,   r_(l+1) = r_l - sg[e_l]
    embedding = sum_l e_l,   gradient = that of the embedding, passed to x
    loss      = commitment_cost * sum_l mean |r_l - sg[e_l]|^2    (+ sum_l mean |sg[r_l] - e_l|^2 without EMA)
    ```

    The residual contains only constants `sg[e_l]`, so the commitment loss of every level reaches the
    encoder. Each level starts by k-means after the level before has, and is zero until then. `decode`
    also takes codes of fewer levels: the first levels are the coarse ones.

    Args:
        num_embeddings: `K`, number of codes of each level.
        num_levels: `L`, number of levels.
        commitment_cost: weight of the commitment loss.
        ema_decay: decay of the running means; `None`: the codebooks are trained by gradient instead.
        codebook_dim: size of a code if it differs from that of the vector: one learned linear map
            projects to the codes, another one back.
        gradient: `"straight_through"`, or `"rotation"` for the rotation trick.
        linear_codebook: whether to use SimVQ in each level; requires `ema_decay=None`.
        sampling_temperature: as in `VectorQuantizer`.
        quantizer_dropout: fraction of the training examples that use 1 to `L` levels, with equal
            probability, instead of all; their missing codes are -1.
        kmeans_samples, revival_threshold: as in `VectorQuantizer`, for each level.
        initial_codebook: initial code vectors `(num_levels, K, size of a code)`, replacing k-means starts.
        seed: seed of the starts, the revivals, the sampling and the dropout.

    Call arguments:
        x: `(batch, ..., dim)`.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.

    Output shape:
        embedding `(batch, ..., dim)`; codes int32 `(batch, ..., levels)`.

    Metrics:
        `perplexity` and `usage` over all levels; `commitment_loss` and, without EMA, `codebook_loss`,
        summed over levels.

    Example:

    >>> layer = ResidualVectorQuantizer(16, 3, seed=0)
    >>> codes = layer.encode(keras.random.normal((2, 4, 8)))
    >>> codes.shape, layer.decode(codes[..., :2]).shape
    (TensorShape([2, 4, 3]), TensorShape([2, 4, 8]))

    Reference:
        Zeghidour et al., 2021 (SoundStream), https://arxiv.org/abs/2107.03312.
    """

    least_code = -1  # a level that was left out

    def __init__(
        self,
        num_embeddings: int,
        num_levels: int,
        *,
        commitment_cost: float = 0.25,
        ema_decay: float | None = 0.99,
        codebook_dim: int | None = None,
        gradient: str = "straight_through",
        linear_codebook: bool = False,
        sampling_temperature: float | keras.optimizers.schedules.LearningRateSchedule = 0.0,
        quantizer_dropout: float = 0.0,
        kmeans_samples: int | None = None,
        initial_codebook: ArrayLike | None = None,
        revival_threshold: float = 0.05,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_embeddings = num_embeddings
        self.num_levels = num_levels
        self.commitment_cost = commitment_cost
        self.ema_decay = ema_decay
        self.codebook_dim = codebook_dim
        self.gradient = gradient
        self.linear_codebook = linear_codebook
        self.quantizer_dropout = quantizer_dropout
        self.kmeans_samples = kmeans_samples
        self.revival_threshold = revival_threshold
        self.seed = seed
        check_residual_settings(self)
        self.initial_codebook = check_initial_codebook(self, initial_codebook, num_levels)
        initial = self.initial_codebook
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.tables = [
            Codebook(
                num_embeddings,
                ema_decay=ema_decay,
                linear=linear_codebook,
                kmeans_samples=kmeans_samples,
                initial=None if initial is None else initial[level : level + 1],
                revival_threshold=revival_threshold,
                sampling_temperature=sampling_temperature,
                seed=None if seed is None else seed + level,
                name=f"level_{level}",
            )
            for level in range(num_levels)
        ]
        self.track_codes(num_embeddings, num_levels)
        self.track_term("commitment_loss")
        if ema_decay is None:
            self.track_term("codebook_loss")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        dim = input_shape[-1]
        if dim is None:
            raise ValueError(
                "The input of ResidualVectorQuantizer must have a last axis of known size. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        self.code_dim = self.codebook_dim or dim
        check_code_size(self.initial_codebook, self.code_dim)
        if self.codebook_dim:
            # float32, as the whole layer: codes must not depend on the dtype policy
            self.map_in = Float32Dense(self.code_dim, name="map_in")
            self.map_out = Float32Dense(dim, name="map_out")
            self.map_in.build((None, dim))
            self.map_out.build((None, self.code_dim))
        for table in self.tables:
            table.build((None, 1, self.code_dim))
        super().build(input_shape)

    def set_codebook(self, codebook: ArrayLike, counts: ArrayLike | None = None) -> None:
        """Replace the code vectors of all levels; training continues from them, without k-means starts.

        Builds the layer if the codes alone determine its size.

        Args:
            codebook: `(num_levels, K, size of a code)`.
            counts: `(num_levels, K)`: the weight of each code in one batch; `None`: an equal
                share of the next training batch.

        Raises:
            ValueError: for another shape, values that are not finite, or an unbuilt layer with a
                `codebook_dim`.
        """
        size = self.code_dim if self.built else self.codebook_dim
        codebook = codebook_array(codebook, self.num_levels, self.num_embeddings, size)
        counts = counts_array(counts, codebook)
        if not self.built and self.codebook_dim:
            raise ValueError(
                "ResidualVectorQuantizer.set_codebook must be called on a built layer if codebook_dim is "
                "set. Received: a layer that is not built. Call the layer, its `encode` or its `build` "
                "first."
            )
        self._build_once((None, codebook.shape[2]))
        for level, table in enumerate(self.tables):
            table.set_vectors(codebook[level : level + 1], counts[level : level + 1])

    # Inference

    def assign_codes(self, x: Tensor) -> Tensor:
        return self._walk(x, lambda table, residual: table.search(residual))

    def margin(self, x: Tensor) -> Tensor:
        """Return the relative gap `(d_2 - d_1) / d_2` of the two least squared distances per level."""
        return self._walk(ops.cast(x, "float32"), lambda table, residual: table.margin(residual))

    def look_up(self, codes: Tensor) -> Tensor:
        if codes.shape[-1] is None or codes.shape[-1] > self.num_levels:
            raise ValueError(
                "The codes of ResidualVectorQuantizer.decode must have the shape (..., levels), with 1 to "
                f"{self.num_levels} levels. "
                f"Received: codes of shape={tuple(codes.shape)}"
            )
        flat = ops.reshape(codes, (-1, codes.shape[-1]))
        levels = [self._look_up_level(level, flat[:, level]) for level in range(codes.shape[-1])]
        return self._join(sum(levels), ops.shape(codes)[:-1])

    def observe(self, x: Tensor, embedding: Tensor | None, codes: Tensor, weights: Tensor | None) -> None:
        rows, weights = self._split(x), flatten_weights(weights, x)
        codes = ops.reshape(codes, (-1, self.num_levels))
        levels = []
        for level in range(self.num_levels):
            quantized = self._look_up_level(level, codes[:, level])
            levels.append((rows, quantized, codes[:, level : level + 1], weights))
            rows = rows - ops.stop_gradient(quantized)
        self._record(levels)

    def position_losses(self, x: Tensor) -> Tensor | None:
        def error(table, residual):
            left = residual - table.look_up(table.search(residual))
            return ops.mean(ops.square(left), axis=-1)

        squared = ops.sum(self._walk(x, error), axis=-1)
        return (self.commitment_cost + (self.ema_decay is None)) * squared

    # Training

    def train_call(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        rows, kept = self._split(x), self._kept(x)
        weights = flatten_weights(weights, x)
        residual, total, levels, embedding_codes = rows, 0.0, [], []
        for level, table in enumerate(self.tables):
            used = weights * ops.cast(kept > level, "float32") * self._is_due(level)
            quantized, codes, _ = table.train(residual[:, None], used)
            levels.append((residual, quantized[:, 0], codes, used))
            present = (kept > level)[:, None]
            quantized = ops.where(present, quantized[:, 0], 0.0)
            total = total + quantized
            residual = residual - ops.stop_gradient(quantized)
            embedding_codes.append(ops.where(present, codes, -1))
        self._record(levels)
        pass_gradient = rotate_onto if self.gradient == "rotation" else straight_through
        shape = ops.shape(x)[:-1]
        codes = ops.concatenate(embedding_codes, axis=-1)
        return self._join(pass_gradient(rows, total), shape), ops.reshape(codes, (*shape, self.num_levels))

    def _kept(self, x):
        """Return the number of levels that each vector uses, `(vectors,)`."""
        batch = ops.shape(x)[0]
        levels = ops.full((batch,), self.num_levels, dtype="int32")
        if self.quantizer_dropout:
            chance, which = ops.unstack(self._uniform((2, batch)), axis=0)
            fewer = 1 + ops.cast(ops.floor(which * self.num_levels), "int32")
            levels = ops.where(chance < self.quantizer_dropout, ops.minimum(fewer, self.num_levels), levels)
        # all positions of an example use the same number of levels
        spread = ops.reshape(levels, (-1, *[1] * (len(x.shape) - 2)))
        return ops.reshape(ops.broadcast_to(spread, ops.shape(x)[:-1]), (-1,))

    def _is_due(self, level):
        """Return 1 after the k-means start of the level before: until then there is no residual to learn."""
        if level == 0 or not self.tables[0].buffer_size:
            return 1.0
        return ops.convert_to_tensor(self.tables[level - 1].started)

    def _record(self, levels):
        """Record terms and counts of `(residual, quantized, codes, weights)` of each level."""
        terms = {"commitment_loss": sum(LossTerm.of(commitment_loss(r, q, w)) for r, q, _, w in levels)}
        loss = self.commitment_cost * terms["commitment_loss"]
        if self.ema_decay is None:
            terms["codebook_loss"] = sum(LossTerm.of(codebook_loss(r, q, w)) for r, q, _, w in levels)
            loss = loss + terms["codebook_loss"]
        counts = [count_codes(c, real_weights(r[:, None], w), self.num_embeddings) for r, _, c, w in levels]
        self.record_counts(ops.concatenate(counts))
        self.record_terms(terms, loss)

    # Parts

    def _walk(self, x, function):
        """Return `function(table, residual)` of each level, `(batch, ..., levels)`."""
        residual, found = self._split(x)[:, None], []
        for table in self.tables:
            found.append(function(table, residual))
            residual = residual - table.look_up(table.search(residual))
        return ops.reshape(ops.concatenate(found, axis=-1), (*ops.shape(x)[:-1], self.num_levels))

    def _look_up_level(self, level, codes):
        rows = self.tables[level].look_up(ops.maximum(codes, 0)[:, None])[:, 0]
        return ops.where((codes >= 0)[:, None], rows, 0.0)  # a level that was left out adds nothing

    def _split(self, x):
        x = self.map_in(x) if self.codebook_dim else x
        return ops.reshape(x, (-1, self.code_dim))

    def _join(self, rows, shape):
        joined = ops.reshape(rows, (*shape, self.code_dim))
        return self.map_out(joined) if self.codebook_dim else joined

    def _uniform(self, shape):
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)

    def code_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], self.num_levels)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in SETTINGS}
        temperature = self.tables[0].annealing.get_value_config()
        codebook = codebook_config(self.initial_codebook)
        given = {"sampling_temperature": temperature, "initial_codebook": codebook}
        return {**super().get_config(), **own, **given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        temperature = ScheduledVariable.value_from_config(config.get("sampling_temperature", 0.0))
        codebook = codebook_from_config(config.get("initial_codebook"))
        return cls(**{**config, "sampling_temperature": temperature, "initial_codebook": codebook})


def check_residual_settings(layer: "ResidualVectorQuantizer") -> None:
    """Raise a `ValueError` for settings that are not valid for a `ResidualVectorQuantizer`."""
    check_codebook(layer.num_embeddings, layer.ema_decay, layer.kmeans_samples)
    check_shared_settings(layer)
    if layer.num_levels < 1:
        raise ValueError(
            f"ResidualVectorQuantizer: num_levels must be at least 1. Received: num_levels={layer.num_levels}"
        )
    if not 0.0 <= layer.quantizer_dropout <= 1.0:
        raise ValueError(
            f"quantizer_dropout must be in [0, 1]. Received: quantizer_dropout={layer.quantizer_dropout}"
        )
