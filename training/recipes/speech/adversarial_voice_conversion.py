"""Recipe of voice conversion with an adversary that predicts the speaker from the content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe, losses_of_test

if TYPE_CHECKING:
    import keras

    from keras_ae import models
    from keras_ae.training.datasets import SpeechData

AdversarialLoss = Literal["confusion", "entropy", "negative_cross_entropy", "gradient_reversal"]
MELS = 80  # mel bands of `conversion_frames`


@dataclass(frozen=True, kw_only=True)
class AdversarialVoiceConversionRecipe(SpeechRecipe):
    """Voice conversion: an adversary predicts the speaker, the decoder is conditioned on it (Chou, 2018)."""

    name: ClassVar[str] = "adversarial-voice-conversion"
    summary: ClassVar[str] = "voice conversion: an adversary removes the speaker from the content"
    monitor: ClassVar[str | None] = None  # last epoch: early losses are low, as the adversary is untrained

    speaker: Literal["table", "encoder"] = "table"
    """Speaker embedding: table (learned for each training speaker) or encoder (from any utterance)."""
    content_dim: int = 16
    """Number of channels of the content."""
    speaker_dim: int = 8
    """Dimension of the speaker embedding."""
    halvings: int = 2
    """Number of times the content's frame rate is halved; frames are 8 ms apart."""
    filters: int = 64
    """Number of channels of the hidden layers of encoder, decoder and generator."""
    adversarial_loss: Literal["confusion", "entropy", "negative_cross_entropy", "gradient_reversal"] = (
        "confusion"
    )
    """Loss of the encoder against the adversary; see models.Adversary."""
    adversarial_weight: float = 0.008
    """Weight of the adversarial loss relative to the mean absolute error; 0: the adversary has no effect."""
    linear_weight: float = 0.6
    """Weight of the linear adversary in closed form within the adversarial loss."""
    ramp: float = 0.3
    """Share of the joint steps over which the adversarial weight rises from 0."""
    adversary_updates: int = 3
    """Number of adversary updates per joint step."""
    adversary_learning_rate: float = 2e-3
    """Constant learning rate of Adam for the adversary and the discriminator."""
    adversary_dropout: float = 0.1
    """Dropout rate of the adversary."""
    cepstra: int = 13
    """Number of cepstral coefficients, with deltas, as input of the content encoder; 0: the mel frames."""
    normalize: bool = True
    """Whether to standardise the content encoder's input over each utterance."""
    warp: float = 0.2
    """Maximum relative frequency warp of the content encoder's input in training."""
    tilt: float = 0.0
    """Maximum spectral tilt of the content encoder's input in training, in standard deviations of a band."""
    noise: float = 0.1
    """Standard deviation of the noise added to the standardised content before the decoder in training."""
    correlation_weight: float = 0.5
    """Weight of the correlation penalty between content channels."""
    consistency_weight: float = 0.3
    """Weight of the change of content in converted frames, in the decoder stage."""
    autoencoder_epochs: int = 8
    """Number of epochs of the first stage, without the adversary."""
    adversary_epochs: int = 1
    """Number of epochs of the second stage, the adversary alone."""
    decoder_epochs: int = 18
    """Number of epochs of the decoder alone, after the joint stage."""
    residual_epochs: int = 0
    """Number of epochs of the last stage, the residual generator and its discriminator alone."""
    discriminator_updates: int = 3
    """Number of discriminator updates per step of the last stage."""
    crop_seconds: float | None = 0.96
    """Length in seconds of the random window of each utterance per epoch; None: whole utterances."""
    epochs: int = 62
    """Number of passes over the training utterances, in total over all stages."""
    batch_size: int = 32
    """Number of utterances per step."""
    learning_rate: float = 3e-3
    """Initial learning rate of the model's AdamW; it decays to 0 by a cosine over the steps in which the
    model is updated, and again in the decoder stage."""

    def build(self, data: SpeechData, steps_per_epoch: int, base: keras.Model | None = None) -> keras.Model:
        """Return the compiled model; the adversary's optimiser is Adam with a separate learning rate."""
        import keras

        keras.utils.set_random_seed(self.seed)
        model = self.build_model(data, self.epochs * steps_per_epoch)
        model.preprocessing = self.preprocessing(data.description)
        moving = self.epochs - self.adversary_epochs - self.decoder_epochs - self.residual_epochs
        others = {"adversary": self._adam("adversary")}
        if self.decoder_epochs:
            others["decoder"] = self._adam_w(self.decoder_epochs * steps_per_epoch)
        if self.residual_epochs:
            others |= {name: self._adam(name) for name in ("discriminator", "generator")}
        model.compile(
            self._adam_w(moving * steps_per_epoch),
            **{f"{name}_optimizer": optimizer for name, optimizer in others.items()},
            jit_compile=False,
        )
        return model

    def _adam_w(self, steps):
        import keras

        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        return keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay)

    def _adam(self, name):
        import keras

        rate = self.learning_rate if name == "generator" else self.adversary_learning_rate
        return keras.optimizers.Adam(rate, beta_1=0.9 if name == "adversary" else 0.5, clipnorm=5.0)

    def build_model(self, data: SpeechData, training_steps: int) -> models.AdversarialVoiceConverter:
        from keras_ae import models, networks

        speakers = len(data.speakers or ())
        if speakers < 2:
            raise InputError(
                f"The data of the recipe {self.name} must contain the names of at least two speakers. "
                f"Received: {speakers} names of speakers. "
                "Add a manifest with a column speaker, or name the files <label>_<speaker>_<take>.wav."
            )
        others = self.autoencoder_epochs, self.adversary_epochs, self.decoder_epochs, self.residual_epochs
        joint_epochs = self.epochs - sum(others)
        if joint_epochs < 1:
            raise InputError(
                "--epochs must be more than --autoencoder-epochs, --adversary-epochs, --decoder-epochs and "
                f"--residual-epochs together. Received: {self.epochs}"
            )
        steps = training_steps // self.epochs
        joint_steps = joint_epochs * steps
        further = self.decoder_epochs or self.residual_epochs
        return models.AdversarialVoiceConverter(
            self._content_encoder(),
            self._decoder(speakers),
            networks.speaker_classifier(
                self.content_dim, speakers, dropout=self.adversary_dropout, seed=self.seed
            ),
            self._front_end(data),
            speaker_encoder=self._speaker_encoder(),
            **(self._residual(speakers) if self.residual_epochs else {}),
            adversarial_loss=self.adversarial_loss,
            adversarial_weight=self._weight(joint_steps),
            linear_weight=self.linear_weight,
            correlation_weight=self.correlation_weight,
            consistency_weight=self.consistency_weight,
            adversary_updates=self.adversary_updates,
            discriminator_updates=self.discriminator_updates,
            autoencoder_steps=self.autoencoder_epochs * steps,
            adversary_steps=self.adversary_epochs * steps,
            joint_steps=joint_steps if further else None,
            decoder_steps=self.decoder_epochs * steps,
            seed=self.seed,
        )

    def _front_end(self, data):
        from keras_ae import layers, networks
        from keras_ae.evaluation.speech.conversions import conversion_frames

        mel, normalization = conversion_frames(data.sample_rate), layers.FrameNormalization()
        normalization.adapt(data.train.batches(self.batch_size), front_end=mel)
        return networks.front_end([mel, normalization])

    def _content_encoder(self):
        from keras_ae import layers, networks

        parts = []
        if self.warp or self.tilt:
            parts.append(layers.SpectralPerturbation(self.warp, self.tilt, seed=self.seed))
        if self.cepstra:
            parts.append(layers.CepstralCoefficients(self.cepstra, deltas=2))
        if self.normalize:
            parts.append(layers.InstanceNormalization(center=False, scale=False))
        options = {"filters": self.filters, "halvings": self.halvings, "standardize": True}
        return networks.conv_bank_encoder(MELS, self.content_dim, parts=parts, seed=self.seed, **options)

    def _speaker_encoder(self):
        from keras_ae import networks

        if self.speaker == "table":
            return None
        return networks.speaker_encoder(MELS, self.speaker_dim, filters=self.filters)

    def _decoder(self, speakers):
        from keras_ae import networks

        options = {"noise": self.noise, "seed": self.seed}
        return networks.table_adain_decoder(MELS, self.content_dim, **self._decoded(speakers), **options)

    def _decoded(self, speakers):
        table = {"num_speakers": speakers} if self.speaker == "table" else {}
        shape = {"filters": self.filters, "halvings": self.halvings, "speaker_dim": self.speaker_dim}
        return {**shape, **table}

    def _residual(self, speakers):
        from keras_ae import networks

        options = {"starts_at_zero": True, "name": "generator", **self._decoded(speakers)}
        return {
            "generator": networks.speaker_decoder(MELS, self.content_dim, **options),
            "discriminator": networks.patch_discriminator(MELS, speakers),
        }

    def _weight(self, joint_steps):
        import keras

        if not self.ramp:
            return self.adversarial_weight
        steps = max(1, round(self.ramp * joint_steps))
        return keras.optimizers.schedules.PolynomialDecay(0.0, steps, self.adversarial_weight)

    def measure(self, model: models.AdversarialVoiceConverter, data: SpeechData) -> dict[str, Any]:
        """Compute the errors on the test utterances."""
        from keras_ae.evaluation.attempts import attempt

        test = attempt("test utterances", losses_of_test, model, self, data, default={})
        return {"test": test}
