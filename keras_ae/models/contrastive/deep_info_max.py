"""Deep InfoMax: an encoder trained to maximise mutual information, without a decoder."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.mutual_information_network import MutualInformationNetwork
from keras_ae.losses.contrastive import donsker_varadhan, info_nce, jensen_shannon_mi
from keras_ae.models._data_checks import checked_array
from keras_ae.models._input_rules import InputRules
from keras_ae.models.base import BaseModel, Player
from keras_ae.models.contrastive._local_maps import (
    check_maps,
    flat_map,
    local_encoder,
    location_means,
    sample_positions,
    whole_map,
    whole_map_size,
)
from keras_ae.models.contrastive._prior_matching import PriorMatching, checked_prior
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.core import Tensor, gather_over_replicas
from keras_ae.ops.sequences import (
    call_under_mask,
    check_mask,
    combine,
    input_mask,
    is_sequence,
    mask_of,
    unpack_inputs,
)
from keras_ae.ops.terms import LossTerm, scalars, take_losses

ESTIMATORS = {
    "jensen_shannon": jensen_shannon_mi,
    "info_nce": info_nce,
    "donsker_varadhan": donsker_varadhan,
}


@keras.saving.register_keras_serializable(package="keras_ae")
class DeepInfoMax(BaseModel):
    """Deep InfoMax: encoder with an embedding that identifies its own input among others.

    ```
    z, c = encoder(x)                                # embedding, local map
    u[n, m, l] = f(z_n) . h(c_m)_l / temperature     # score of embedding n and location l of example m
    loss = alpha I(u_global) + beta I(u) + gamma mean softplus(-D(z))
    ```

    `I` is the negative of the bound of the mutual information given by `estimator`, `f` and `h` are
    `layers.MutualInformationNetwork`s, and `u_global[n, m]` scores `z_n` against the whole map
    of example `m`. Encoder and networks are trained together: both minimise the same loss and are not
    adversaries. The prior is the exception: `D` is a separate player with its own optimiser, which
    distinguishes `z` from draws of the prior; the encoder minimises the non-saturating term above, never
    the loss of `D`. Each validation uses the same draws.

    Args:
        encoder: a functional model from `x` to the embedding `(batch, dim)`, with `local`
            given; or any model that returns `(embedding, local map)`.
        local: name of the encoder's layer whose output is the local map, `(batch, ..., channels)`.
        estimator: "jensen_shannon" (works with any batch size), "info_nce" or
            "donsker_varadhan" (both need large batches).
        alpha: weight of the global term.
        beta: weight of the local term; 1 without a global term gives the best classification.
        gamma: weight of the prior's term; with 0 there is no `D`.
        prior: target distribution: "uniform" for `sigmoid(z)`, "gaussian" (standard normal) for `z`.
        mi_units: number of output channels of `f` and `h` (2048 in the paper).
        sample_locations: number of locations of each example that are drawn in each training step;
            `None`: all.
        temperature: divisor of the scores; 1 in the paper.
        prior_units: sizes of the hidden layers of `D`.
        seed: seed of the draws.

    Inputs of `fit`, `evaluate`:
        x: `(batch, ...)`, or `{"x": (batch, length, features), "lengths": (batch,)}` for
            padded sequences; padded locations are ignored.
        sample_weight: `(batch,)`; weights every term, in matched and in mismatched pairs.

    Metrics:
        `loss`; for terms with a positive weight `local_loss`, `global_loss`, and `prior_loss` (of the
        encoder) with `discriminator_loss`. With "jensen_shannon" a term is
        0 for an embedding without information, and at least `-2 log 2`.

    Under replicas all pairs of the global batch are scored: training on two replicas is equivalent to
    training on one device with the global batch.

    Raises:
        ValueError: unknown estimator or prior, no positive weight.
        InputError: the encoder has no layer `local`, or does not return a vector and a map.

    Example:

    >>> from keras_ae.networks import deep_info_max_encoder
    >>> model = DeepInfoMax(deep_info_max_encoder((8, 8, 1), 4, filters=(8, 8), units=16), local="local")
    >>> model.compile("adam")
    >>> model.encode(ops.ones((3, 8, 8, 1))).shape
    TensorShape([3, 4])

    Reference:
        Hjelm et al., 2019, https://arxiv.org/abs/1808.06670.
    """

    discrete = False

    def __init__(
        self,
        encoder: keras.Model,
        *,
        local: str | None = None,
        estimator: str = "jensen_shannon",
        alpha: float = 0.0,
        beta: float = 1.0,
        gamma: float = 0.0,
        prior: str = "uniform",
        mi_units: int = 256,
        sample_locations: int | None = None,
        temperature: float = 1.0,
        prior_units: tuple[int, ...] = (1000, 200),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check(estimator, alpha, beta, gamma, sample_locations, temperature)
        self.encoder = encoder
        self.local = local
        self.estimator = estimator
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.mi_units = mi_units
        self.sample_locations = sample_locations
        self.temperature = temperature
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        own = {"dtype": self.dtype_policy}
        parts = [name for name, weight in (("global", alpha), ("local", beta)) if weight]
        self.embedding_networks, self.map_networks = (  # f and h, only for terms with a positive weight
            {name: MutualInformationNetwork(mi_units, name=f"{of}_{name}", **own) for name in parts}
            for of in ("embedding", "map")
        )
        self.prior, self.prior_units = checked_prior(prior), tuple(prior_units)
        self.prior_matching: Any = (
            PriorMatching(prior, prior_units, seed=seed, name="prior", **own) if gamma else None
        )
        self.track_terms(*(f"{name}_loss" for name in parts))
        if gamma:
            self.track_terms("prior_loss", "discriminator_loss")
        self._maps = local_encoder(encoder, local)
        if getattr(encoder, "built", False) and getattr(encoder, "input_shape", None) is not None:
            self.build(encoder.input_shape)

    def build(self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]) -> None:
        if self.built:
            return
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        self.sample_shape = tuple(shape[1:])
        embedding, local = self._maps(keras.KerasTensor((None, *self.sample_shape), dtype="float32"))
        check_maps(embedding, local)
        self.embedding_dim, self.map_shape = embedding.shape[-1], tuple(local.shape[1:])
        for network in self.embedding_networks.values():
            network.build((None, self.embedding_dim))
        if self.beta:
            self.map_networks["local"].build((None, None, self.map_shape[-1]))
        if self.alpha:
            self.map_networks["global"].build((None, None, whole_map_size(self.map_shape)))
        if self.gamma:
            self.prior_matching.build((None, self.embedding_dim))
        self.built = True

    def players(self) -> list[Player]:
        """Return the player of encoder and networks; with a prior also that of its discriminator."""
        first = Player("model", self._variables_of_the_model)
        if not self.gamma:
            return [first]
        return [first, Player("discriminator", lambda: self.prior_matching.trainable_variables)]

    def input_rules(self) -> InputRules:
        shape = getattr(self, "sample_shape", None)
        shapes = {"x": None if shape is None else (None, *shape), "lengths": (None,)}
        return InputRules(shapes, ignores_y=True)

    def encode(self, x: Any) -> Tensor:
        """Return the embedding of `x`, `(batch, dim)`."""
        values, lengths = unpack_inputs(self.checked_inputs(x))
        return self.maps(values, lengths)[0]

    def embed(self, x: Any) -> Tensor:
        """Return the embedding of `x`, `(batch, dim)`."""
        return self.encode(x)

    def maps(
        self, x: Tensor, lengths: Tensor | None = None, training: bool | None = False
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return `(embedding, local map (batch, locations, channels), mask (batch, locations) or None)`."""
        mask = input_mask(x, lengths)
        embedding, local = call_under_mask(self._maps, x, mask, training)
        if mask is not None:
            check_mask(local, self.encoder.name)
        return embedding, flat_map(local), None if mask is None else mask_of(local)

    def score(self, x: Any, embedding: Tensor | None = None) -> Tensor:
        """Return the score of the pair of `x` and an embedding, averaged over locations: `(batch,)`.

        With "jensen_shannon" it estimates `log p(x, z) / (p(x) p(z))`. `embedding` defaults to the
        embedding of `x`. The local score is used if there is a local term, otherwise the global one.

        Raises:
            InputError: `x` does not satisfy `input_rules`, or `embedding` is not `(batch, dim)`.
        """
        values, lengths = unpack_inputs(self.checked_inputs(x))
        own, local, mask = self.maps(values, lengths)
        if embedding is not None:
            embedding = checked_array("embedding", embedding, (None, self.embedding_dim))
        embedding = own if embedding is None else ops.cast(embedding, own.dtype)
        name = "local" if self.beta else "global"
        vector, locations = self._compared(name, embedding, local, mask, None, training=False)
        scores = ops.einsum("nd,nld->nl", vector, locations) / self.temperature
        mask = mask if self.beta else None
        return ops.mean(scores, axis=1) if mask is None else location_means(scores[:, :, None], mask)[:, 0]

    def call(self, x: Any, training: bool | None = None) -> Tensor:
        """Return the embedding of `x`."""
        values, lengths = unpack_inputs(x)
        return self.maps(values, lengths, training)[0]

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        values, lengths = unpack_inputs(x)
        embedding, local, mask = self.maps(values, lengths, training)
        added = take_losses(self.encoder)
        if player == "discriminator":
            loss = self.prior_matching.discriminator_loss(embedding, sample_weight)
            return {"loss": loss, "discriminator_loss": loss}
        terms, loss = {}, added
        for name, weight in (("global", self.alpha), ("local", self.beta)):
            if weight:
                term = self._mutual_information(name, embedding, local, mask, sample_weight, training)
                terms[f"{name}_loss"] = term
                loss += weight * term
        if self.gamma:
            terms["prior_loss"] = LossTerm.of(self.prior_matching.encoder_loss(embedding, sample_weight))
            loss += self.gamma * terms["prior_loss"]
        return scalars({"loss": loss, **terms})

    def endpoints(self) -> dict[str, Endpoint]:
        """Return `encode` (also as `serving_default`) and `score` of pairs; there is no decoder."""
        inputs = {"x": tf.TensorSpec((None, *self.sample_shape), tf.float32, name="x")}
        if is_sequence(self.sample_shape):
            inputs["lengths"] = tf.TensorSpec((None,), tf.int32, name="lengths")
        embedding = tf.TensorSpec((None, self.embedding_dim), tf.float32, name="embedding")
        return {
            "serving_default": Endpoint(self._encode_endpoint, inputs, ("saved_model",)),
            "encode": Endpoint(self._encode_endpoint, inputs),
            "score": Endpoint(self._score_endpoint, {**inputs, "embedding": embedding}),
        }

    def _encode_endpoint(self, **inputs):
        return {"embedding": self.encode(inputs)}

    def _score_endpoint(self, embedding, **inputs):
        return {"score": self.score(inputs, embedding)}

    def _mutual_information(self, name, embedding, local, mask, sample_weight, training):
        """Return the estimate from all pairs of the global batch; a batch without a pair has weight 0."""
        if name == "local" and training and self.sample_locations is not None:
            local, mask = sample_positions(local, mask, self.sample_locations, self.seed_generator)
        vector, locations = self._compared(name, embedding, local, mask, sample_weight, training)
        mask = mask if name == "local" else None
        parts = {"vector": vector, "locations": locations, "mask": mask, "weights": sample_weight}
        parts = {key: _gathered(part) for key, part in parts.items()}
        scores = ops.einsum("nd,mld->nml", parts["vector"], parts["locations"]) / self.temperature
        value = ESTIMATORS[self.estimator](scores, parts["mask"], parts["weights"])
        weights = ops.ones_like(parts["vector"][:, 0]) if parts["weights"] is None else parts["weights"]
        pairs = ops.sum(ops.cast(weights > 0, "int32")) > 1
        return LossTerm([(value, ops.where(pairs, ops.sum(weights), 0.0))])

    def _compared(self, name, embedding, local, mask, sample_weight, training):
        """Return `f(z)`, `(batch, units)`, and `h(c)`, `(batch, locations, units)`, float32."""
        vector = self.embedding_networks[name](embedding, mask=sample_weight, training=training)
        if name == "global":
            local, mask = whole_map(local, mask, self.map_shape)[:, None], None
        weights = combine(mask, sample_weight)
        locations = self.map_networks[name](local, mask=weights, training=training)
        return ops.cast(vector, "float32"), ops.cast(locations, "float32")

    def _variables_of_the_model(self):
        networks = [*self.embedding_networks.values(), *self.map_networks.values()]
        return [v for part in (self.encoder, *networks) for v in part.trainable_variables]

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        return (shape[0], self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        names = ("local", "estimator", "alpha", "beta", "gamma", "mi_units", "sample_locations", "seed")
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            **{name: getattr(self, name) for name in (*names, "temperature")},
            "prior": self.prior,
            "prior_units": list(self.prior_units),
        }


def _gathered(part):
    return None if part is None else gather_over_replicas(ops.cast(part, "float32"))[0]


def _check(estimator, alpha, beta, gamma, sample_locations, temperature):
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {list(ESTIMATORS)}. Received: estimator={estimator!r}")
    if min(alpha, beta, gamma) < 0 or alpha + beta <= 0:
        raise ValueError(
            "alpha, beta and gamma must be at least 0, and alpha or beta must be positive. "
            f"Received: alpha={alpha!r}, beta={beta!r}, gamma={gamma!r}"
        )
    if sample_locations is not None and sample_locations < 1:
        raise ValueError(
            f"sample_locations must be at least 1 or None. Received: sample_locations={sample_locations!r}"
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be positive. Received: temperature={temperature!r}")
