"""Auto-encoder with two grids of codes: a coarse one for the whole, a fine one for the details."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.models._data_checks import checked_array
from keras_ae.models._input_rules import InputRules, loss_bounds
from keras_ae.models.base import BaseModel
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.stages import check_loss, check_reconstruction, reconstruction_losses
from keras_ae.ops.sequences import unpack_inputs
from keras_ae.ops.terms import mean_term, scalars, take_losses

LEVELS = ("top", "bottom")
PARTS = ("bottom_encoder", "top_encoder", "top_decoder", "merge", "decoder")
PARTS += ("top_bottleneck", "bottom_bottleneck", "reconstruction_loss")


@keras.saving.register_keras_serializable(package="keras_ae")
class TwoLevelAutoEncoder(BaseModel):
    """VQ-VAE-2: auto-encoder with top codes, and bottom codes that are conditioned on them.

    ```
    h        = bottom_encoder(x)
    e_top    = top_bottleneck(top_encoder(h))
    e_bottom = bottom_bottleneck(merge(h, top_decoder(e_top)))
    x_hat    = decoder(e_top, e_bottom)
    loss     = mean reconstruction_loss(x, x_hat) + losses added by both bottlenecks
    ```

    Args:
        bottom_encoder, top_encoder, top_decoder, merge, decoder: `keras.Model`s as in the
            equations; `merge` and `decoder` take a list of two tensors.
            `networks.two_level_networks` returns all five for images.
        top_bottleneck, bottom_bottleneck: discrete bottlenecks of `keras_ae.layers`, with
            different names such as `name="top"` and `name="bottom"`: these become the
            prefixes of their metrics.
        reconstruction_loss: name of a Keras loss, a `keras.losses.Loss`, or a function.

    Inputs of `fit`, `evaluate`:
        x: `(batch, ...)`.
        y: target of the reconstruction, if not `x` itself.
        sample_weight: `(batch,)`.

    Metrics:
        `loss`, `reconstruction_loss`, and the metrics of the bottlenecks, such as `top_usage`.

    Raises:
        ValueError: the bottlenecks are not discrete, or their metrics have equal names.
        InputError: the decoder's output does not have the shape of the input.

    Example:

    >>> from keras_ae.layers import VectorQuantizer
    >>> from keras_ae.networks import two_level_networks
    >>> top, bottom = VectorQuantizer(8, name="top"), VectorQuantizer(8, name="bottom")
    >>> networks = two_level_networks((16, 16, 1), 4, filters=8)
    >>> model = TwoLevelAutoEncoder(**networks, top_bottleneck=top, bottom_bottleneck=bottom)
    >>> {level: codes.shape[1:] for level, codes in model.encode(np.zeros((2, 16, 16, 1))).items()}
    {'top': TensorShape([2, 2]), 'bottom': TensorShape([4, 4])}

    Reference:
        Razavi et al., 2019, https://arxiv.org/abs/1906.00446.
    """

    discrete = True

    def __init__(
        self,
        bottom_encoder: keras.Model,
        top_encoder: keras.Model,
        top_decoder: keras.Model,
        merge: keras.Model,
        decoder: keras.Model,
        top_bottleneck: Bottleneck,
        bottom_bottleneck: Bottleneck,
        *,
        reconstruction_loss: Any = "mse",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check_bottlenecks(top_bottleneck, bottom_bottleneck)
        self.bottom_encoder = bottom_encoder
        self.top_encoder = top_encoder
        self.top_decoder = top_decoder
        self.merge = merge
        self.decoder = decoder
        self.top_bottleneck = top_bottleneck
        self.bottom_bottleneck = bottom_bottleneck
        self.reconstruction_loss = reconstruction_loss
        self.track_terms("reconstruction_loss")
        if getattr(bottom_encoder, "built", False) and getattr(bottom_encoder, "input_shape", None):
            self.build(bottom_encoder.input_shape)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.built:
            return
        self.sample_shape = tuple(input_shape[1:])
        h = self.bottom_encoder(keras.KerasTensor((None, *self.sample_shape), dtype="float32"))
        top, top_codes = self.top_bottleneck(self.top_encoder(h), return_codes=True)
        features = self.merge([h, self.top_decoder(top)])
        bottom, bottom_codes = self.bottom_bottleneck(features, return_codes=True)
        check_reconstruction(self.decoder([top, bottom]).shape, self.sample_shape)
        check_loss(self.reconstruction_loss, self.sample_shape)
        self.code_shapes = {"top": tuple(top_codes.shape[1:]), "bottom": tuple(bottom_codes.shape[1:])}
        self.built = True

    def input_rules(self) -> InputRules:
        shape = getattr(self, "sample_shape", None)
        shapes = {"x": None if shape is None else (None, *shape)}
        return InputRules(shapes, target=True, **loss_bounds(self.reconstruction_loss))

    @property
    def bottlenecks(self) -> dict[str, Bottleneck]:
        """Bottlenecks as `{"top": layer, "bottom": layer}`."""
        return {"top": self.top_bottleneck, "bottom": self.bottom_bottleneck}

    def encode(self, x: Any) -> dict[str, Any]:
        """Return `{"top": codes, "bottom": codes}` of `x`, the input of `decode`."""
        return self._codes(*self._features(self.checked_inputs(x)))

    def embed(self, x: Any) -> dict[str, Any]:
        """Return `{"top": embedding, "bottom": embedding}` of `x`, floats."""
        return self._look_up(self.encode(x))

    def decode(self, codes: dict[str, Any]) -> Any:
        """Return the reconstruction from `{"top":, "bottom":}`, codes (integers) or embeddings (floats)."""
        embeddings = self._look_up(codes)
        return self.decoder([embeddings["top"], embeddings["bottom"]], training=False)

    def reconstruct(self, x: Any) -> Any:
        """Return `decode(encode(x))`."""
        return self.decode(self.encode(x))

    def prior_advice(self) -> str:
        made = "GenerativeAutoEncoder.from_auto_encoder(model)"
        return f"Fit one to its codes: keras_ae.models.{made}, compile, fit."

    def values_of_codes(self) -> dict[str, int]:
        return {level: layer.num_values for level, layer in self.bottlenecks.items()}

    def score(self, x: Any) -> Any:
        """Return the objective of each example, `(batch,)`: the larger, the less likely `x` is for the model.

        It is `reconstruction_error(x)` plus the losses of both bottlenecks for each example.
        """
        x = self.checked_inputs(x)
        h, top_features = self._features(x)
        top = self.top_bottleneck.encode(top_features)
        features = {"top": top_features, "bottom": self._bottom_features(h, top)}
        added = [layer.example_losses(features[level]) for level, layer in self.bottlenecks.items()]
        return self.reconstruction_error(x) + added[0] + added[1]

    def reconstruction_error(self, x: Any) -> Any:
        """Return the reconstruction loss of each example, the mean over its elements: `(batch,)`."""
        values, _ = unpack_inputs(self.checked_inputs(x))
        losses = reconstruction_losses(self.reconstruction_loss, values, self.reconstruct(x))
        return ops.mean(losses, axis=tuple(range(1, len(losses.shape))))

    def call(self, x: Any, training: bool | None = None) -> Any:
        x, _ = unpack_inputs(x)
        h = self.bottom_encoder(x, training=training)
        top = self.top_bottleneck(self.top_encoder(h, training=training), training=training)
        features = self.merge([h, self.top_decoder(top, training=training)], training=training)
        return self.decoder([top, self.bottom_bottleneck(features, training=training)], training=training)

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Any, training: bool, player: str
    ) -> dict[str, Any]:
        x, _ = unpack_inputs(x)
        weighting = {"training": training, "sample_weight": sample_weight}
        h = self.bottom_encoder(x, training=training)
        added = take_losses(self.bottom_encoder)
        top = self.top_bottleneck(self.top_encoder(h, training=training), **weighting)
        added += take_losses(self.top_encoder) + take_losses(self.top_bottleneck)
        features = self.merge([h, self.top_decoder(top, training=training)], training=training)
        bottom = self.bottom_bottleneck(features, **weighting)
        added += take_losses(self.top_decoder) + take_losses(self.merge) + take_losses(self.bottom_bottleneck)
        reconstruction = self.decoder([top, bottom], training=training)
        added += take_losses(self.decoder)
        target = x if y is None else y
        self.observe_reconstruction(target, reconstruction, sample_weight)
        losses = reconstruction_losses(self.reconstruction_loss, target, reconstruction)
        error = mean_term(losses, sample_weight)
        return scalars({"loss": error + added, "reconstruction_loss": error})

    def margin(self, x: Any) -> Any:
        """Return the relative gap of the two best scores of each example's least certain code: `(batch,)`."""
        h, top_features = self._features(x)
        top = self.top_bottleneck.encode(top_features)
        margins = (
            self.top_bottleneck.margin(top_features),
            self.bottom_bottleneck.margin(self._bottom_features(h, top)),
        )
        margins = [ops.min(ops.reshape(one, (ops.shape(one)[0], -1)), axis=-1) for one in margins]
        return ops.minimum(*margins)

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `AutoEncoder`, with codes named `top_codes` and `bottom_codes`."""
        images = {"x": tf.TensorSpec((None, *self.sample_shape), tf.float32, name="x")}
        codes = {
            f"{level}_codes": tf.TensorSpec((None, *shape), tf.int32, name=f"{level}_codes")
            for level, shape in self.code_shapes.items()
        }
        return {
            "serving_default": Endpoint(
                self._reconstruct_endpoint, images, ("saved_model",), margin=self.margin
            ),
            "encode": Endpoint(self._encode_endpoint, images, margin=self.margin),
            "decode": Endpoint(
                self._decode_endpoint,
                codes,
                sample=self._random_codes,
                value_ranges={
                    f"{level}_codes": (0, layer.num_values - 1) for level, layer in self.bottlenecks.items()
                },
            ),
            "reconstruct": Endpoint(self._reconstruct_endpoint, images, margin=self.margin),
            "score": Endpoint(self._score_endpoint, images, margin=self.margin),
            "reconstruction_error": Endpoint(self._error_endpoint, images, margin=self.margin),
        }

    def _encode_endpoint(self, x):
        codes = self.encode(x)
        outputs = {f"{level}_codes": codes[level] for level in LEVELS}
        embeddings = self._look_up(codes)
        return {**outputs, **{f"{level}_embedding": embeddings[level] for level in LEVELS}}

    def _decode_endpoint(self, top_codes, bottom_codes):
        return {"reconstruction": self.decode({"top": top_codes, "bottom": bottom_codes})}

    def _reconstruct_endpoint(self, x):
        return {"reconstruction": self.reconstruct(x)}

    def _score_endpoint(self, x):
        return {"score": self.score(x)}

    def _error_endpoint(self, x):
        return {"reconstruction_error": self.reconstruction_error(x)}

    def _random_codes(self, inputs):
        rng = np.random.default_rng(0)
        values = {f"{level}_codes": layer.num_values for level, layer in self.bottlenecks.items()}
        return {name: rng.integers(0, values[name], array.shape) for name, array in inputs.items()}

    def _features(self, x):
        """Return the bottom features, and the top features before quantisation."""
        h = self.bottom_encoder(unpack_inputs(x)[0], training=False)
        return h, self.top_encoder(h, training=False)

    def _codes(self, h, top_features):
        top = self.top_bottleneck.encode(top_features)
        return {"top": top, "bottom": self.bottom_bottleneck.encode(self._bottom_features(h, top))}

    def _bottom_features(self, h, top_codes):
        top = self.top_bottleneck.decode(top_codes)
        return self.merge([h, self.top_decoder(top, training=False)], training=False)

    def _look_up(self, codes):
        if not isinstance(codes, dict) or set(codes) != set(self.bottlenecks):
            received = (
                f"a dictionary with {sorted(codes)}" if isinstance(codes, dict) else type(codes).__name__
            )
            raise InputError(f'codes must be {{"top":, "bottom":}}, as encode returns. Received: {received}.')
        found = {}
        for level, layer in self.bottlenecks.items():
            values = ops.convert_to_tensor(checked_array(f'codes["{level}"]', codes[level]))
            is_float = keras.backend.is_float_dtype(values.dtype)
            found[level] = values if is_float else layer.decode(values)
        return found

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        serialized = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in PARTS}
        return {**super().get_config(), **serialized}


def _check_bottlenecks(top, bottom):
    for level, layer in (("top", top), ("bottom", bottom)):
        if not isinstance(layer, Bottleneck):
            raise ValueError(
                f"{level}_bottleneck must be a discrete bottleneck of keras_ae.layers. Received: {layer!r}"
            )
    if top.metric_name("usage") == bottom.metric_name("usage"):
        raise ValueError(
            'The bottlenecks must have different names, such as name="top" and name="bottom": their metrics '
            f"would overwrite each other. Received: {top.name!r} and {bottom.name!r}"
        )
