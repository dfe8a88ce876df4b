"""Voice conversion by an adversary that looks for the speaker in the content."""

import keras
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers.replica_noise import uniform_noise
from keras_ae.models.adversary import Adversary
from keras_ae.models.base import Player, take_losses
from keras_ae.models.residual_terms import RESIDUAL_TERMS, discriminator_terms, generator_terms
from keras_ae.models.sequences import call_under_mask, combine, crop, mask_of, unpack_inputs
from keras_ae.models.stages import Stage
from keras_ae.models.voice_converter import VoiceConverter
from keras_ae.ops import weighted_mean


@keras.saving.register_keras_serializable(package="keras_ae")
class AdversarialVoiceConverter(VoiceConverter):
    """A content that an adversary cannot tell the speaker from, a decoder that is told the speaker.

    ```
    z     = content_encoder(frames)
    y_hat = decoder(z, speaker)
    loss  = mean |frames - y_hat| + adversarial_weight * Adversary.encoder_loss(z, speaker)
    adversary_loss = CE(softmax(adversary(z)), speaker)         # z held fixed
    ```

    With a `generator` and a `discriminator` a second part follows in which all else stands still. To the
    frames of another voice `s'` the generator adds what makes them look real:

    ```
    y'    = decoder(z, s') + generator(z, s')
    discriminator: -(D(frames) - D(y')) + CE(D_speaker(frames), speaker) + 10 mean (|grad D| - 1)^2
    generator:     -D(y') + CE(D_speaker(y'), s')
    ```

    `s'` is the speaker of another utterance of the batch. One `fit` goes through the stages "auto_encoder",
    "adversary" (it alone), "joint" and "residual".

    Args:
        content_encoder: as in `VoiceConverter`; `networks.conv_bank_encoder`.
        decoder: as in `VoiceConverter`; `networks.speaker_decoder`, which with a table of speakers
            (`num_speakers`) takes their numbers.
        adversary: a Keras model from the content to logits of the speakers, see `models.Adversary`;
            `networks.speaker_classifier`.
        front_end: as in `VoiceConverter`.
        speaker_encoder: as in `VoiceConverter`; `None`: a table of speakers in the decoder.
        generator: a network like the decoder whose untrained result is 0
            (`networks.speaker_decoder(..., starts_at_zero=True)`), or `None`.
        discriminator: a Keras model from frames to `[score (batch,), speaker logits]`,
            `networks.patch_discriminator`, or `None`.
        adversarial_loss: "confusion", "entropy", "negative_cross_entropy" or "gradient_reversal", see
            `models.Adversary`.
        adversarial_weight: a float, or a `keras.optimizers.schedules` schedule of the joint steps.
        adversary_updates, discriminator_updates: in each step of their stage.
        autoencoder_steps, adversary_steps, joint_steps: length of the first three stages, 0: none;
            `joint_steps=None`: to the end, where there is no generator.
        gradient_penalty_weight: of the discriminator.
        reconstruction_loss: as in `VoiceConverter`.
        seed: of the draws of `s'` and of the points of the gradient penalty.

    Inputs of `fit`, `evaluate`:
        x: `{"x":, "lengths": (batch,), "speaker": (batch,)}` as in `VoiceConverter`; the number of the
            speaker is always needed here.
        y: waveforms or frames that are to be reconstructed, if not `x` itself (denoising).
        sample_weight: `(batch,)`; weights every term.

    Metrics:
        `loss`, `reconstruction_loss`, `adversarial_loss` (before its weight), `adversary_loss`,
        `adversary_accuracy`; with a generator `critic_loss`, `gradient_penalty`, `real_speaker_loss`,
        `generator_loss`, `converted_speaker_loss`.

    Raises:
        ValueError: an unknown `adversarial_loss`, a weight or a number below its least.
        InputError: networks that do not fit each other; no speaker in the inputs.

    Example:

    >>> from keras_ae.networks import conv_bank_encoder, speaker_classifier, speaker_decoder
    >>> encoder = conv_bank_encoder(20, 4, filters=8)
    >>> decoder = speaker_decoder(20, 4, num_speakers=3, filters=8)
    >>> model = AdversarialVoiceConverter(encoder, decoder, speaker_classifier(4, 3, filters=8))
    >>> model.convert(ops.ones((2, 50, 20)), ops.array([0, 2])).shape
    TensorShape([2, 50, 20])

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812; gradient penalty: Gulrajani et al., 2017,
        https://arxiv.org/abs/1704.00028.
    """

    def __init__(
        self,
        content_encoder,
        decoder,
        adversary,
        front_end=None,
        *,
        speaker_encoder=None,
        generator=None,
        discriminator=None,
        adversarial_loss: str = "confusion",
        adversarial_weight: float | keras.optimizers.schedules.LearningRateSchedule = 0.1,
        adversary_updates: int = 5,
        discriminator_updates: int = 5,
        autoencoder_steps: int = 0,
        adversary_steps: int = 0,
        joint_steps: int | None = None,
        gradient_penalty_weight: float = 10.0,
        reconstruction_loss="mae",
        seed: int | None = None,
        **kwargs,
    ):
        if (generator is None) != (discriminator is None) or (generator is None) != (joint_steps is None):
            raise ValueError(
                "generator, discriminator and joint_steps are given together or not at all. Received: "
                f"generator={generator!r}, discriminator={discriminator!r}, joint_steps={joint_steps!r}"
            )
        if min(adversary_updates, discriminator_updates) < 1 or gradient_penalty_weight < 0:
            raise ValueError(
                "The updates are at least 1, the weight of the gradient penalty at least 0. Received: "
                f"{adversary_updates=}, {discriminator_updates=}, {gradient_penalty_weight=}"
            )
        settings = {"reconstruction_loss": reconstruction_loss, **kwargs}
        super().__init__(content_encoder, speaker_encoder, decoder, front_end, **settings)
        own = {"loss": adversarial_loss, "weight": adversarial_weight, "name": "adversary"}
        self.adversary = Adversary(adversary, **own)
        self.generator, self.discriminator = generator, discriminator
        self.adversary_updates, self.discriminator_updates = adversary_updates, discriminator_updates
        self.autoencoder_steps, self.adversary_steps = autoencoder_steps, adversary_steps
        self.joint_steps = joint_steps
        self.gradient_penalty_weight = gradient_penalty_weight
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.track_terms("reconstruction_loss", "adversarial_loss", "adversary_loss", "adversary_accuracy")
        if generator is not None:
            self.track_terms(*RESIDUAL_TERMS)
        self.track_stages(*self._stages_in_turn())
        self.build_networks()

    def _stages_in_turn(self):
        stages = [
            Stage("auto_encoder", {"model": 1}, self.autoencoder_steps),
            Stage("adversary", {"adversary": 1}, self.adversary_steps),
            Stage("joint", {"adversary": self.adversary_updates, "model": 1}, self.joint_steps),
        ]
        if self.generator is not None:
            residual = {"discriminator": self.discriminator_updates, "generator": 1}
            stages.append(Stage("residual", residual))
        return stages

    def build(self, input_shape):
        if self.built:
            return
        content = keras.KerasTensor((None, None, self.decoder.input_shape[0][-1]), dtype="float32")
        self.adversary.build(content.shape)
        super().build(input_shape)

    @property
    def num_speakers(self):
        """How many speakers the adversary, and the table of the decoder if there is one, know."""
        return self.adversary.num_classes

    def players(self):
        """Encoders and decoder together; the adversary; discriminator and generator."""
        further = {"adversary": self.adversary}
        if self.generator is not None:
            further.update(discriminator=self.discriminator, generator=self.generator)
        return [
            Player("model", self._variables_of_the_model),
            *(Player(name, lambda part=part: part.trainable_variables) for name, part in further.items()),
        ]

    def _variables_of_the_model(self):
        parts = (self.content_encoder, self.speaker_encoder, self.decoder)
        return [v for part in parts if part is not None for v in part.trainable_variables]

    def decoder_output(self, content, voice, mask, training):
        """Frames of a content and a voice, with what the generator adds."""
        frames = super().decoder_output(content, voice, mask, training)
        return frames if self.generator is None else frames + self._added(content, voice, mask, training)

    def _added(self, content, voice, mask, training):
        masks = None if mask is None else [mask, None]
        return call_under_mask(self.generator, [content, voice], masks, training)

    # training

    def prepare(self, x, y, training):
        """Frames of the inputs and of the target, the speakers and the content, made once for all players."""
        speaker = x.get("speaker") if isinstance(x, dict) else None
        if speaker is None:
            raise InputError(
                'The adversary is told who speaks: give {"x":, "lengths":, "speaker": numbers}. '
                f"Received: {sorted(x) if isinstance(x, dict) else 'x alone'}"
            )
        frames, mask = self.frames(x)
        target = frames if y is None else self.frames({"x": y, "lengths": unpack_inputs(x)[1]})[0]
        batch = {"frames": frames, "mask": mask, "speaker": ops.cast(speaker, "int32")}
        if not training or self.stage != "auto_encoder":  # all updates of the adversary see this content
            frozen = training and self.stage == "residual"
            batch["features"] = self.content_features(frames, mask, training and not frozen)
            take_losses(self.content_encoder)
        return batch, target

    def compute_terms(self, x, y, sample_weight, training, player):
        if not isinstance(x, dict) or "frames" not in x:
            x, y = self.prepare(x, y, training)
        if player in ("generator", "discriminator"):
            return self._residual_terms(x, sample_weight, training, player)
        if player == "adversary":
            content, mask = self.content_of(x["features"]), mask_of(x["features"])
            given = content, x["speaker"], mask, sample_weight
            loss, accuracy = self.adversary.classifier_loss(*given, training)
            loss += take_losses(self.adversary)
            return {"loss": loss, "adversary_loss": loss, "adversary_accuracy": accuracy}
        return self._model_terms(x, y, sample_weight, training)

    def _model_terms(self, x, target, sample_weight, training):
        features = self.content_features(x["frames"], x["mask"], training)
        added = take_losses(self.content_encoder)
        content, mask = self.content_of(features), mask_of(features)
        voice = self._voice(x, training)
        frames = VoiceConverter.decoder_output(self, content, voice, mask, training)
        losses = self.element_losses(target, frames)
        error = weighted_mean(losses, combine(x["mask"], sample_weight))
        loss = error + added + take_losses(self.decoder)
        if self.speaker_encoder is not None:
            loss += take_losses(self.speaker_encoder)
        if training and self.stage == "auto_encoder":
            return {"loss": loss, "reconstruction_loss": error}
        term = self.adversary.encoder_loss(content, x["speaker"], mask, sample_weight)
        take_losses(self.adversary)  # regularisers of the classifier are its own
        weight = self.adversary.weight.next(advance=bool(training) and self.trainable)
        return {"loss": loss + weight * term, "reconstruction_loss": error, "adversarial_loss": term}

    def _voice(self, x, training):
        return self.voice({"speaker": x["speaker"]}, x["frames"], x["mask"], training)

    def _residual_terms(self, x, sample_weight, training, player):
        def judge(frames):
            score, speaker = call_under_mask(self.discriminator, frames, x["mask"], training)
            return ops.cast(score, "float32"), ops.cast(speaker, "float32")

        of_generator = player == "generator"
        fake, wanted = self._converted(x, training, of_generator)
        if of_generator:
            terms = generator_terms(judge, fake, wanted, sample_weight)
        else:
            batch = (ops.shape(fake)[0],)
            mix = uniform_noise(batch, self.seed_generator) if training else ops.full(batch, 0.5)
            given = x["frames"], fake, x["speaker"], mix, self.gradient_penalty_weight
            terms = discriminator_terms(judge, *given, sample_weight)
        added = {name: take_losses(getattr(self, name)) for name in ("discriminator", "generator")}
        return {**terms, "loss": terms["loss"] + added[player]}

    def _converted(self, x, training, of_generator):
        """`(frames in the voice of another utterance of the batch, its speaker)`."""
        content, mask = self.content_of(x["features"]), mask_of(x["features"])
        others = self._others(ops.shape(x["speaker"])[0], training)
        voice = ops.take(self._voice(x, False), others, axis=0)
        frames = VoiceConverter.decoder_output(self, content, voice, mask, False)
        frames += self._added(content, voice, mask, training and of_generator)
        return crop(ops.cast(frames, "float32"), x["frames"]), ops.take(x["speaker"], others, axis=0)

    def _others(self, count, training):
        """For each row of the batch the number of another one: they are shifted by a random step."""
        noise = uniform_noise((1,), self.seed_generator) if training else ops.zeros((1,))
        shift = 1 + ops.cast(noise * ops.cast(count - 1, "float32"), "int32")
        return ops.mod(ops.arange(count) + shift, count)

    def get_config(self):
        config = super().get_config()
        numbers = ("adversary_updates", "discriminator_updates", "autoencoder_steps", "adversary_steps")
        numbers += ("joint_steps", "gradient_penalty_weight", "seed")
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        parts["adversary"] = self.adversary.classifier
        return {
            **config,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
            "adversarial_loss": self.adversary.loss,
            "adversarial_weight": self.adversary.weight.get_value_config(),
            **{name: getattr(self, name) for name in numbers},
        }
