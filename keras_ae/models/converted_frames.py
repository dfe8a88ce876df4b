"""What a voice converter says in voices of other speakers, as a part of its training."""

from keras import ops

from keras_ae.models.base import take_losses
from keras_ae.models.residual_terms import discriminator_terms, generator_terms
from keras_ae.models.voice_converter import VoiceConverter
from keras_ae.ops.core import uniform_noise
from keras_ae.ops.sequences import call_under_mask, combine, crop, mask_of
from keras_ae.ops.terms import LossTerm, mean_term, scalars


class ConvertedFrames(VoiceConverter):
    """Base of `AdversarialVoiceConverter`: the objectives that are told by converted frames.

    `x` everywhere is what `prepare` returns: `{"frames":, "mask":, "speaker":, "features":}`, the last one
    the content encoder's output.
    """

    def decoder_output(self, content, voice, mask, training):
        """Frames of a content and a voice, with what the generator adds."""
        frames = self.without_generator(content, voice, mask, training)
        return frames if self.generator is None else frames + self._added(content, voice, mask, training)

    def without_generator(self, content, voice, mask, training):
        """Frames of the decoder alone."""
        return super().decoder_output(content, voice, mask, training)

    def _added(self, content, voice, mask, training):
        masks = None if mask is None else [mask, None]
        return call_under_mask(self.generator, [content, voice], masks, training)

    def voice_of(self, x, training):
        """The voices of what `prepare` returns."""
        return self.voice({"speaker": x["speaker"]}, x["frames"], x["mask"], training)

    def decoder_terms(self, x, target, sample_weight, training):
        """Of the decoder alone: its error, and what the content encoder hears in another voice."""
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
        terms = {"reconstruction_loss": error} if training else {}  # evaluation has that of the model
        return scalars({"loss": loss, "consistency_loss": difference, **terms})

    def residual_terms(self, x, sample_weight, training, player):
        """Of the generator or the discriminator, see `models.residual_terms`."""

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
        """`(frames in the voice of another utterance of the batch, its speaker)`."""
        content, mask = self.content_of(x["features"]), mask_of(x["features"])
        others = self._others(ops.shape(x["speaker"])[0], training)
        voice = ops.take(self.voice_of(x, False), others, axis=0)
        frames = self.without_generator(content, voice, mask, False)
        frames += self._added(content, voice, mask, training and of_generator)
        return crop(ops.cast(frames, "float32"), x["frames"]), ops.take(x["speaker"], others, axis=0)

    def _others(self, count, training):
        """For each row of the batch the number of another one: they are shifted by a random step."""
        noise = uniform_noise((1,), self.seed_generator) if training else ops.zeros((1,), "float32")
        shift = 1 + ops.cast(noise * ops.cast(count - 1, "float32"), "int32")
        return ops.mod(ops.arange(count, dtype="int32") + shift, count)
