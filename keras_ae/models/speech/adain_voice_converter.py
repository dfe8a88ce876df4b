"""Voice conversion by instance normalisation, from one utterance of the target voice."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import ScheduledVariable
from keras_ae.layers.bottlenecks.gaussian_bottleneck import LOG_VARIANCE_BOUND
from keras_ae.layers.linear_dependence import LinearDependence, dependence_term
from keras_ae.layers.masked.segment_means import SegmentMeans
from keras_ae.losses.divergences import gaussian_kl
from keras_ae.models.speech.voice_converter import VoiceConverter
from keras_ae.ops.sequences import combine, crop, mask_of
from keras_ae.ops.terms import mean_term, scalars, take_losses

SEGMENTS = 8  # parts of an utterance, from whose mean contents the speaker should not be predictable


@keras.saving.register_keras_serializable(package="keras_ae")
class AdaINVoiceConverter(VoiceConverter):
    """Voice converter that separates content and speaker by its architecture, without an adversary.

    ```
    [mean, v]    = content_encoder(y),   log_variance = 10 tanh(v / 10)
    z            = mean + exp(log_variance / 2) noise                    in training; else mean, the content
    y_hat        = decoder(z, speaker_encoder(y))
    loss         = reconstruction_weight mean |y_hat - y| + kl_weight kl_loss
    kl_loss      = mean over real codes and channels of KL(N(mean, exp(log_variance)) || N(0, 1)),  nats
    ```

    Converted frames are not part of the loss. Instance normalisation in the content encoder removes the
    utterance's mean and standard deviation of every channel, and AdaIN in the decoder adds those of the
    voice (`networks.content_encoder`, `networks.adain_decoder`). Normalisation alone leaves much of the
    speaker in the content: a content with few channels and a low rate, and the KL, remove more of it.

    Two options remove the rest, if the data permit. With `perturbation`, such as
    `layers.SpectralPerturbation`, the apparent voice of every utterance is changed at each step: the input
    of the content encoder is one draw, speaker encoder and target use another, so that the voice can only
    come from the speaker encoder, and there are more voices than speakers. With `voice_of="speaker"` the
    voice is computed from the next utterance of the same speaker in the batch (from the utterance itself if
    there is no other), so that the voice cannot contain what was said.

    Args:
        content_encoder: as in `VoiceConverter`, with channels for mean and log variance: twice as many as
            the content that the decoder takes.
        speaker_encoder: as in `VoiceConverter`.
        decoder: as in `VoiceConverter`, for voices that are vectors.
        front_end: as in `VoiceConverter`.
        reconstruction_weight: weight of the reconstruction loss.
        kl_weight: weight of the KL; a float, or a `keras.optimizers.schedules.LearningRateSchedule` of the
            training steps (warm-up), counted in a saved variable. The current value is the variable
            `kl_weight`.
        reconstruction_loss: as in `AutoEncoder`; by default the mean absolute error.
        perturbation: a layer from frames to frames, used in training only, with one draw for each example.
        voice_of: "utterance", or "speaker", which requires `speaker` in training.
        consistency_weight: weight of the mean squared difference between the contents of two draws of the
            perturbation (this one, and random layers in the content encoder).
        independence_weight: weight of `layers.LinearDependence` between the `speaker` and the means of the
            content over eight parts of the utterance; a batch should contain several utterances of each
            speaker.
        seed: seed of the noise.

    Metrics:
        `loss`, `reconstruction_loss`, `kl_loss`; `consistency_loss` and `speaker_dependence` if their
        weights are positive.

    Raises:
        InputError: the shapes of the networks do not match; `speaker` is required and missing.
        ValueError: `voice_of` is unknown.

    Example:

    >>> from keras_ae.networks import adain_decoder, content_encoder, speaker_encoder
    >>> small = {"filters": 8, "bank": 2, "strides": (2,)}
    >>> encoder = content_encoder(20, 2 * 4, **small)
    >>> decoder = adain_decoder(20, 4, 6, filters=8, strides=(2,))
    >>> model = AdaINVoiceConverter(encoder, speaker_encoder(20, 6, **small), decoder)
    >>> source, target = ops.ones((1, 9, 20)), ops.ones((1, 30, 20))
    >>> model.content(source).shape, model.convert(source, target).shape
    (TensorShape([1, 5, 4]), TensorShape([1, 9, 20]))

    Reference:
        Chou et al., 2019, https://arxiv.org/abs/1904.05742.
    """

    def __init__(
        self,
        content_encoder: keras.Model,
        speaker_encoder: keras.Model | None,
        decoder: keras.Model,
        front_end: keras.Model | None = None,
        *,
        reconstruction_weight: float = 10.0,
        kl_weight: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        reconstruction_loss: Any = "mae",
        perturbation: keras.Layer | None = None,
        voice_of: str = "utterance",
        consistency_weight: float = 0.0,
        independence_weight: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        parts = (content_encoder, speaker_encoder, decoder, front_end)
        super().__init__(*parts, reconstruction_loss=reconstruction_loss, **kwargs)
        if voice_of not in ("utterance", "speaker"):
            raise ValueError(f"voice_of must be 'utterance' or 'speaker'. Received: voice_of={voice_of!r}")
        self.reconstruction_weight = reconstruction_weight
        self.warm_up = ScheduledVariable(kl_weight, name="kl_weight")
        self.perturbation = perturbation
        self.voice_of = voice_of
        self.consistency_weight = consistency_weight
        self.independence_weight = independence_weight
        self.segments = SegmentMeans(SEGMENTS, name="segments")
        self.dependence: Any = LinearDependence(name="dependence") if independence_weight else None
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.track_terms("reconstruction_loss", "kl_loss")
        if consistency_weight:
            self.track_terms("consistency_loss")
        if independence_weight:
            self.track_terms("speaker_dependence")
        self.build_networks()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.independence_weight and not self.built:
            self.dependence.build((None, SEGMENTS * self.decoder.input_shape[0][-1]))
        super().build(input_shape)

    def input_rules(self) -> Any:
        needs_speaker = self.voice_of == "speaker" or self.independence_weight or self.speaker_encoder is None
        return replace(super().input_rules(), trained_on=("speaker",) if needs_speaker else ())

    @property
    def kl_weight(self) -> keras.Variable:
        """Variable with the current weight of the KL."""
        return self.warm_up.variable

    def content_of(self, features: Any) -> Any:
        return features[..., : features.shape[-1] // 2]

    def posterior(self, features: Any) -> tuple[Any, Any]:
        """Return `(mean, log_variance)` of the content, both float32 `(batch, codes, content_dim)`."""
        mean, raw = ops.split(ops.cast(features, "float32"), 2, axis=-1)
        return mean, LOG_VARIANCE_BOUND * ops.tanh(raw / LOG_VARIANCE_BOUND)

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Any, training: bool, player: str
    ) -> dict[str, Any]:
        frames, mask = self.frames(x)
        target = frames if y is None else self.frames({**_as_dict(x), "x": y})[0]
        target, voice = self._spoken_and_voice(x, frames, target, mask, sample_weight, training)
        features = self.content_features(self._view(frames, training), mask, training)
        mean, log_variance = self.posterior(features)
        content = self._sample(mean, log_variance) if training else mean
        reconstruction = self.decoder_output(content, voice, mask_of(features), training)
        if training:
            self.observe_variance(target, reconstruction, mask, sample_weight)
        parts = (self.content_encoder, self.speaker_encoder, self.decoder)
        added = sum(take_losses(part) for part in parts if part is not None)
        weights = combine(mask, sample_weight)
        self.observe_reconstruction(target, crop(reconstruction, target), weights)
        error = mean_term(self.element_losses(target, reconstruction), weights)
        kl = gaussian_kl(mean, log_variance)
        kl = mean_term(ops.mean(kl, axis=-1), combine(mask_of(features), sample_weight))
        kl_weight = self.warm_up.next(advance=bool(training) and self.trainable)
        loss = self.reconstruction_weight * error + kl_weight * kl + added
        terms = {"reconstruction_loss": error, "kl_loss": kl}
        if self.consistency_weight:
            other, _ = self.posterior(self.content_features(self._view(frames, training), mask, training))
            difference = ops.mean(ops.square(mean - other), axis=-1)
            difference = mean_term(difference, combine(mask_of(features), sample_weight))
            terms["consistency_loss"] = difference
            loss = loss + self.consistency_weight * difference
        if self.independence_weight:
            pooled = ops.reshape(self.segments(mean, mask=mask_of(features)), (ops.shape(mean)[0], -1))
            dependence = self.dependence(pooled, self.speaker_numbers(x), sample_weight, training=training)
            terms["speaker_dependence"] = dependence = dependence_term(dependence, sample_weight, pooled)
            loss = loss + self.independence_weight * dependence
        return scalars({"loss": loss, **terms})

    def _view(self, frames, training):
        """Return the input of the content encoder; in training, each call perturbs it differently."""
        if self.perturbation is None or not training:
            return frames
        return self.perturbation(frames, training=True)

    def _spoken_and_voice(self, x, frames, target, mask, sample_weight, training):
        """Return `(target, voice)`: the frames to reconstruct, and their voice."""
        example, example_mask = frames, mask
        if self.voice_of == "speaker" and training:
            partner = _next_of_the_speaker(self.speaker_numbers(x), sample_weight)
            example = ops.take(frames, partner, axis=0)
            example_mask = None if mask is None else ops.take(mask, partner, axis=0)
        if self.perturbation is not None and training:
            # One draw for both, so that the example has the voice of the target.
            both = self.perturbation(ops.concatenate([target, example], axis=1), training=True)
            target, example = both[:, : ops.shape(target)[1]], both[:, ops.shape(target)[1] :]
        return target, self.voice(x, example, example_mask, training)

    def _sample(self, mean, log_variance):
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reconstruction_weight": self.reconstruction_weight,
            "kl_weight": self.warm_up.get_value_config(),
            "perturbation": keras.saving.serialize_keras_object(self.perturbation),
            "voice_of": self.voice_of,
            "consistency_weight": self.consistency_weight,
            "independence_weight": self.independence_weight,
            "seed": self.seed,
        }


def _as_dict(x):
    return x if isinstance(x, dict) else {"x": x}


def _next_of_the_speaker(speaker, sample_weight=None):
    """Return the index of the next utterance of the same speaker with non-zero weight, cyclic, int32."""
    total = ops.shape(speaker)[0]
    places = ops.arange(total, dtype="int32")
    ahead = (places[None, :] - places[:, None] - 1) % total
    refused = speaker[None, :] != speaker[:, None]
    if sample_weight is not None:
        refused = ops.logical_or(refused, ops.reshape(sample_weight, (1, -1)) == 0)
    return ops.argmin(ahead + total * ops.cast(refused, "int32"), axis=1)
