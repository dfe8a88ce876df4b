"""What was said and who says it, taken apart and put together with another voice."""

import keras
import numpy as np
from keras import ops

from keras_ae.audio.mel import mel_to_waveforms
from keras_ae.errors import InputError, embedding_rows, integers_in
from keras_ae.layers.speech.frame_normalization import FrameNormalization
from keras_ae.layers.speech.global_variance import GlobalVariance, band_moments
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram
from keras_ae.models._data_checks import checked_array
from keras_ae.models._input_rules import InputRules
from keras_ae.models.base import BaseModel
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.speech._conversion_endpoints import conversion_endpoints
from keras_ae.models.stages import check_loss, check_reconstruction, reconstruction_losses
from keras_ae.ops.sequences import (
    call_masked,
    call_under_mask,
    check_mask,
    crop,
    input_mask,
    mask_of,
    sequence_mask,
    unpack_inputs,
    zero_padding,
)


class VoiceConverter(BaseModel):
    """Base of the models that convert a voice: a content encoder, a voice, a decoder.

    ```
    y       = front_end(x)                                    # frames, made once, not trained
    content = content_encoder(y)                              # what was said, (batch, codes, content_dim)
    voice   = speaker_encoder(y')  or  number of a speaker    # who says it
    y_hat   = decoder(content, voice)                         # (batch, frames, mels)
    ```

    To convert, `y` is one utterance and `y'` another, of any speaker. A subclass writes the objective
    (`compute_terms`), and where its networks return more than these equations say, overrides `content_of` or
    `decoder_output`; its constructor ends with `self.build_networks()`.

    Args:
        content_encoder: a Keras model from `(batch, frames, mels)` to `(batch, codes, channels)`.
        speaker_encoder: a Keras model from `(batch, frames, mels)` to `(batch, speaker_dim)`, a mean
            over real frames; `None`: a speaker is a number.
        decoder: a Keras model from `[content (batch, codes, content_dim), voice]` to
            `(batch, frames, mels)`, the voice a vector `(batch, speaker_dim)` or a number `(batch,)`;
            frames past those of the input are cut.
        front_end: a Keras model from waveforms `(batch, samples)` to `(batch, frames, mels)`, such as
            `networks.front_end([LogMelSpectrogram(), FrameNormalization()])`; `None`: inputs are frames.
        reconstruction_loss: name of a Keras loss, a `keras.losses.Loss`, or a function `f(x, x_hat)`.
        match_variance: whether what it says moves as much as recorded speech (`layers.GlobalVariance`).
        match_target: whether `convert` moves mean and deviation of each band by what the voice misses of
            the target (`models.target_matching`): it makes a voice that was never heard in training.

    Inputs of `fit`, `evaluate` and all methods that take `x`: waveforms or frames, alone or as
    `{"x":, "lengths": (batch,), "speaker": (batch,)}`. `lengths` count samples, or frames without a front
    end; `speaker`, a number, is asked for where there is no speaker encoder.

    Raises:
        InputError: networks that do not fit each other; no speaker where one is needed.
    """

    discrete = False

    def __init__(
        self,
        content_encoder,
        speaker_encoder,
        decoder,
        front_end=None,
        *,
        reconstruction_loss="mae",
        match_variance=False,
        match_target=False,
        **kwargs,
    ):
        if match_target and speaker_encoder is None:
            raise InputError("match_target=True asks for a speaker encoder: a number has no frames.")
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
        self.global_variance = GlobalVariance(name="global_variance") if match_variance else None
        if front_end is not None:
            front_end.trainable = False

    def build_networks(self):
        """Check that the networks fit each other; a built model takes no further parts."""
        first = self.content_encoder if self.front_end is None else self.front_end
        self.build(first.input_shape)

    def build(self, input_shape):
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
                f"The decoder takes contents of {self.content_dim} channels and voices (batch, *{asked}). "
                f"Received: {content_dim} channels of the content encoder, voices (batch, *{given})"
            )

    # what a subclass may override

    def content_of(self, features):
        """The content `(batch, codes, content_dim)` of the content encoder's output."""
        return features

    def decoder_output(self, content, voice, mask, training):
        """Frames `(batch, frames, mels)` of a content under its `mask`, and a voice."""
        masks = None if mask is None else [mask, None]
        frames = call_under_mask(self.decoder, [content, voice], masks, training)
        if mask is not None:
            check_mask(frames, self.decoder.name)
        return frames

    def input_rules(self):
        shape = getattr(self, "sample_shape", None)
        shapes = {"x": None if shape is None else (None, *shape), "lengths": (None,), "speaker": (None,)}
        trained_on = ("speaker",) if self.speaker_encoder is None else ()
        # rows of a table, or labels that are only compared with each other
        sizes = {"speaker": self._num_voices() if self.speaker_encoder is None else None}
        return InputRules(shapes, trained_on=trained_on, target=True, sizes=sizes)

    def _num_voices(self):
        """Number of rows of the decoder's table of speakers; `None` without one."""
        return embedding_rows(self.decoder)

    # what it says

    def frames(self, x):
        """`(frames (batch, frames, mels), mask or None)`: what is encoded and what is reconstructed."""
        values, lengths = unpack_inputs(x)
        mask = input_mask(values, lengths)
        if self.front_end is None:
            return values, mask
        frames = call_masked(self.front_end, values, mask, training=False)
        return frames, mask_of(frames)

    def content(self, x):
        """What was said: `(batch, codes, content_dim)`, with its mask."""
        return self._content(*self.frames(self.checked_inputs(x)))

    def speaker(self, x):
        """The voice of each utterance: `(batch, speaker_dim)`, or the numbers `x["speaker"]`."""
        x = self.checked_inputs(x)
        return self.voice(x, *(self.frames(x) if self.speaker_encoder is not None else (None, None)))

    def encode(self, x):
        """`(batch, codes, content_dim + speaker_dim)`: the content, then the voice at every code.

        Without a speaker encoder the content alone.
        """
        x = self.checked_inputs(x)
        frames, mask = self.frames(x)
        content = self._content(frames, mask)
        if self.speaker_encoder is None:
            return content
        voice = ops.cast(self.voice(x, frames, mask), content.dtype)
        voice = ops.repeat(voice[:, None], ops.shape(content)[1], axis=1)
        return under_mask(ops.concatenate([content, voice], axis=-1), mask_of(content))

    embed = encode  # the embedding is made of floats

    def decode(self, embedding, lengths=None, speaker=None):
        """Frames `(batch, frames, mels)` of what `encode` returns.

        Args:
            embedding: `(batch, codes, content_dim + speaker_dim)`; the voice is the mean over the codes.
            lengths: `(batch,)`, real codes of padded sequences.
            speaker: another voice than that of the embedding, `(batch, speaker_dim)`, as `speaker` returns
                it; where there is no speaker encoder, numbers `(batch,)`.
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
        return self._said(frames, mask_of(frames))

    def reconstruct(self, x):
        """The frames of `x` as its content and its own voice make them, `(batch, frames, mels)`."""
        return self.call(self.checked_inputs(x), training=False)

    def convert(self, source, target):
        """The words of `source` in the voice of `target`, frames `(batch, frames, mels)`.

        `target`: as many utterances of the wanted voice; where there is no speaker encoder, numbers of
        speakers `(batch,)`.
        """
        frames, mask = self.frames(self.checked_inputs(source))
        content = self._content(frames, mask)
        if self.speaker_encoder is None:
            numbers = integers_in("target", speaker_numbers_of(target), self._num_voices())
            return self._spoken(content, numbers, frames, mask)
        target = self.checked_inputs(target)
        heard, heard_mask = self.frames(target)
        voice = self.voice(target, heard, heard_mask)
        spoken = self._spoken(content, voice, frames, mask)
        if self.match_target:
            own = self._spoken(self._content(heard, heard_mask), voice, heard, heard_mask)
            spoken = under_mask(matched(spoken, mask, own, heard, heard_mask), mask)
        return spoken

    def to_waveform(self, frames, lengths=None, *, iterations: int = 32) -> np.ndarray:
        """Frames of `reconstruct` or `convert` to listen to, by `audio.mel_to_waveform`.

        Args:
            frames: `(batch, frames, mels)`, normalised as the front end leaves them.
            lengths: `(batch,)`, real frames.
            iterations: of `audio.griffin_lim`.

        Returns:
            `(batch, samples)` float32, 0 past the end of an utterance.
        """
        mel, frames = self.log_mel(frames)
        frames = ops.convert_to_numpy(ops.cast(frames, "float32"))
        return mel_to_waveforms(frames, mel, lengths, iterations)

    def log_mel(self, frames):
        """`(the LogMelSpectrogram of the front end, frames before they were normalised)`."""
        for layer in reversed([] if self.front_end is None else self.front_end.layers):
            if isinstance(layer, FrameNormalization):
                frames = layer.denormalize(frames)
            elif isinstance(layer, LogMelSpectrogram):
                return layer, frames
        raise InputError(
            "Waveforms are made with the front end that took them apart: a model with "
            "front_end=networks.front_end([LogMelSpectrogram(), FrameNormalization()]). Received: none such"
        )

    # parts

    def voice(self, x, frames, mask, training=False):
        """The voice of `x`, whose frames are given: a vector, or the number of `x["speaker"]`."""
        if self.speaker_encoder is not None:
            return call_under_mask(self.speaker_encoder, frames, mask, training)
        return self.speaker_numbers(x)

    def speaker_numbers(self, x):
        """The numbers of the speakers of `x`, int32."""
        return speaker_numbers_of(x.get("speaker") if isinstance(x, dict) else None)

    def content_features(self, frames, mask, training=False):
        """The content encoder's output, with its mask."""
        return call_masked(self.content_encoder, frames, mask, training)

    def element_losses(self, target, frames):
        """The reconstruction loss before its mean: `(batch, frames)`, float32."""
        return reconstruction_losses(self.reconstruction_loss, target, crop(frames, target))

    def _content(self, frames, mask, training=False):
        features = self.content_features(frames, mask, training)
        return under_mask(self.content_of(features), mask_of(features))

    def _spoken(self, content, voice, frames, mask, training=False):
        """What the decoder says, as long as `frames`."""
        return self._said(crop(self.decoder_output(content, voice, mask_of(content), training), frames), mask)

    def _said(self, frames, mask):
        """Frames as they leave the model."""
        return under_mask(self.global_variance(frames, mask=mask) if self.match_variance else frames, mask)

    def observe_variance(self, target, frames, mask, sample_weight=None):
        """For a training step: count how much `target` and the decoder's `frames` move."""
        if self.match_variance and self.trainable:
            self.global_variance.observe(target, crop(frames, target), mask, sample_weight)

    def call(self, x, training=None):
        frames, mask = self.frames(x)
        content = self._content(frames, mask, training)
        return self._spoken(content, self.voice(x, frames, mask, training), frames, mask, training)

    def compute_output_shape(self, input_shape):
        return self.frames_shape

    def endpoints(self) -> dict[str, Endpoint]:
        """The functions that are exported; see `keras_ae.models.Endpoint`."""
        return conversion_endpoints(self)

    def get_config(self):
        names = ("content_encoder", "speaker_encoder", "decoder", "front_end", "reconstruction_loss")
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        matched = {"match_variance": self.match_variance, "match_target": self.match_target}
        return {**super().get_config(), **parts, **matched}


def under_mask(tensor, mask):
    """`tensor` under its mask, 0 where there is padding."""
    if mask is not None:
        tensor = zero_padding(tensor, mask)
        tensor._keras_mask = mask
    return tensor


def speaker_numbers_of(speaker):
    """`speaker` as int32 `(batch,)`; an `InputError` where there is none."""
    if speaker is None:
        raise InputError(
            'The decoder is told who speaks: give {"x":, "lengths":, "speaker": numbers}, and `decode` '
            "its argument `speaker`. Received: no speaker"
        )
    return ops.cast(ops.convert_to_tensor(speaker), "int32")


def mean_over_codes(voice, mask):
    """`(batch, codes, speaker_dim)` -> `(batch, speaker_dim)`, over real codes."""
    if mask is None:
        return ops.mean(voice, axis=1)
    weights = ops.cast(mask, voice.dtype)[..., None]
    return ops.divide_no_nan(ops.sum(zero_padding(voice, mask), axis=1), ops.sum(weights, axis=1))


SMALL, LARGEST = 0.05, 2.0  # beside the deviation of a band; the most that it is widened


def matched(frames, mask, own, target, target_mask):
    """`frames`, said in the voice of a target, with mean and deviation of each band as the target has them.

    ```
    y     = mean(frames) + scale (frames - mean(frames)) + shift           for each band, over real frames
    shift = mean(target) - mean(own),    scale = (sd(target) + 0.05) / (sd(own) + 0.05) in [1/2, 2]
    ```

    `own` are the target's words, said in its voice by the same decoder. The words are in both and cancel
    out; what is left is what the voice vector does not tell of the target and its microphone. Mean and
    deviation of the target itself would bring its words along, which is why one utterance does not do for a
    plain shift. Of voices that were heard in training it is next to nothing.

    Args:
        frames: `(batch, frames, mels)` under `mask` `(batch, frames)`.
        own, target: `(batch, target frames, mels)` under `target_mask`.

    Returns:
        as `frames`.
    """
    mean, _ = band_moments(frames, mask)
    own_mean, own_variance = band_moments(own, target_mask)
    target_mean, target_variance = band_moments(target, target_mask)
    scale = (ops.sqrt(target_variance) + SMALL) / (ops.sqrt(own_variance) + SMALL)
    scale = ops.clip(scale, 1.0 / LARGEST, LARGEST)[:, None]
    moved = mean[:, None] + scale * (ops.cast(frames, "float32") - mean[:, None])
    return ops.cast(moved + (target_mean - own_mean)[:, None], frames.dtype)
