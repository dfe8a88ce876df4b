"""Base class of voice converters, with separate representations of content and speaker."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.errors import InputError, embedding_rows, integers_in
from keras_ae.layers.speech.global_variance import GlobalVariance, band_moments
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram
from keras_ae.models._data_checks import checked_array
from keras_ae.models._input_rules import InputRules
from keras_ae.models.base import BaseModel
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.speech._waveforms import conversion_endpoints, inverted_frames, log_mel_frames
from keras_ae.models.stages import check_loss, check_reconstruction, reconstruction_losses
from keras_ae.ops.sequences import (
    call_conditioned,
    call_masked,
    call_under_mask,
    crop,
    input_mask,
    mask_of,
    mean_per_example,
    sequence_mask,
    unpack_inputs,
    zero_padding,
)


class VoiceConverter(BaseModel):
    """Base class of voice converters with a content encoder, a voice and a decoder.

    ```
    y       = front_end(x)                                    # frames, computed once, not trained
    content = content_encoder(y)                              # what was said, (batch, codes, content_dim)
    voice   = speaker_encoder(y')  or  integer speaker id     # who says it
    y_hat   = decoder(content, voice)                         # (batch, frames, mels)
    ```

    For conversion, `y` is one utterance and `y'` another, of any speaker. A subclass implements the
    objective (`compute_terms`). If its networks return more than in these equations, it overrides
    `content_of` or `decoder_output`. Its constructor ends with `self.build_networks()`.

    Args:
        content_encoder: a Keras model from `(batch, frames, mels)` to `(batch, codes, channels)`.
        speaker_encoder: a Keras model from `(batch, frames, mels)` to `(batch, speaker_dim)`, a mean
            over real frames; `None`: speakers are integers.
        decoder: a Keras model from `[content (batch, codes, content_dim), voice]` to
            `(batch, frames, mels)`, where the voice is a vector `(batch, speaker_dim)` or an integer
            `(batch,)`; frames after the last frame of the input are cut off.
        front_end: a Keras model from waveforms `(batch, samples)` to `(batch, frames, mels)`, such as
            `networks.front_end([LogMelSpectrogram(), FrameNormalization()])`; `None`: inputs are frames.
        reconstruction_loss: name of a Keras loss, a `keras.losses.Loss`, or a function `f(x, x_hat)`.
        match_variance: whether outputs are rescaled to the variance of recorded speech
            (`layers.GlobalVariance`).
        match_target: whether `convert` corrects mean and standard deviation of each band for what the voice
            vector does not contain of the target (function `matched`); useful for voices that are not in
            the training data.

    Inputs of `fit`, `evaluate` and all methods that take `x`: waveforms or frames, alone or as
    `{"x":, "lengths": (batch,), "speaker": (batch,)}`. `lengths` count samples, or frames without a front
    end; the integer `speaker` is required if there is no speaker encoder.

    Raises:
        InputError: the shapes of the networks do not match; `speaker` is required and missing.
    """

    discrete = False

    def __init__(
        self,
        content_encoder: keras.Model,
        speaker_encoder: keras.Model | None,
        decoder: keras.Model,
        front_end: keras.Model | None = None,
        *,
        reconstruction_loss: Any = "mae",
        match_variance: bool = False,
        match_target: bool = False,
        **kwargs: Any,
    ):
        if match_target and speaker_encoder is None:
            raise InputError(
                "speaker_encoder must be given for match_target=True: a speaker id has no frames. "
                "Received: speaker_encoder=None."
            )
        if front_end is not None:
            kwargs["autocast"] = False  # half precision starts after the front end, not at the waveform
        super().__init__(**kwargs)
        self.content_encoder = content_encoder
        self.speaker_encoder = speaker_encoder
        self.decoder = decoder
        self.front_end = front_end
        self.reconstruction_loss = reconstruction_loss
        self.match_variance = match_variance
        self.match_target = match_target
        self.global_variance: Any = GlobalVariance(name="global_variance") if match_variance else None
        if front_end is not None:
            front_end.trainable = False

    def build_networks(self) -> None:
        """Build, and check that the shapes of the networks match; a built model accepts no further parts."""
        first = self.content_encoder if self.front_end is None else self.front_end
        self.build(first.input_shape)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.built:
            return
        self.sample_shape = (None, *input_shape[2:])
        self.mels = self.content_encoder.input_shape[-1]
        self.content_dim = self.decoder.input_shape[0][-1]
        self.speaker_dim = None if self.speaker_encoder is None else self.speaker_encoder.output_shape[-1]
        frames = keras.KerasTensor((None, None, self.mels), dtype="float32")
        content = self.content_of(self.content_encoder(frames))
        self._check_networks(content.shape[-1])
        voice = keras.KerasTensor((None,), dtype="int32")
        if self.speaker_encoder is not None:
            voice = self.speaker_encoder(frames)
        self.frames_shape = tuple(self.decoder([content, voice]).shape)
        check_reconstruction(self.frames_shape, (None, self.mels))
        check_loss(self.reconstruction_loss, (None, self.mels))
        if self.match_variance:
            self.global_variance.build((None, None, self.mels))
        self.built = True

    def _check_networks(self, content_dim):
        asked = tuple(self.decoder.input_shape[1][1:])
        given = () if self.speaker_encoder is None else (self.speaker_dim,)
        if (content_dim, given) != (self.content_dim, asked):
            raise InputError(
                f"The inputs of the decoder must be contents of {self.content_dim} channels and voices "
                f"(batch, *{asked}). "
                f"Received: {content_dim} channels of the content encoder, voices (batch, *{given})"
            )

    # Methods that a subclass may override

    def content_of(self, features: Any) -> Any:
        """Return the content `(batch, codes, content_dim)` in the content encoder's output."""
        return features

    def decoder_output(self, content: Any, voice: Any, mask: Any, training: bool | None) -> Any:
        """Return the frames `(batch, frames, mels)` of a content under its `mask`, and a voice."""
        return call_conditioned(self.decoder, content, voice, mask, training)

    def input_rules(self) -> InputRules:
        shape = getattr(self, "sample_shape", None)
        shapes = {"x": None if shape is None else (None, *shape), "lengths": (None,), "speaker": (None,)}
        trained_on = ("speaker",) if self.speaker_encoder is None else ()
        # Speakers are rows of a table, or labels that are only compared with each other.
        sizes = {"speaker": self._num_voices() if self.speaker_encoder is None else None}
        return InputRules(shapes, trained_on=trained_on, target=True, sizes=sizes)

    def _num_voices(self):
        """Return the number of rows of the decoder's table of speakers; `None` without one."""
        return embedding_rows(self.decoder)

    # Encoding, decoding and conversion

    def frames(self, x: Any) -> tuple[Any, Any]:
        """Return `(frames (batch, frames, mels), mask or None)`, the input of the encoders and the target."""
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        if self.front_end is None:
            return values, mask
        frames = call_masked(self.front_end, values, mask, training=False)
        return frames, mask_of(frames)

    def content(self, x: Any) -> Any:
        """Return the content, `(batch, codes, content_dim)`, with its mask."""
        return self._content(*self.frames(self.checked_inputs(x)))

    def speaker(self, x: Any) -> Any:
        """Return the voice of each utterance: `(batch, speaker_dim)`, or the integers `x["speaker"]`."""
        x = self.checked_inputs(x)
        return self.voice(x, *(self.frames(x) if self.speaker_encoder is not None else (None, None)))

    def encode(self, x: Any) -> Any:
        """Return the content and the voice at every code, `(batch, codes, content_dim + speaker_dim)`.

        Without a speaker encoder, return the content only.
        """
        x = self.checked_inputs(x)
        frames, mask = self.frames(x)
        content = self._content(frames, mask)
        if self.speaker_encoder is None:
            return content
        voice = ops.cast(self.voice(x, frames, mask), content.dtype)
        voice = ops.repeat(voice[:, None], ops.shape(content)[1], axis=1)
        return under_mask(ops.concatenate([content, voice], axis=-1), mask_of(content))

    embed = encode  # the result of `encode` is a float embedding

    def decode(self, embedding: Any, lengths: Any = None, speaker: Any = None) -> Any:
        """Return the frames `(batch, frames, mels)` of an embedding from `encode`.

        Args:
            embedding: `(batch, codes, content_dim + speaker_dim)`; the voice is the mean over the codes.
            lengths: `(batch,)`, number of real codes of padded sequences.
            speaker: voice to use in place of the embedding's, `(batch, speaker_dim)`, as returned by
                `speaker`; without a speaker encoder, integers `(batch,)`.
        """
        embedding = ops.convert_to_tensor(checked_array("embedding", embedding))
        mask = None if lengths is None else sequence_mask(lengths, ops.shape(embedding)[1])
        content = embedding[..., : self.content_dim]
        if self.speaker_encoder is None:
            voice = integers_in("speaker", speaker_numbers_of(speaker), self._num_voices())
        elif speaker is None:
            voice = mean_over_codes(embedding[..., self.content_dim :], mask)
        else:
            voice = ops.convert_to_tensor(speaker)
        frames = self.decoder_output(content, voice, mask, training=False)
        return self._output_frames(frames, mask_of(frames))

    def reconstruct(self, x: Any) -> Any:
        """Return the frames from the content and the voice of `x`, `(batch, frames, mels)`."""
        return self.call(self.checked_inputs(x), training=False)

    def convert(self, source: Any, target: Any) -> Any:
        """Convert `source` to the voice of `target`; returns frames `(batch, frames, mels)`.

        `target` contains one utterance of the target voice for each utterance of `source`; without a speaker
        encoder, integer speaker ids `(batch,)`.
        """
        frames, mask = self.frames(self.checked_inputs(source))
        content = self._content(frames, mask)
        if self.speaker_encoder is None:
            numbers = integers_in("target", speaker_numbers_of(target), self._num_voices())
            return self._converted_frames(content, numbers, frames, mask)
        target = self.checked_inputs(target)
        example, example_mask = self.frames(target)
        voice = self.voice(target, example, example_mask)
        converted = self._converted_frames(content, voice, frames, mask)
        if self.match_target:
            own = self._converted_frames(self._content(example, example_mask), voice, example, example_mask)
            converted = under_mask(matched(converted, mask, own, example, example_mask), mask)
        return converted

    def to_waveform(self, frames: Any, lengths: Any = None, *, iterations: int = 32) -> np.ndarray:
        """Return waveforms of frames from `reconstruct` or `convert`, by `audio.mel_to_waveform`.

        Args:
            frames: `(batch, frames, mels)`, normalised as by the front end.
            lengths: `(batch,)`, number of real frames.
            iterations: number of iterations of `audio.griffin_lim`.

        Returns:
            `(batch, samples)` float32, 0 after the end of an utterance.
        """
        return inverted_frames(self.front_end, frames, "front_end", lengths, iterations)

    def log_mel(self, frames: Any) -> tuple[LogMelSpectrogram, Any]:
        """Return `(the LogMelSpectrogram of the front end, frames without their normalisation)`."""
        return log_mel_frames(self.front_end, frames, "front_end")

    # Exploration

    def decoder_conditions(self, x: Any) -> dict[str, Any]:
        if self.speaker_encoder is not None:
            return {}
        return {"speaker": x.get("speaker") if isinstance(x, dict) else None}

    def output_length(self, x: Any) -> int | None:
        return self.frames(x)[0].shape[1]

    def prior_advice(self) -> str:
        return "Change the voice of a recording with convert(source, target)."

    def reconstruction_error(self, x: Any) -> Any:
        """Return the reconstruction loss of each utterance, the mean over its real frames: `(batch,)`."""
        x = self.checked_inputs(x)
        frames, mask = self.frames(x)
        return mean_per_example(self.element_losses(frames, self.reconstruct(x)), mask)

    def score(self, x: Any) -> Any:
        """Return the reconstruction error of each utterance, `(batch,)`: the larger, the less typical `x` is.

        Terms that compare utterances or depend on an adversary are excluded.
        """
        return self.reconstruction_error(x)

    # Parts

    def voice(self, x: Any, frames: Any, mask: Any, training: bool | None = False) -> Any:
        """Return the voice of `x`, whose frames are given: a vector, or the integer `x["speaker"]`."""
        if self.speaker_encoder is not None:
            return call_under_mask(self.speaker_encoder, frames, mask, training)
        return self.speaker_numbers(x)

    def speaker_numbers(self, x: Any) -> Any:
        """Return the speaker ids of `x`, int32."""
        return speaker_numbers_of(x.get("speaker") if isinstance(x, dict) else None)

    def content_features(self, frames: Any, mask: Any, training: bool | None = False) -> Any:
        """Return the content encoder's output, with its mask."""
        return call_masked(self.content_encoder, frames, mask, training)

    def element_losses(self, target: Any, frames: Any) -> Any:
        """Return the reconstruction loss before its mean: `(batch, frames)`, float32."""
        return reconstruction_losses(self.reconstruction_loss, target, crop(frames, target))

    def _content(self, frames, mask, training=False):
        features = self.content_features(frames, mask, training)
        return under_mask(self.content_of(features), mask_of(features))

    def _converted_frames(self, content, voice, frames, mask, training=False):
        """Return the decoder's output, cut to the length of `frames`."""
        return self._output_frames(
            crop(self.decoder_output(content, voice, mask_of(content), training), frames), mask
        )

    def _output_frames(self, frames, mask):
        """Return the model's output frames: masked, with their variance matched if this is set."""
        return under_mask(self.global_variance(frames, mask=mask) if self.match_variance else frames, mask)

    def observe_variance(self, target: Any, frames: Any, mask: Any, sample_weight: Any = None) -> None:
        """Update the statistics of the variances of `target` and of the decoder's `frames` in training."""
        if self.match_variance and self.trainable:
            self.global_variance.observe(target, crop(frames, target), mask, sample_weight)

    def call(self, x: Any, training: bool | None = None) -> Any:
        frames, mask = self.frames(x)
        content = self._content(frames, mask, training)
        return self._converted_frames(content, self.voice(x, frames, mask, training), frames, mask, training)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...] | dict[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        return self.frames_shape

    def endpoints(self) -> dict[str, Endpoint]:
        """Return the functions to export, by name; see `keras_ae.models.Endpoint`."""
        return conversion_endpoints(self)

    def get_config(self) -> dict[str, Any]:
        names = ("content_encoder", "speaker_encoder", "decoder", "front_end", "reconstruction_loss")
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        matched = {"match_variance": self.match_variance, "match_target": self.match_target}
        return {**super().get_config(), **parts, **matched}


def under_mask(tensor: Any, mask: Any) -> Any:
    """Return `tensor` with its mask, and 0 in padding."""
    if mask is not None:
        tensor = zero_padding(tensor, mask)
        tensor._keras_mask = mask
    return tensor


def speaker_numbers_of(speaker: Any) -> Any:
    """Return `speaker` as int32 `(batch,)`, or raise `InputError` for `None`."""
    if speaker is None:
        raise InputError(
            "speaker must be given, since the decoder is conditioned on it. Received: speaker=None. "
            'Pass {"x":, "lengths":, "speaker": integer speaker ids}, or `speaker=` to `decode`.'
        )
    return ops.cast(ops.convert_to_tensor(speaker), "int32")


def mean_over_codes(voice: Any, mask: Any) -> Any:
    """Return the mean over real codes: `(batch, codes, speaker_dim)` -> `(batch, speaker_dim)`."""
    if mask is None:
        return ops.mean(voice, axis=1)
    weights = ops.cast(mask, voice.dtype)[..., None]
    return ops.divide_no_nan(ops.sum(zero_padding(voice, mask), axis=1), ops.sum(weights, axis=1))


SMALL, LARGEST = 0.05, 2.0  # added to the deviation of a band; largest factor of its change


def matched(frames: Any, mask: Any, own: Any, target: Any, target_mask: Any) -> Any:
    """Return `frames`, which are in a target's voice, with the target's mean and deviation of each band.

    ```
    y     = mean(frames) + scale (frames - mean(frames)) + shift           for each band, over real frames
    shift = mean(target) - mean(own),    scale = (sd(target) + 0.05) / (sd(own) + 0.05) in [1/2, 2]
    ```

    `own` is the target's reconstruction by the same decoder in the same voice. `own` and `target` contain
    the same words, which cancel out; what remains are the properties of the target and its microphone that
    the voice vector does not contain. Mean and deviation of the target alone would depend on its words,
    so that one utterance would not be enough for a plain shift. For voices in the training data the
    correction is small.

    Args:
        frames: `(batch, frames, mels)` under `mask` `(batch, frames)`.
        own, target: `(batch, target frames, mels)` under `target_mask`.

    Returns:
        frames in the shape of `frames`.
    """
    mean, _ = band_moments(frames, mask)
    own_mean, own_variance = band_moments(own, target_mask)
    target_mean, target_variance = band_moments(target, target_mask)
    scale = (ops.sqrt(target_variance) + SMALL) / (ops.sqrt(own_variance) + SMALL)
    scale = ops.clip(scale, 1.0 / LARGEST, LARGEST)[:, None]
    moved = mean[:, None] + scale * (ops.cast(frames, "float32") - mean[:, None])
    return ops.cast(moved + (target_mean - own_mean)[:, None], frames.dtype)
