"""Voice conversion by an adversary that looks for the speaker in the content."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import keras

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import attempt
from keras_ae.evaluation.speech.conversions import conversion_frames
from keras_ae.layers import (
    CepstralCoefficients,
    FrameNormalization,
    InstanceNormalization,
    SpectralPerturbation,
)
from keras_ae.models import AdversarialVoiceConverter
from keras_ae.networks import (
    conv_bank_encoder,
    front_end,
    patch_discriminator,
    speaker_classifier,
    speaker_decoder,
    speaker_encoder,
    table_adain_decoder,
)
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe, losses_of_test

AdversarialLoss = Literal["confusion", "entropy", "negative_cross_entropy", "gradient_reversal"]
MELS = 80  # bands of `conversion_frames`


@dataclass(frozen=True, kw_only=True)
class AdversarialVoiceConversionRecipe(SpeechRecipe):
    """An adversary looks for the speaker in the content, the decoder is told who speaks (Chou, 2018)."""

    name: ClassVar[str] = "adversarial-voice-conversion"
    summary: ClassVar[str] = "voice conversion: an adversary takes the speaker out of what was said"
    monitor: ClassVar[str | None] = None  # the last epoch: an untrained adversary looks like a good encoder

    speaker: Literal["table", "encoder"] = "table"
    """table: a learned vector for each speaker of the training data; encoder: made of any utterance."""
    content_dim: int = 16
    """Channels of the content."""
    speaker_dim: int = 8
    """Size of the voice."""
    halvings: int = 2
    """How often the content's time is halved; frames are 8 ms apart."""
    filters: int = 64
    """Channels inside of encoder, decoder and generator."""
    adversarial_loss: Literal["confusion", "entropy", "negative_cross_entropy", "gradient_reversal"] = (
        "confusion"
    )
    """What the encoder does against the adversary; see models.Adversary."""
    adversarial_weight: float = 0.008
    """Of that term beside the mean absolute error; 0: no adversary in effect."""
    linear_weight: float = 0.6
    """Of the linear adversary in closed form, beside the other one, in that term."""
    ramp: float = 0.3
    """Share of the joint steps over which the weight rises from 0."""
    adversary_updates: int = 3
    """Of the adversary in each joint step."""
    adversary_learning_rate: float = 2e-3
    """Of Adam of the adversary and the discriminator, constant."""
    adversary_dropout: float = 0.1
    """Dropout of the adversary."""
    cepstra: int = 13
    """Cepstral coefficients that the content encoder sees, with slopes; 0: the frames themselves."""
    normalize: bool = True
    """Take mean and deviation of the utterance out of what the content encoder sees."""
    warp: float = 0.2
    """The most by which the frequencies that the content encoder sees are stretched in training."""
    tilt: float = 0.0
    """The most by which their spectrum is bent in training, in standard deviations of a band."""
    noise: float = 0.1
    """Standard deviation of noise on the standardised content that the decoder sees in training."""
    correlation_weight: float = 0.5
    """Of what the channels of the content repeat of each other."""
    consistency_weight: float = 0.3
    """In the stage of the decoder: of the content of converted frames, which should be the same."""
    autoencoder_epochs: int = 8
    """Epochs without the adversary, at first."""
    adversary_epochs: int = 1
    """Epochs of the adversary alone, then."""
    decoder_epochs: int = 18
    """Epochs of the decoder alone, after those of all together."""
    residual_epochs: int = 0
    """Epochs of the residual generator and its discriminator alone, at last."""
    discriminator_updates: int = 3
    """Of the discriminator in each of their steps."""
    crop_seconds: float | None = 0.96
    """Length of the random part of each utterance that an epoch takes; without it whole utterances."""
    epochs: int = 62
    """Passes over the training utterances, all stages together."""
    batch_size: int = 32
    """Utterances of one step."""
    learning_rate: float = 3e-3
    """Of AdamW of the model, at the start; it falls to 0 by a cosine over the steps in which it moves, and
    again in the stage of the decoder."""

    def build(self, data, steps_per_epoch, base=None):
        """The compiled model; the adversary's optimiser is Adam at a rate of its own."""
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
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        return keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay)

    def _adam(self, name):
        rate = self.learning_rate if name == "generator" else self.adversary_learning_rate
        return keras.optimizers.Adam(rate, beta_1=0.9 if name == "adversary" else 0.5, clipnorm=5.0)

    def build_model(self, data, training_steps):
        speakers = len(data.speakers or ())
        if speakers < 2:
            raise InputError(
                f"The recipe {self.name} needs to know who speaks, and two speakers at least. "
                f"Received: {speakers} names of speakers. "
                "Give a manifest with a column speaker, or names like <label>_<speaker>_<take>.wav."
            )
        others = self.autoencoder_epochs, self.adversary_epochs, self.decoder_epochs, self.residual_epochs
        joint_epochs = self.epochs - sum(others)
        if joint_epochs < 1:
            raise InputError(
                "--epochs is more than --autoencoder-epochs, --adversary-epochs, --decoder-epochs and "
                f"--residual-epochs together. Received: {self.epochs}"
            )
        steps = training_steps // self.epochs
        joint_steps = joint_epochs * steps
        further = self.decoder_epochs or self.residual_epochs
        return AdversarialVoiceConverter(
            self._content_encoder(),
            self._decoder(speakers),
            speaker_classifier(self.content_dim, speakers, dropout=self.adversary_dropout, seed=self.seed),
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
        mel, normalization = conversion_frames(data.sample_rate), FrameNormalization()
        normalization.adapt(data.train.batches(self.batch_size), front_end=mel)
        return front_end([mel, normalization])

    def _content_encoder(self):
        parts = []
        if self.warp or self.tilt:
            parts.append(SpectralPerturbation(self.warp, self.tilt, seed=self.seed))
        if self.cepstra:
            parts.append(CepstralCoefficients(self.cepstra, deltas=2))
        if self.normalize:
            parts.append(InstanceNormalization(center=False, scale=False))
        options = {"filters": self.filters, "halvings": self.halvings, "standardize": True}
        return conv_bank_encoder(MELS, self.content_dim, parts=parts, seed=self.seed, **options)

    def _speaker_encoder(self):
        if self.speaker == "table":
            return None
        return speaker_encoder(MELS, self.speaker_dim, filters=self.filters)

    def _decoder(self, speakers):
        options = {"noise": self.noise, "seed": self.seed}
        return table_adain_decoder(MELS, self.content_dim, **self._decoded(speakers), **options)

    def _decoded(self, speakers):
        table = {"num_speakers": speakers} if self.speaker == "table" else {}
        shape = {"filters": self.filters, "halvings": self.halvings, "speaker_dim": self.speaker_dim}
        return {**shape, **table}

    def _residual(self, speakers):
        options = {"starts_at_zero": True, "name": "generator", **self._decoded(speakers)}
        return {
            "generator": speaker_decoder(MELS, self.content_dim, **options),
            "discriminator": patch_discriminator(MELS, speakers),
        }

    def _weight(self, joint_steps):
        if not self.ramp:
            return self.adversarial_weight
        steps = max(1, round(self.ramp * joint_steps))
        return keras.optimizers.schedules.PolynomialDecay(0.0, steps, self.adversarial_weight)

    def measure(self, model, data):
        """Errors on the test utterances."""
        test = attempt("test utterances", losses_of_test, model, self, data, default={})
        return {"test": test}
