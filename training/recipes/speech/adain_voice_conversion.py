"""Recipe of one-shot voice conversion by instance normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe, losses_of_test

if TYPE_CHECKING:
    import keras

    from keras_ae import models
    from keras_ae.training.datasets import SpeechData


@dataclass(frozen=True, kw_only=True)
class AdaINVoiceConversionRecipe(SpeechRecipe):
    """Voice conversion: instance normalisation removes the voice, AdaIN adds another (Chou, 2019)."""

    name: ClassVar[str] = "adain-voice-conversion"
    summary: ClassVar[str] = "voice conversion, also to the voice of a single given utterance"
    monitor: ClassVar[str] = "val_reconstruction_loss"

    content_dim: int = 32
    """Number of channels of the content."""
    speaker_dim: int = 8
    """Dimension of the speaker embedding."""
    filters: int = 64
    """Number of channels of the hidden layers of the content encoder."""
    decoder_filters: int = 96
    """Number of channels of the hidden layers of the decoder."""
    speaker_filters: int = 32
    """Number of channels of the hidden layers of the speaker encoder."""
    bank: int = 3
    """Kernel size, in frames of 8 ms, of the longest convolution of the first layers (convolution banks)."""
    strides: tuple[int, ...] = (2, 2)
    """Temporal stride of each block; use small strides for short utterances."""
    cepstra: int = 13
    """Number of cepstral coefficients, with deltas, as input of the content encoder; 0: the mel frames."""
    content_warp: float = 0.15
    """Maximum relative frequency warp of the content encoder's input in training."""
    warp: float = 0.0
    """Maximum relative frequency warp of an utterance and its voice in training, which adds new voices."""
    tilt: float = 0.0
    """Maximum spectral tilt of an utterance and its voice in training, in standard deviations of a band."""
    voice_of: Literal["speaker", "utterance"] = "speaker"
    """Source of the voice in training: another utterance of the speaker, or the utterance itself."""
    reconstruction_weight: float = 10.0
    """Weight of the mean absolute error of the frames."""
    kl_weight: float = 0.05
    """Weight of the KL of the content, a mean over its elements in nats."""
    warm_up: float = 0.3
    """Share of the training steps over which the KL weight rises from 0."""
    consistency_weight: float = 0.0
    """Weight of the difference between the contents of two perturbations of an utterance."""
    independence_weight: float = 0.03
    """Weight of the linear dependence of the content on the speaker; requires names of speakers."""
    instance_norm: bool = True
    """Instance normalisation in the content encoder; disable it for comparison."""
    normalize_content: bool = False
    """Instance normalisation of the decoder's input; it loses information if utterances are single words."""
    match_variance: bool = True
    """Whether to rescale the output frames to the variance of recorded speech."""
    match_target: bool = True
    """Whether to correct mean and standard deviation of each band by the error of the reconstructed
    target."""
    adain: bool = True
    """AdaIN in the decoder; if disabled, a linear map of the voice is added, for comparison."""
    epochs: int = 100
    """Number of passes over the training utterances."""
    batch_size: int = 32
    """Number of utterances per step."""
    learning_rate: float = 3e-3
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""

    def __post_init__(self):
        super().__post_init__()
        if not self.strides or min(self.strides) < 1:
            raise InputError(f"--strides must be numbers of at least 1. Received: {self.strides}")

    def build_model(self, data: SpeechData, training_steps: int) -> models.AdaINVoiceConverter:
        import keras

        from keras_ae import layers, models, networks
        from keras_ae.evaluation.speech.conversions import conversion_frames

        if (self.voice_of == "speaker" or self.independence_weight) and not data.speakers:
            raise InputError(
                "The data must contain names of speakers for --voice-of speaker and --independence-weight. "
                "Received: no names of speakers. Add a manifest with a column speaker, or name the files "
                "<label>_<speaker>_<take>.wav; or pass --voice-of utterance --independence-weight 0."
            )
        mel, normalization = conversion_frames(data.sample_rate), layers.FrameNormalization()
        normalization.adapt(data.train.batches(self.batch_size), front_end=mel)
        shape: dict[str, Any] = {"bank": self.bank, "strides": self.strides}
        steps = max(1, round(self.warm_up * training_steps))
        return models.AdaINVoiceConverter(
            networks.content_encoder(
                mel.num_mels,
                2 * self.content_dim,
                parts=self.content_parts(),
                instance_norm=self.instance_norm,
                filters=self.filters,
                **shape,
            ),
            networks.speaker_encoder(mel.num_mels, self.speaker_dim, filters=self.speaker_filters, **shape),
            networks.adain_decoder(
                mel.num_mels,
                self.content_dim,
                self.speaker_dim,
                filters=self.decoder_filters,
                strides=self.strides[::-1],
                normalize_content=self.normalize_content,
                adain=self.adain,
            ),
            networks.front_end([mel, normalization]),
            reconstruction_weight=self.reconstruction_weight,
            kl_weight=keras.optimizers.schedules.PolynomialDecay(0.0, steps, self.kl_weight),
            perturbation=self._perturbation(self.warp, self.tilt),
            voice_of=self.voice_of,
            consistency_weight=self.consistency_weight,
            independence_weight=self.independence_weight,
            match_variance=self.match_variance,
            match_target=self.match_target,
            seed=self.seed,
        )

    def content_parts(self) -> list[keras.Layer]:
        """Return the layers applied to the frames before the content encoder."""
        from keras_ae import layers

        parts = [part for part in [self._perturbation(self.content_warp, 0.0)] if part is not None]
        if self.cepstra:
            parts.append(layers.CepstralCoefficients(self.cepstra, deltas=2))
        return parts

    def _perturbation(self, warp, tilt):
        from keras_ae import layers

        return layers.SpectralPerturbation(warp, tilt, seed=self.seed) if warp or tilt else None

    def measure(self, model: models.AdaINVoiceConverter, data: SpeechData) -> dict[str, Any]:
        """Compute the errors on the test utterances."""
        from keras_ae.evaluation.attempts import attempt

        names = ("reconstruction_loss", "kl_loss")
        test = attempt("test utterances", losses_of_test, model, self, data, names, default={})
        return {"test": test}
