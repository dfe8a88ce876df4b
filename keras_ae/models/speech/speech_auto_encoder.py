"""Auto-encoder of speech with a decoder that is conditioned on the speaker."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, embedding_rows, integers_in
from keras_ae.models._input_rules import InputRules
from keras_ae.models.auto_encoder import AutoEncoder
from keras_ae.models.endpoint import Endpoint, with_labels
from keras_ae.models.speech._waveforms import inverted_frames
from keras_ae.models.stages import check_loss, check_reconstruction
from keras_ae.ops.sequences import (
    call_conditioned,
    call_masked,
    code_lengths,
    crop,
    input_mask,
    mask_of,
    samples_per_frame,
    sequence_mask,
    unpack_inputs,
)


@keras.saving.register_keras_serializable(package="keras_ae")
class SpeechAutoEncoder(AutoEncoder):
    """Auto-encoder of speech with a decoder conditioned on the speaker, so that codes need not contain it.

    ```
    y     = target(x)                                       # log-mel frames, normalised
    y_hat = decoder(bottleneck(encoder(x)), speaker)
    loss  = mean |y - y_hat| over real frames and bands  +  losses added by the bottleneck
    ```

    With `layers.VectorQuantizer` as bottleneck this is the VQ-VAE whose codes are phone-like
    units. The front ends are parts of the encoder and of `target` and are saved with them: the model takes
    waveforms. To convert a voice, pass another speaker to `decode` or `reconstruct`.

    Args:
        encoder: a Keras model from `(batch, samples)` to `(batch, codes, dim)`, such as
            `networks.frame_encoder`.
        decoder: a Keras model from `[embedding (batch, codes, dim), speaker (batch,)]` to
            `(batch, frames, mels)`, such as `networks.frame_decoder`; frames after the last frame of the
            target are cut off.
        target: a Keras model from `(batch, samples)` to `(batch, frames, mels)`, such as
            `networks.front_end([LogMelSpectrogram(), FrameNormalization()])`; it is not trained.
        bottleneck: `None`, a discrete bottleneck of `keras_ae.layers`, `GaussianBottleneck`, or any layer.
        reconstruction_loss: as in `AutoEncoder`; by default the mean absolute error.

    Inputs of `fit`, `evaluate`:
        x: `{"x": (batch, samples), "lengths": (batch,), "speaker": (batch,)}`; `lengths` in
            samples, for batches padded to one length; `speaker`: integer speaker ids.
            `encode` and `embed` need no speaker.
        y: waveforms to reconstruct, if not `x` itself (denoising).
        sample_weight: `(batch,)`; weights every term, including the terms of the bottleneck.

    Metrics:
        `loss`, `reconstruction_loss`, and the metrics of the bottleneck.

    Raises:
        InputError: decoder and target have different numbers of bands; `speaker` is required and missing.

    Example:

    >>> from keras_ae.layers import LogMelSpectrogram, VectorQuantizer
    >>> from keras_ae.networks import frame_decoder, frame_encoder, front_end
    >>> encoder = frame_encoder([LogMelSpectrogram(20)], 8, filters=16)
    >>> decoder = frame_decoder(20, 8, num_speakers=3, filters=16)
    >>> model = SpeechAutoEncoder(encoder, decoder, front_end([LogMelSpectrogram(20)]), VectorQuantizer(16))
    >>> codes = model.encode(ops.zeros((1, 1600)))
    >>> codes.shape, model.decode(codes, speaker=ops.array([2])).shape
    (TensorShape([1, 6]), TensorShape([1, 12, 20]))

    Reference:
        Chorowski et al., 2019, https://arxiv.org/abs/1901.08810.
    """

    takes_tables = False

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        target: keras.Model,
        bottleneck: keras.Layer | None = None,
        *,
        reconstruction_loss: Any = "mae",
        **kwargs: Any,
    ):
        # autocast=False: half precision starts after the front end, not at the waveform.
        settings = {"reconstruction_loss": reconstruction_loss, **kwargs, "autocast": False}
        super().__init__(encoder, decoder, bottleneck, **settings)
        self.target = target
        self.target.trainable = False
        self._build_on_encoder()
        check_reconstruction(self.frames_shape, target.output_shape[1:])
        check_loss(reconstruction_loss, target.output_shape[1:])

    def _build_on_encoder(self):
        if hasattr(self, "target"):  # a built model accepts no further parts: wait for the last one
            super()._build_on_encoder()

    def build(self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]) -> None:
        if self.built:
            return
        self.sample_shape = (None,)
        features = self.encoder(keras.KerasTensor((None, None), dtype="float32"))
        embedding = self.build_embedding(features)
        speaker = keras.KerasTensor((None,), dtype="int32")
        self.frames_shape = tuple(self.decoder([embedding, speaker]).shape)
        self.built = True

    def input_rules(self) -> InputRules:
        shapes = {"x": (None, None), "lengths": (None,), "speaker": (None,)}
        sizes = {"speaker": embedding_rows(self.decoder)}
        # No bounds of the waveforms, since the loss is computed on frames.
        return InputRules(shapes, trained_on=("speaker",), target=True, sizes=sizes)

    # the decoder is conditioned on a speaker
    def decode(  # type: ignore[override]
        self, codes: Any, lengths: Any = None, *, speaker: Any
    ) -> Any:
        """Return frames `(batch, frames, mels)` from codes or an embedding, given `speaker` `(batch,)`.

        `lengths` `(batch,)` counts the real codes of padded sequences.
        """
        embedding = self._embedding(codes)
        mask = None if lengths is None else sequence_mask(lengths, ops.shape(embedding)[1])
        return self._decode_embedding(embedding, speaker, mask, training=False)

    def reconstruct(self, x: Any) -> Any:
        """Return the frames `(batch, frames, mels)` of `{"x":, "lengths":, "speaker":}` in that voice."""
        values, lengths = unpack_inputs(self.checked_inputs(x))
        features = self.features(values, lengths)
        embedding, mask = self._embedding(self._code(features)), mask_of(features)
        frames = self._decode_embedding(embedding, _speaker_of(x), mask, training=False)
        return crop(frames, self.target_of(values, input_mask(values, lengths))[0])

    def to_waveform(self, frames: Any, lengths: Any = None, *, iterations: int = 32) -> np.ndarray:
        """Return waveforms of frames from `decode` or `reconstruct`, by `audio.mel_to_waveform`.

        Args:
            frames: `(batch, frames, mels)`, normalised as by the target.
            lengths: `(batch,)`, number of real frames.
            iterations: number of iterations of `audio.griffin_lim`.

        Returns:
            `(batch, samples)` float32, 0 after the end of an utterance.
        """
        return inverted_frames(self.target, frames, "target", lengths, iterations)

    def target_of(self, values: Any, mask: Any) -> tuple[Any, Any]:
        """Return `(log-mel frames, their mask)`."""
        frames = call_masked(self.target, values, mask, training=False)
        return frames, mask_of(frames)

    def decoder_output(self, embedding: Any, x: Any, training: bool | None) -> Any:
        return self._decode_embedding(embedding, _speaker_of(x), mask_of(embedding), training)

    def decoder_conditions(self, x: Any) -> dict[str, Any]:
        return {"speaker": x.get("speaker") if isinstance(x, dict) else None}

    def _decode_embedding(self, embedding, speaker, mask, training):
        speaker = integers_in("speaker", speaker, embedding_rows(self.decoder))
        return call_conditioned(self.decoder, embedding, speaker, mask, training)

    # Exports

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints of `AutoEncoder`, all but `encode` with `speaker`; `lengths` count samples."""
        unit = samples_per_frame(self.target)
        table = {
            name: replace(endpoint, unit=unit if "x" in endpoint.inputs else 1)
            for name, endpoint in super().endpoints().items()
        }
        inputs = {name: spec for name, spec in table["encode"].inputs.items() if name != "speaker"}
        table["encode"] = replace(table["encode"], inputs=inputs)
        return with_labels(table, "speaker", embedding_rows(self.decoder))

    def input_specs(self) -> dict[str, tf.TensorSpec]:
        return {
            "x": tf.TensorSpec((None, None), tf.float32, name="x"),
            "lengths": tf.TensorSpec((None,), tf.int32, name="lengths"),
            "speaker": tf.TensorSpec((None,), tf.int32, name="speaker"),
        }

    def code_specs(self) -> dict[str, tf.TensorSpec]:
        name, dtype = ("codes", tf.int32) if self.discrete else ("embedding", tf.float32)
        return {
            name: tf.TensorSpec((None, *self.code_shape), dtype, name=name),
            "code_lengths": tf.TensorSpec((None,), tf.int32, name="code_lengths"),
            "speaker": tf.TensorSpec((None,), tf.int32, name="speaker"),
        }

    def _decode_endpoint(self, code_lengths, speaker, **code):
        return {"reconstruction": self.decode(*code.values(), lengths=code_lengths, speaker=speaker)}

    def _reconstruct_endpoint(self, x, lengths, speaker):
        frames = self.reconstruct({"x": x, "lengths": lengths, "speaker": speaker})
        target, _ = self.target_of(x, input_mask(x, lengths))
        return {"reconstruction": frames, "frame_lengths": code_lengths(target)}

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return self.frames_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target": keras.saving.serialize_keras_object(self.target)}


def _speaker_of(x):
    speaker = x.get("speaker") if isinstance(x, dict) else None
    if speaker is None:
        raise InputError(
            'x must contain "speaker", on which the decoder is conditioned. '
            f"Received: {sorted(x) if isinstance(x, dict) else 'waveforms alone'}. "
            'Pass {"x": waveforms, "lengths": samples, "speaker": integer speaker ids}.'
        )
    return speaker
