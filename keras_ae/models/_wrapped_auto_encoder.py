"""Base class of the models that add a distribution of the embedding to a trained auto-encoder."""

from typing import Any

from keras_ae.models.base import BaseModel
from keras_ae.ops.core import Tensor


class WrappedAutoEncoder(BaseModel):
    """Base class of a model that contains a trained auto-encoder, which it does not change.

    `encode`, `embed`, `decode`, `reconstruct` and the call of the model are those of the auto-encoder. A
    subclass defines the distribution of the embedding with `sample_codes` and `score`.

    Args:
        auto_encoder: a trained auto-encoder of this package.
    """

    def __init__(self, auto_encoder: BaseModel, **kwargs: Any):
        super().__init__(**kwargs)
        self.auto_encoder: Any = auto_encoder

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def inputs_of_auto_encoder(self, x: Any) -> Any:
        """Return the inputs of the auto-encoder among those of this model."""
        return x

    @property
    def generative(self) -> bool:
        """Whether `sample` draws new examples."""
        return True

    def encode(self, x: Any) -> Any:
        """Return the codes of `x` from the auto-encoder, or its embedding."""
        return self.auto_encoder.encode(self.inputs_of_auto_encoder(x))

    def embed(self, x: Any) -> Any:
        """Return the float embedding of `x`."""
        return self.auto_encoder.embed(self.inputs_of_auto_encoder(x))

    def decode(self, codes: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the reconstruction from codes or an embedding, as `decode` of the auto-encoder."""
        return self.auto_encoder.decode(codes, *args, **kwargs)

    def reconstruct(self, x: Any) -> Any:
        """Return `decode(encode(x))`."""
        return self.auto_encoder.reconstruct(self.inputs_of_auto_encoder(x))

    def reconstruction_error(self, x: Any) -> Any:
        """Return the reconstruction loss of each example, `(batch,)`."""
        return self.auto_encoder.reconstruction_error(self.inputs_of_auto_encoder(x))

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the reconstruction; the auto-encoder always runs in inference mode."""
        return self.auto_encoder(self.inputs_of_auto_encoder(x), training=False)

    def own_preprocessing(self) -> Any:
        """Return the preprocessing of the auto-encoder."""
        return self.auto_encoder.preprocessing

    # Exploration

    def embed_with_lengths(self, x: Any) -> tuple[Any, Tensor | None]:
        return self.auto_encoder.embed_with_lengths(self.inputs_of_auto_encoder(x))

    def decoder_conditions(self, x: Any) -> dict[str, Any]:
        return self.auto_encoder.decoder_conditions(self.inputs_of_auto_encoder(x))

    def output_length(self, x: Any) -> int | None:
        return self.auto_encoder.output_length(self.inputs_of_auto_encoder(x))

    def values_of_codes(self) -> Any:
        return self.auto_encoder.values_of_codes()

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return self.auto_encoder.compute_output_shape(self.inputs_of_auto_encoder(input_shape))
