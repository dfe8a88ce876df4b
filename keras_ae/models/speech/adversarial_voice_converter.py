"""Voice conversion with an adversary that removes the speaker from the content."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_ae.errors import InputError, integers_in
from keras_ae.layers.linear_dependence import LinearDependence, dependence_term
from keras_ae.layers.masked.segment_means import SegmentMeans
from keras_ae.losses.penalties import channel_correlation, gradient_penalty
from keras_ae.models.adversary import Adversary
from keras_ae.models.base import Player
from keras_ae.models.speech.voice_converter import VoiceConverter
from keras_ae.models.stages import Stage
from keras_ae.ops.core import Tensor, uniform_noise
from keras_ae.ops.sequences import call_under_mask, combine, crop, mask_of, unpack_inputs
from keras_ae.ops.terms import LossTerm, batch_term, mean_term, scalars, take_losses


class ConvertedFrames(VoiceConverter):
    """Base class of `AdversarialVoiceConverter` with the objectives that use converted frames.

    In all methods `x` is the result of `prepare`: `{"frames":, "mask":, "speaker":, "features":}`, where
    `features` is the content encoder's output.
    """

    def decoder_output(
        self, content: Tensor, voice: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        """Return the frames of a content and a voice, including the generator's output."""
        frames = self.without_generator(content, voice, mask, training)
        return frames if self.generator is None else frames + self._added(content, voice, mask, training)

    def without_generator(
        self, content: Tensor, voice: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        """Return the frames of the decoder only."""
        return super().decoder_output(content, voice, mask, training)

    def _added(self, content, voice, mask, training):
        masks = None if mask is None else [mask, None]
        return call_under_mask(self.generator, [content, voice], masks, training)

    def voice_of(self, x: dict[str, Tensor], training: bool | None) -> Tensor:
        """Return the voices of `x`."""
        return self.voice({"speaker": x["speaker"]}, x["frames"], x["mask"], training)

    def decoder_terms(
        self, x: dict[str, Tensor], target: Tensor, sample_weight: Tensor | None, training: bool
    ) -> dict[str, Tensor]:
        """Return the decoder's terms: reconstruction error, and change of the content in another voice."""
        content, mask = self.content_of(x["features"]), mask_of(x["features"])
        voice = self.voice_of(x, False)
        frames = self.without_generator(content, voice, mask, training)
        losses = self.element_losses(target, frames)
        error = mean_term(losses, combine(x["mask"], sample_weight))
        others = self._others(ops.shape(x["speaker"])[0], training)
        voice = ops.take(voice, others, axis=0)
        frames = crop(self.without_generator(content, voice, mask, training), x["frames"])
        again = self.content_of(self.content_features(frames, x["mask"]))
        difference = ops.mean(ops.square(ops.cast(again - content, "float32")), axis=-1)
        difference = mean_term(difference, combine(mask, sample_weight))
        loss = error + self.consistency_weight * difference + take_losses(self.decoder)
        take_losses(self.content_encoder)
        terms = {"reconstruction_loss": error} if training else {}  # evaluation reports that of the model
        return scalars({"loss": loss, "consistency_loss": difference, **terms})

    def residual_terms(
        self, x: dict[str, Tensor], sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        """Return the terms of the generator or the discriminator, by the two functions of this module."""

        def judge(frames):
            score, speaker = call_under_mask(self.discriminator, frames, x["mask"], training)
            return ops.cast(score, "float32"), ops.cast(speaker, "float32")

        of_generator = player == "generator"
        fake, wanted = self._converted(x, training, of_generator)
        if of_generator:
            terms = generator_terms(judge, fake, wanted, sample_weight)
        else:
            batch = (ops.shape(fake)[0],)
            mix = uniform_noise(batch, self.seed_generator) if training else ops.full(batch, 0.5, "float32")
            given = x["frames"], fake, x["speaker"], mix, self.gradient_penalty_weight
            terms = discriminator_terms(judge, *given, sample_weight)
        added = {name: take_losses(getattr(self, name)) for name in ("discriminator", "generator")}
        return scalars({**terms, "loss": LossTerm.of(terms["loss"]) + added[player]})

    def _converted(self, x, training, of_generator):
        """Return `(frames in the voice of another utterance of the batch, speaker of that utterance)`."""
        content, mask = self.content_of(x["features"]), mask_of(x["features"])
        others = self._others(ops.shape(x["speaker"])[0], training)
        voice = ops.take(self.voice_of(x, False), others, axis=0)
        frames = self.without_generator(content, voice, mask, False)
        frames += self._added(content, voice, mask, training and of_generator)
        return crop(ops.cast(frames, "float32"), x["frames"]), ops.take(x["speaker"], others, axis=0)

    def _others(self, count, training):
        """Return for each row of the batch the index of another row: all are shifted by one random step."""
        noise = uniform_noise((1,), self.seed_generator) if training else ops.zeros((1,), "float32")
        shift = 1 + ops.cast(noise * ops.cast(count - 1, "float32"), "int32")
        return ops.mod(ops.arange(count, dtype="int32") + shift, count)


SEGMENTS = 8  # parts of an utterance, whose mean contents are the input of the linear adversary


@keras.saving.register_keras_serializable(package="keras_ae")
class AdversarialVoiceConverter(ConvertedFrames):
    """Voice converter whose content is trained against an adversary that predicts the speaker.

    The decoder is conditioned on the speaker.

    ```
    z     = content_encoder(frames)
    y_hat = decoder(z, speaker)
    loss  = mean |frames - y_hat| + adversarial_weight * (Adversary.encoder_loss(z, speaker) + linear)
    linear = linear_weight * LinearDependence(means of z over 8 parts, speaker)
    adversary_loss = CE(softmax(adversary(z)), speaker)         # z held fixed
    ```

    `linear` is the best linear adversary in closed form. While the content changes, the decoder lags
    behind it. With `decoder_steps`, a stage follows in which only the decoder is trained, and learns to keep
    the content in another voice `s'`:

    ```
    loss  = mean |frames - y_hat| + consistency_weight * mean (content_encoder(decoder(z, s')) - z)^2
    ```

    With a `generator` and a `discriminator` a last stage follows. The generator adds a residual to the
    frames of another voice, which makes them look like recorded ones:

    ```
    y'    = decoder(z, s') + generator(z, s')
    discriminator: -(D(frames) - D(y')) + CE(D_speaker(frames), speaker) + 10 mean (|grad D| - 1)^2
    generator:     -D(y') + CE(D_speaker(y'), s')
    ```

    `s'` is the speaker of another utterance of the batch. One `fit` runs through the stages "auto_encoder",
    "adversary" (only the adversary), "joint", "decoder" and "residual".

    Args:
        content_encoder: as in `VoiceConverter`, such as `networks.conv_bank_encoder`.
        decoder: as in `VoiceConverter`, such as `networks.speaker_decoder` or
            `networks.table_adain_decoder`, which take integer speakers.
        adversary: a Keras model from the content to logits of the speakers, see `models.Adversary`, such as
            `networks.speaker_classifier`.
        front_end: as in `VoiceConverter`.
        speaker_encoder: as in `VoiceConverter`; `None`: the decoder contains a table of speakers.
        generator: a network with the inputs and outputs of the decoder, whose untrained output is 0
            (`networks.speaker_decoder(..., starts_at_zero=True)`), or `None`.
        discriminator: a Keras model from frames to `[score (batch,), speaker logits]`, such as
            `networks.patch_discriminator`, or `None`.
        adversarial_loss: "confusion", "entropy", "negative_cross_entropy" or "gradient_reversal", see
            `models.Adversary`.
        adversarial_weight: a float, or a `keras.optimizers.schedules` schedule of the joint steps.
        linear_weight: weight of the linear adversary relative to the trained one.
        correlation_weight: weight of the correlation penalty between content channels,
            `losses.channel_correlation`.
        consistency_weight: weight of the change of the content in converted frames, in the stage "decoder".
        adversary_updates, discriminator_updates: number of updates in each step of their stages.
        autoencoder_steps, adversary_steps, joint_steps, decoder_steps: lengths of the stages in training
            steps, 0: the stage is skipped. The last stage continues until the end; `joint_steps=None` if
            this is "joint".
        gradient_penalty_weight: weight of the gradient penalty of the discriminator.
        reconstruction_loss: as in `VoiceConverter`.
        seed: seed of the draws of `s'` and of the points of the gradient penalty.

    Inputs of `fit`, `evaluate`:
        x: `{"x":, "lengths": (batch,), "speaker": (batch,)}` as in `VoiceConverter`; the integer `speaker`
            is always required here.
        y: waveforms or frames to reconstruct, if not `x` itself (denoising).
        sample_weight: `(batch,)`; weights every term.

    Metrics:
        `loss`, `reconstruction_loss`, `adversarial_loss` (before its weight), `adversary_loss`,
        `adversary_accuracy`; with `linear_weight` `speaker_dependence`; with
        `correlation_weight` `channel_correlation`; with `decoder_steps`
        `consistency_loss`; with a generator `critic_loss`, `gradient_penalty`, `real_speaker_loss`,
        `generator_loss`, `converted_speaker_loss`.

    Raises:
        ValueError: `adversarial_loss` is unknown; a weight or a number is below its minimum.
        InputError: the shapes of the networks do not match; no speaker in the inputs.

    Example:

    >>> from keras_ae.networks import conv_bank_encoder, speaker_classifier, speaker_decoder
    >>> encoder = conv_bank_encoder(20, 4, filters=8)
    >>> decoder = speaker_decoder(20, 4, num_speakers=3, filters=8)
    >>> model = AdversarialVoiceConverter(encoder, decoder, speaker_classifier(4, 3))
    >>> model.convert(ops.ones((2, 50, 20)), ops.array([0, 2])).shape
    TensorShape([2, 50, 20])

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812; gradient penalty: Gulrajani et al., 2017,
        https://arxiv.org/abs/1704.00028.
    """

    def __init__(
        self,
        content_encoder: keras.Model,
        decoder: keras.Model,
        adversary: keras.Model,
        front_end: keras.Model | None = None,
        *,
        speaker_encoder: keras.Model | None = None,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        adversarial_loss: str = "confusion",
        adversarial_weight: float | keras.optimizers.schedules.LearningRateSchedule = 0.1,
        linear_weight: float = 0.0,
        correlation_weight: float = 0.0,
        consistency_weight: float = 0.0,
        adversary_updates: int = 5,
        discriminator_updates: int = 5,
        autoencoder_steps: int = 0,
        adversary_steps: int = 0,
        joint_steps: int | None = None,
        decoder_steps: int = 0,
        gradient_penalty_weight: float = 10.0,
        reconstruction_loss: Any = "mae",
        seed: int | None = None,
        **kwargs: Any,
    ):
        further = generator is not None or decoder_steps != 0
        if (generator is None) != (discriminator is None) or further != (joint_steps is not None):
            raise ValueError(
                "generator and discriminator must be given together, and joint_steps must be given if and "
                f"only if a stage follows the joint one. Received: {generator=!r}, {discriminator=!r}, "
                f"{joint_steps=}, {decoder_steps=}"
            )
        weights = linear_weight, correlation_weight, consistency_weight, gradient_penalty_weight
        if min(adversary_updates, discriminator_updates) < 1 or min(weights) < 0:
            raise ValueError(
                "The numbers of updates must be at least 1, and the weights at least 0. Received: "
                f"{adversary_updates=}, {discriminator_updates=}, {linear_weight=}, {correlation_weight=}, "
                f"{consistency_weight=}, {gradient_penalty_weight=}"
            )
        settings = {"reconstruction_loss": reconstruction_loss, **kwargs}
        super().__init__(content_encoder, speaker_encoder, decoder, front_end, **settings)
        own: dict[str, Any] = {"loss": adversarial_loss, "weight": adversarial_weight, "name": "adversary"}
        self.adversary = Adversary(adversary, **own)
        self.generator, self.discriminator = generator, discriminator
        self.adversary_updates, self.discriminator_updates = adversary_updates, discriminator_updates
        self.autoencoder_steps, self.adversary_steps = autoencoder_steps, adversary_steps
        self.joint_steps, self.decoder_steps = joint_steps, decoder_steps
        self.linear_weight, self.correlation_weight = linear_weight, correlation_weight
        self.consistency_weight = consistency_weight
        self.gradient_penalty_weight = gradient_penalty_weight
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.track_terms("reconstruction_loss", "adversarial_loss", "adversary_loss", "adversary_accuracy")
        self._track_further_terms()
        self.track_stages(*self._stages_in_turn())
        self.build_networks()

    def _track_further_terms(self):
        if self.linear_weight:
            self.segments = SegmentMeans(SEGMENTS, name="segments")
            self.dependence = LinearDependence(name="dependence")
            self.dependence.build((None, SEGMENTS * self.decoder.input_shape[0][-1]))
            self.track_terms("speaker_dependence")
        if self.correlation_weight:
            self.track_terms("channel_correlation")
        if self.decoder_steps:
            self.track_terms("consistency_loss")
        if self.generator is not None:
            self.track_terms(*RESIDUAL_TERMS)

    def _stages_in_turn(self):
        stages = [
            ("auto_encoder", {"model": 1}, self.autoencoder_steps),
            ("adversary", {"adversary": 1}, self.adversary_steps),
            ("joint", {"adversary": self.adversary_updates, "model": 1}, self.joint_steps),
        ]
        if self.decoder_steps:
            stages.append(("decoder", {"decoder": 1}, self.decoder_steps))
        if self.generator is not None:
            residual = {"discriminator": self.discriminator_updates, "generator": 1}
            stages.append(("residual", residual, None))
        name, players, _ = stages[-1]
        return [*(Stage(*stage) for stage in stages[:-1]), Stage(name, players)]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.built:
            return
        content = keras.KerasTensor((None, None, self.decoder.input_shape[0][-1]), dtype="float32")
        self.adversary.build(content.shape)
        super().build(input_shape)

    @property
    def num_speakers(self) -> int:
        """Number of speakers of the adversary, and of the decoder's table if it has one."""
        return self.adversary.num_classes

    def players(self) -> list[Player]:
        """Return the players: the model, the adversary, the decoder alone, discriminator and generator."""
        further: dict[str, Any] = {"adversary": self.adversary}
        if self.decoder_steps:
            further["decoder"] = self.decoder
        if self.generator is not None:
            further.update(discriminator=self.discriminator, generator=self.generator)
        return [
            Player("model", self._variables_of_the_model),
            *(Player(name, _variables_of(part)) for name, part in further.items()),
        ]

    def input_rules(self) -> Any:
        sizes = {"speaker": getattr(self.adversary, "num_classes", None)}
        return replace(super().input_rules(), trained_on=("speaker",), sizes=sizes)

    def _variables_of_the_model(self):
        parts = (self.content_encoder, self.speaker_encoder, self.decoder)
        return [v for part in parts if part is not None for v in part.trainable_variables]

    # Training

    def prepare(self, x: Any, y: Any, training: bool) -> tuple[dict[str, Tensor], Tensor]:
        """Return frames of inputs and target, speakers and content, computed once for all players."""
        speaker = x.get("speaker") if isinstance(x, dict) else None
        if speaker is None:
            raise InputError(
                'x must contain "speaker", which the adversary requires. '
                f"Received: {sorted(x) if isinstance(x, dict) else 'x alone'}. "
                'Pass {"x":, "lengths":, "speaker": integer speaker ids}.'
            )
        frames, mask = self.frames(x)
        target = frames if y is None else self.frames({"x": y, "lengths": unpack_inputs(x)[1]})[0]
        batch = {"frames": frames, "mask": mask, "speaker": ops.cast(speaker, "int32")}
        if not training or self.stage != "auto_encoder":  # all updates of the adversary use this content
            moving = training and self.stage not in ("decoder", "residual")
            batch["features"] = self.content_features(frames, mask, moving)
            take_losses(self.content_encoder)
        return batch, target

    def compute_terms(
        self, x: Any, y: Any, sample_weight: Tensor | None, training: bool, player: str
    ) -> dict[str, Tensor]:
        if not isinstance(x, dict) or "frames" not in x:
            x, y = self.prepare(x, y, training)
        if player in ("generator", "discriminator"):
            return self.residual_terms(x, sample_weight, training, player)
        if player == "decoder":
            return self.decoder_terms(x, y, sample_weight, training)
        if player == "adversary":
            content, mask = self.content_of(x["features"]), mask_of(x["features"])
            given = content, x["speaker"], mask, sample_weight
            loss, accuracy = self.adversary.classifier_loss(*given, training)
            loss = LossTerm.of(loss) + take_losses(self.adversary)
            return scalars({"loss": loss, "adversary_loss": loss, "adversary_accuracy": accuracy})
        return self._model_terms(x, y, sample_weight, training)

    def _model_terms(self, x, target, sample_weight, training):
        features = self.content_features(x["frames"], x["mask"], training)
        added = take_losses(self.content_encoder)
        content, mask = self.content_of(features), mask_of(features)
        voice = self.voice_of(x, training)
        frames = self.without_generator(content, voice, mask, training)
        weights = combine(x["mask"], sample_weight)
        self.observe_reconstruction(target, crop(frames, target), weights)
        error = mean_term(self.element_losses(target, frames), weights)
        loss = error + added + take_losses(self.decoder)
        if self.speaker_encoder is not None:
            loss += take_losses(self.speaker_encoder)
        terms = {"reconstruction_loss": error}
        if self.correlation_weight:
            weights = combine(mask, sample_weight)
            correlation = channel_correlation(content, weights)
            counted = ops.ones_like(content[..., 0]) if weights is None else weights
            terms["channel_correlation"] = correlation = batch_term(correlation, counted)
            loss += self.correlation_weight * correlation
        if training and self.stage == "auto_encoder":
            return scalars({"loss": loss, **terms})
        term = LossTerm.of(self.adversary.encoder_loss(content, x["speaker"], mask, sample_weight))
        take_losses(self.adversary)  # drops the regularisers of the classifier, which belong to its own loss
        weight = self.adversary.weight.next(advance=bool(training) and self.trainable)
        terms["adversarial_loss"] = term
        if self.linear_weight:
            means = self.segments(content, mask=mask)
            means = ops.reshape(means, (-1, SEGMENTS * self.content_dim))
            linear = self.dependence(means, x["speaker"], sample_weight, training=training)
            terms["speaker_dependence"] = linear = dependence_term(linear, sample_weight, means)
            term += self.linear_weight * linear
        return scalars({"loss": loss + weight * term, **terms})

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        numbers = ("adversary_updates", "discriminator_updates", "autoencoder_steps", "adversary_steps")
        numbers += ("joint_steps", "decoder_steps", "gradient_penalty_weight", "seed")
        numbers += ("linear_weight", "correlation_weight", "consistency_weight")
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        parts["adversary"] = self.adversary.classifier
        return {
            **config,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
            "adversarial_loss": self.adversary.loss,
            "adversarial_weight": self.adversary.weight.get_value_config(),
            **{name: getattr(self, name) for name in numbers},
        }


def _variables_of(part):
    """Return a function of the current trainable variables of a part."""
    return lambda: part.trainable_variables


RESIDUAL_TERMS = (
    "critic_loss",
    "gradient_penalty",
    "real_speaker_loss",
    "generator_loss",
    "converted_speaker_loss",
)


def discriminator_terms(
    judge: Any,
    real: Tensor,
    fake: Tensor,
    speaker: Tensor,
    mix: Tensor,
    penalty_weight: float,
    sample_weight: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return the terms of the discriminator.

    ```
    loss = mean D(fake) - mean D(real) + CE(D_speaker(real), speaker) + penalty_weight * penalty
    ```

    Args:
        judge: a function from frames to `(score (batch,), speaker logits (batch, speakers))`.
        real, fake: frames `(batch, frames, mels)`; no gradient reaches `fake`.
        speaker: speakers of `real`, `(batch,)`.
        mix: `(batch,)` in [0, 1], position between `fake` and `real` of the point where the gradient
            penalty is computed.
        penalty_weight: weight of the gradient penalty.
        sample_weight: `(batch,)`.
    """
    fake = ops.stop_gradient(fake)
    score, logits = judge(real)
    penalties = gradient_penalty(lambda frames: judge(frames)[0], real, fake, mix)
    terms = {
        "critic_loss": mean_term(judge(fake)[0] - score, sample_weight),
        "gradient_penalty": mean_term(penalties, sample_weight),
        "real_speaker_loss": mean_term(_cross_entropy(speaker, logits), sample_weight),
    }
    loss = terms["critic_loss"] + terms["real_speaker_loss"] + penalty_weight * terms["gradient_penalty"]
    return scalars({"loss": loss, **terms})


def generator_terms(
    judge: Any, fake: Tensor, wanted: Tensor, sample_weight: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the terms of `-mean D(fake) + CE(D_speaker(fake), wanted)`; see `discriminator_terms`."""
    score, logits = judge(fake)
    terms = {
        "generator_loss": -mean_term(score, sample_weight),
        "converted_speaker_loss": mean_term(_cross_entropy(wanted, logits), sample_weight),
    }
    return scalars({"loss": sum(terms.values()), **terms})


def _cross_entropy(labels, logits):
    labels = integers_in("speaker", labels, logits.shape[-1])
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
