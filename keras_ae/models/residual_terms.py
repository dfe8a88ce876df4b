"""Objectives of a residual generator and of the discriminator that judges it, frames and speaker at once."""

from keras import ops

from keras_ae.errors import integers_in
from keras_ae.losses.penalties import gradient_penalty
from keras_ae.ops.terms import mean_term, scalars

RESIDUAL_TERMS = (
    "critic_loss",
    "gradient_penalty",
    "real_speaker_loss",
    "generator_loss",
    "converted_speaker_loss",
)


def discriminator_terms(judge, real, fake, speaker, mix, penalty_weight, sample_weight=None) -> dict:
    """`mean D(fake) - mean D(real) + CE(D_speaker(real), speaker) + penalty_weight * penalty`.

    Args:
        judge: a function from frames to `(score (batch,), speaker logits (batch, speakers))`.
        real, fake: frames `(batch, frames, mels)`; no gradient reaches `fake`.
        speaker: of `real`, `(batch,)`.
        mix: `(batch,)` in [0, 1], where the gradient penalty is taken between `fake` and `real`.
        penalty_weight: of the gradient penalty.
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


def generator_terms(judge, fake, wanted, sample_weight=None) -> dict:
    """`-mean D(fake) + CE(D_speaker(fake), wanted)`; arguments as in `discriminator_terms`."""
    score, logits = judge(fake)
    terms = {
        "generator_loss": -mean_term(score, sample_weight),
        "converted_speaker_loss": mean_term(_cross_entropy(wanted, logits), sample_weight),
    }
    return scalars({"loss": sum(terms.values()), **terms})


def _cross_entropy(labels, logits):
    labels = integers_in("speaker", labels, logits.shape[-1])
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
