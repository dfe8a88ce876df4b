"""Auto-encoder of an encoder, an optional bottleneck and a decoder, trained on a reconstruction loss."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.layers.bottlenecks.gaussian_bottleneck import GaussianBottleneck
from keras_ae.layers.bottlenecks.stochastic_bottleneck import StochasticBottleneck
from keras_ae.layers.tables.table_likelihood import TableLikelihood
from keras_ae.models._data_checks import checked_array
from keras_ae.models._input_rules import InputRules, loss_bounds
from keras_ae.models.base import BaseModel
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.exploration import check_draws, drawn_positions
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.models.stages import MethodDraws, check_loss, check_reconstruction, reconstruction_losses
from keras_ae.ops.core import Tensor, where_counted
from keras_ae.ops.sequences import (
    call_masked,
    code_lengths,
    combine,
    crop,
    input_mask,
    is_sequence,
    mask_of,
    mean_per_example,
    sequence_mask,
    unpack_inputs,
)
from keras_ae.ops.terms import mean_term, scalars, take_losses
from keras_ae.tables.values import random_rows


@keras.saving.register_keras_serializable(package="keras_ae")
class AutoEncoder(BaseModel):
    """Auto-encoder `x -> encoder -> bottleneck -> decoder -> x_hat`, trained to make `x_hat` equal `x`.

    `loss = mean reconstruction_loss(x, x_hat) + losses added by the bottleneck`, with the mean taken
    over real elements. With `layers.VectorQuantizer` as bottleneck this is the VQ-VAE,
    with `GumbelOneHot` or `BinaryBottleneck` the one-hot and binary auto-encoders.

    Args:
        encoder: any `keras.Model` or layer; one tensor in, one out.
        decoder: any `keras.Model` or layer; embedding in, reconstruction out.
        bottleneck: `None`, a discrete bottleneck of `keras_ae.layers`, or any layer.
        reconstruction_loss: name of a Keras loss, a `keras.losses.Loss`, or a function
            `f(x, x_hat)` that returns a loss per example or per element.
        likelihood: `layers.TableLikelihood` for the rows of a table, whose parameters the decoder returns.
            The reconstruction loss is then `-log p(x|z)`, the mean over observed values, instead of
            `reconstruction_loss`.

    Inputs of `fit`, `evaluate`:
        x: `(batch, ...)`, or `{"x": (batch, length, features), "lengths": (batch,)}`
            for sequences padded to one length.
        y: target of the reconstruction, if not `x` itself (denoising).
        sample_weight: `(batch,)`; weights every term, including the terms of the bottleneck.

    Metrics:
        `loss`, `reconstruction_loss`, and the metrics of the bottleneck.

    Raises:
        InputError: the decoder's output does not have the shape of the input; a `reconstruction_loss` is
            given next to a likelihood.

    Example:

    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
    >>> model = AutoEncoder(encoder, decoder)
    >>> model.compile("adam")
    >>> model.encode(ops.ones((3, 8))).shape
    TensorShape([3, 2])
    """

    # in addition to the loss and the bottleneck's terms
    term_names: tuple[str, ...] = ("reconstruction_loss",)
    likelihood_names: tuple[str, ...] = ()  # likelihoods that a subclass accepts by their names
    takes_tables = True  # whether a `TableLikelihood` is accepted

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        bottleneck: keras.Layer | None = None,
        *,
        reconstruction_loss: Any = "mse",
        likelihood: str | TableLikelihood | None = None,
        **kwargs: Any,
    ):
        self._check_likelihood(likelihood, reconstruction_loss)
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.bottleneck: Any = bottleneck
        self.reconstruction_loss = reconstruction_loss
        self.likelihood: Any = likelihood
        self.track_terms(*self.term_names)
        if isinstance(bottleneck, (GaussianBottleneck, StochasticBottleneck)):
            self.__dict__["_method_draws"] = MethodDraws(bottleneck.seed_generator)
        self._build_on_encoder()

    def _build_on_encoder(self):
        """Build if the encoder has an input shape; a subclass with more parts waits for the last one."""
        if getattr(self.encoder, "built", False) and getattr(self.encoder, "input_shape", None) is not None:
            self.build(self.encoder.input_shape)

    def build(self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]) -> None:
        if self.built:
            return
        shape = input_shape["x"] if isinstance(input_shape, dict) else input_shape
        self.sample_shape = tuple(shape[1:])
        values = keras.KerasTensor((None, *self.sample_shape), dtype="float32")
        embedding = self.build_embedding(self.encoder(self.symbolic_inputs(values)))
        symbolic = self.symbolic_inputs(keras.KerasTensor(embedding.shape, dtype=embedding.dtype))
        reconstruction = self.decoder(symbolic)
        if self.table is not None:
            reconstruction = self.table(reconstruction)
        check_reconstruction(reconstruction.shape, self.sample_shape)
        check_loss(self.reconstruction_loss, self.sample_shape)
        self.built = True

    def own_preprocessing(self) -> Preprocessing | None:
        """Return what the parts determine; a likelihood of values in [0, 1] declares this range for `x`."""
        found = super().own_preprocessing()
        bounded = self.likelihood == "bernoulli"
        if self.table is not None:
            columns = tuple(column.to_dict() for column in self.table.columns)
            return Preprocessing(modality="table", columns=columns)
        if found is not None or not bounded or not self.built:
            return found
        sizes = [size for size in self.sample_shape if size is not None]
        if len(self.sample_shape) != 3 or len(sizes) != 3:
            return Preprocessing(modality="values", value_range=(0, 1))
        size, channels = (sizes[0], sizes[1]), sizes[2]
        return Preprocessing(modality="images", value_range=(0, 1), image_size=size, channels=channels)

    def build_embedding(self, features: Tensor) -> Tensor:
        """Return the symbolic embedding for the encoder's symbolic output.

        Sets `feature_shape` and `code_shape`, the shapes of the features and of the code of one example.
        """
        self.feature_shape = tuple(features.shape[1:])
        if not self.discrete:
            embedding = features if self.bottleneck is None else self.bottleneck(features)
            self.code_shape = tuple(embedding.shape[1:])
            return embedding
        embedding, codes = self.bottleneck(features, return_codes=True)
        self.code_shape = tuple(codes.shape[1:])
        return embedding

    def input_rules(self) -> InputRules:
        return InputRules(self.input_shapes(), target=True, table=self.table, **self.target_bounds())

    def input_shapes(self) -> dict[str, tuple[int | None, ...] | None]:
        """Return `{name: shape}` of the entries that `x` may contain."""
        shape = getattr(self, "sample_shape", None)
        return {"x": None if shape is None else (None, *shape), "lengths": (None,)}

    def target_bounds(self) -> dict[str, Any]:
        """Return the `bounds` of the target and the setting that implies them, as in `InputRules`."""
        return loss_bounds(self.reconstruction_loss)

    def encode(self, x: Any) -> Tensor:
        """Return the codes of `x` with a discrete bottleneck, else its embedding; `decode` takes either."""
        return self._code(self.features(self.checked_inputs(x)))

    def embed(self, x: Any) -> Tensor:
        """Return the float embedding of `x`."""
        codes = self.encode(x)
        return self.bottleneck.decode(codes) if self.discrete else codes

    def decode(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the reconstruction from codes (integers) or from an embedding (floats).

        `lengths` `(batch,)` counts the real codes of padded sequences.
        """
        return self._mean(self.decoded_parameters(codes, lengths))

    def decoded_parameters(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the decoder's output in inference: the parameters of the likelihood, if there is one."""
        embedding = self._embedding(codes)
        mask = None if lengths is None else sequence_mask(lengths, ops.shape(embedding)[1])
        return call_masked(self.decoder, embedding, mask, training=False)

    def reconstruct(self, x: Any) -> Tensor:
        """Return `decode(encode(x))`."""
        x = self.checked_inputs(x)
        features = self.features(x)
        code, given = self._code(features), self.decoder_conditions(x)
        return crop(self.decode(code, code_lengths(features), **given), unpack_inputs(x)[0])

    def score(self, x: Any) -> Tensor:
        """Return the objective of each example, `(batch,)`: the larger, the less likely `x` is for the model.

        It is `reconstruction_error(x)` plus the losses of the bottleneck for each example, such as the
        commitment loss. Terms of the batch as a whole and of the weights are excluded.
        """
        x = self.checked_inputs(x)
        scored = isinstance(self.bottleneck, (Bottleneck, GaussianBottleneck))
        if self.table is None and not scored:
            return self.reconstruction_error(x)
        features = self.features(*unpack_inputs(x))
        if self.table is None:
            error = self.reconstruction_error(x)
        else:
            target, observed = self.target_of(unpack_inputs(x)[0], None)
            parameters = self.decoded_parameters(self._code(features))
            error = mean_per_example(self.element_losses(target, parameters), observed)
        if not scored:
            return error
        return error + self.bottleneck.example_losses(features, mask_of(features))

    def reconstruction_error(self, x: Any) -> Tensor:
        """Return the reconstruction loss of each example, the mean over its real elements: `(batch,)`.

        For the rows of a table it is the mean of `TableLikelihood.errors` over the observed values.
        """
        x = self.checked_inputs(x)
        values, lengths = unpack_inputs(x)
        target, mask = self.target_of(values, input_mask(values, lengths))
        errors = self.element_losses if self.table is None else self.table.errors
        return mean_per_example(errors(target, self.reconstruct(x)), mask)

    def features(self, x: Any, lengths: Tensor | None = None) -> Tensor:
        """Return the encoder's output in inference."""
        return self.encoder_output(x if lengths is None else {"x": x, "lengths": lengths}, training=False)

    @property
    def table(self) -> TableLikelihood | None:
        """The likelihood of a model of tables; `None` for other data."""
        return self.likelihood if isinstance(self.likelihood, TableLikelihood) else None

    @property
    def discrete(self) -> bool:
        """Whether the bottleneck returns integer codes."""
        return isinstance(self.bottleneck, Bottleneck)

    def _code(self, features):
        if self.discrete:
            return self.bottleneck.encode(features)
        return features if self.bottleneck is None else self.bottleneck(features, training=False)

    def _embedding(self, codes):
        """Return the float embedding of the argument of `decode`."""
        codes = ops.convert_to_tensor(checked_array("codes", codes))
        if self.discrete and not keras.backend.is_float_dtype(codes.dtype):
            return self.bottleneck.decode(codes)
        return codes

    # Exploration

    @property
    def generative(self) -> bool:
        """Whether the bottleneck has a prior, from which `sample` draws the embedding."""
        return isinstance(self.bottleneck, GaussianBottleneck)

    def sample_codes(
        self, num: int, length: int | None = None, *, seed: int | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Draw inputs of `decode` from the prior of the bottleneck; the arguments are those of `sample`."""
        if not self.built:
            raise InputError(
                f"{type(self).__name__} must be built before sample, since its input has no shape yet. "
                "Received: a model without weights. Call it on a batch first."
            )
        if not self.generative:
            return super().sample_codes(num, length, seed=seed, temperature=temperature)
        check_draws(num, temperature)
        positions = drawn_positions(self.feature_shape[:-1], length)
        seed = self._method_draws if seed is None else seed
        return self.bottleneck.draw_prior((num, *positions), seed, temperature)

    def prior_advice(self) -> str:
        if None in self.code_shape:
            return "Sequences of any length require a bottleneck with a prior, such as GaussianBottleneck."
        if self.discrete:
            made = "GenerativeAutoEncoder.from_auto_encoder(model)"
            return f"Fit one to its codes: keras_ae.models.{made}, compile, fit."
        return "Fit one to its embeddings: keras_ae.models.GaussianMixtureSampler(model), adapt(x)."

    def embed_with_lengths(self, x: Any) -> tuple[Tensor, Tensor | None]:
        features = self.features(self.checked_inputs(x))
        return self._embedding(self._code(features)), code_lengths(features)

    def output_length(self, x: Any) -> int | None:
        values, lengths = unpack_inputs(x)
        target = self.target_of(values, input_mask(values, lengths))[0]
        return target.shape[1] if len(target.shape) == 3 else None

    def coordinate_scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        if not isinstance(self.bottleneck, GaussianBottleneck):
            return None
        return np.zeros(self.code_shape[-1]), np.ones(self.code_shape[-1])

    def values_of_codes(self) -> int:
        return self.bottleneck.num_values

    # Overridden by models with another target or with conditioned networks

    def symbolic_inputs(self, tensor: keras.KerasTensor) -> Any:
        """Return the symbolic inputs of encoder or decoder whose first one is `tensor`."""
        return tensor

    def encoder_output(self, x: Any, training: bool | None) -> Tensor:
        """Return the encoder's output for the inputs `x`."""
        values, lengths = unpack_inputs(x)
        return call_masked(self.encoder, values, input_mask(values, lengths), training)

    def target_of(self, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return `(target, mask of the target)` for the reconstruction of `values`."""
        return values, mask if self.table is None else self.table.observed(values)

    def decoder_output(self, embedding: Tensor, x: Any, training: bool | None) -> Tensor:
        """Return the decoder's output for the embedding of the inputs `x`."""
        return call_masked(self.decoder, embedding, mask_of(embedding), training)

    # Training

    def call(self, x: Any, training: bool | None = None) -> Tensor:
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        embedding = self.encoder_output(x, training)
        if self.bottleneck is not None:
            embedding = self.bottleneck(embedding, training=training)
        return self._mean(crop(self.decoder_output(embedding, x, training), self.target_of(values, mask)[0]))

    def _mean(self, parameters):
        """Return the reconstruction for the decoder's output."""
        return parameters if self.table is None else self.table(parameters)

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        embedding = self.encoder_output(x, training)
        added = take_losses(self.encoder)
        if self.bottleneck is not None:
            weighting = self._weighting(embedding, sample_weight)
            embedding = self.bottleneck(embedding, training=training, **weighting)
            added += take_losses(self.bottleneck)
        reconstruction = self.decoder_output(embedding, x, training)
        added += take_losses(self.decoder)
        target, mask = self.target_of(values if y is None else y, mask)
        weights = combine(mask, sample_weight)
        target = where_counted(target, weights)
        self.observe_reconstruction(target, self._mean(crop(reconstruction, target)), weights)
        error = mean_term(self.element_losses(target, reconstruction), weights)
        return scalars({"loss": error + added, "reconstruction_loss": error})

    def _weighting(self, features, sample_weight):
        """Return the arguments with which a bottleneck of this package masks padding and weights examples."""
        if not isinstance(self.bottleneck, (Bottleneck, GaussianBottleneck)):
            return {}
        return {"mask": mask_of(features), "sample_weight": sample_weight}

    def observe_reconstruction(
        self, target: Tensor, reconstruction: Tensor, weights: Tensor | None = None
    ) -> None:
        """Update the metrics given to `compile`; missing values of a table count as reconstructed."""
        if self.table is not None:
            weights = ops.cast(weights, "float32")
            target = ops.where(weights > 0, target, reconstruction)
            weights = ops.max(weights, axis=1)
        super().observe_reconstruction(target, reconstruction, weights)

    def element_losses(self, target: Tensor, reconstruction: Tensor) -> Tensor:
        """Return the loss of the decoder's output before its mean: `(batch, ...)`, float32."""
        if self.table is not None:
            return -self.table.log_prob(target, reconstruction)
        return reconstruction_losses(self.reconstruction_loss, target, crop(reconstruction, target))

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the functions to export, by name; see `keras_ae.models.Endpoint`."""
        inputs = self.input_specs()
        given: dict[str, Any] = {"margin": self._margin_endpoint if self.discrete else None}
        given["sample"] = None if self.table is None else self._sample_rows
        return {
            "serving_default": Endpoint(self._reconstruct_endpoint, inputs, ("saved_model",), **given),
            "encode": Endpoint(self._encode_endpoint, inputs, **given),
            "decode": Endpoint(
                self._decode_endpoint,
                self.code_specs(),
                sample=self._sample_codes,
                value_ranges={"codes": (0, self.bottleneck.num_values - 1)} if self.discrete else {},
            ),
            "reconstruct": Endpoint(self._reconstruct_endpoint, inputs, **given),
            "score": Endpoint(self._score_endpoint, inputs, **given),
            "reconstruction_error": Endpoint(self._error_endpoint, inputs, **given),
        }

    def input_specs(self) -> dict[str, tf.TensorSpec]:
        """Return `{"x": spec}`, with `"lengths"` where axis 1 of a sequence has a free length."""
        specs = {"x": tf.TensorSpec((None, *self.sample_shape), tf.float32, name="x")}
        if is_sequence(self.sample_shape):
            specs["lengths"] = tf.TensorSpec((None,), tf.int32, name="lengths")
        return specs

    def code_specs(self) -> dict[str, tf.TensorSpec]:
        """Return the inputs of `decode`: `codes` or `embedding`, with `code_lengths` for sequences."""
        name, dtype = ("codes", tf.int32) if self.discrete else ("embedding", tf.float32)
        specs = {name: tf.TensorSpec((None, *self.code_shape), dtype, name=name)}
        if is_sequence(self.sample_shape):
            specs["code_lengths"] = tf.TensorSpec((None,), tf.int32, name="code_lengths")
        return specs

    def _encode_endpoint(self, **inputs):
        features = self.features(inputs)
        code = self._code(features)
        outputs = {"embedding": code}
        if self.discrete:
            outputs = {"codes": code, "embedding": self.bottleneck.decode(code)}
        return {**outputs, "code_lengths": code_lengths(features)} if "lengths" in inputs else outputs

    def _decode_endpoint(self, code_lengths=None, **code):
        return {"reconstruction": self.decode(*code.values(), lengths=code_lengths)}

    def _reconstruct_endpoint(self, **inputs):
        return {"reconstruction": self.reconstruct(inputs)}

    def _score_endpoint(self, **inputs):
        return {"score": self.score(inputs)}

    def _error_endpoint(self, **inputs):
        return {"reconstruction_error": self.reconstruction_error(inputs)}

    def _sample_rows(self, inputs):
        return {"x": random_rows(inputs["x"], self.table.columns)}

    def _sample_codes(self, inputs):
        if not self.discrete:
            return inputs
        values = np.random.default_rng(0).integers(0, self.bottleneck.num_values, inputs["codes"].shape)
        return {**inputs, "codes": values.astype("int32")}

    def _margin_endpoint(self, x, lengths=None, **given):
        margins = self.bottleneck.margin(self.features(x, lengths))
        return ops.min(ops.reshape(margins, (ops.shape(margins)[0], -1)), axis=-1)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return input_shape["x"] if isinstance(input_shape, dict) else input_shape

    def get_config(self) -> dict[str, Any]:
        parts = {"encoder": self.encoder, "decoder": self.decoder, "bottleneck": self.bottleneck}
        parts["reconstruction_loss"] = self.reconstruction_loss
        parts |= {} if self.likelihood is None else {"likelihood": self.likelihood}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **serialized}

    @classmethod
    def _check_likelihood(cls, likelihood, reconstruction_loss):
        """Raise `InputError` unless the likelihood is accepted, and determines the loss alone."""
        table, names = isinstance(likelihood, TableLikelihood), cls.likelihood_names or (None,)
        if not (table and cls.takes_tables) and (table or likelihood not in names):
            listed = f"one of {', '.join(map(repr, names))}," if cls.likelihood_names else "None"
            tables = " or a layers.TableLikelihood" if cls.takes_tables else f" for {cls.__name__}"
            raise InputError(f"likelihood must be {listed}{tables}. Received: likelihood={likelihood!r}")
        if likelihood is not None and reconstruction_loss != "mse":
            raise InputError(
                "reconstruction_loss must be left out with a likelihood, which determines the loss. "
                f"Received: reconstruction_loss={reconstruction_loss!r}"
            )


def check_observation_scale(likelihood: str | TableLikelihood, observation_scale: float) -> None:
    """Raise `InputError` for an `observation_scale` next to a `TableLikelihood`, which has its own."""
    if isinstance(likelihood, TableLikelihood) and observation_scale != 1.0:
        raise InputError(
            "observation_scale must be left out with a layers.TableLikelihood, which has its own. "
            f"Received: observation_scale={observation_scale}. Pass TableLikelihood(columns, "
            f"observation_scale={observation_scale})."
        )
