"""Recipe of contrastive predictive coding of speech."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe

if TYPE_CHECKING:
    import numpy as np

    from keras_ae import models
    from keras_ae.training.datasets import SpeechData

LAYERS = {  # kernels and strides by sample rate: 10 ms between frames
    16_000: ((10, 8, 4, 4, 4), (5, 4, 2, 2, 2)),
    8_000: ((10, 8, 4, 4), (5, 4, 2, 2)),
}
AROUND = (-5, 0, 3, 5)  # offsets of the contexts in the phone probe: up to 50 ms to each side


@dataclass(frozen=True, kw_only=True)
class CpcRecipe(SpeechRecipe):
    """Contrastive predictive coding: a context identifies future frames of a waveform among distractors."""

    name: ClassVar[str] = "cpc"
    summary: ClassVar[str] = "phones and speakers from raw speech, without labels and without a decoder"
    monitor: ClassVar[str] = "val_loss"

    sample_rate: Literal[16_000, 8_000] = 16_000
    """Sample rate in Hz, to which all audio is resampled."""
    front_end: Literal["waveform", "log-mel"] = "waveform"
    """Input of the encoder: the samples, or log-mel frames, which need less training speech."""
    dim: int = 256
    """Number of channels of the frames."""
    context_dim: int = 256
    """Dimension of the context."""
    steps: int = 12
    """Number of future frames that are predicted, 10 ms each."""
    first_step: int = 1
    """Distance in frames of the nearest frame that is predicted."""
    negatives: tuple[Literal["same_sequence", "same_speaker", "batch"], ...] = ("same_sequence", "batch")
    """Sources of the distractor frames: same_sequence favours content, batch favours the speaker, and
    both together preserve both."""
    negatives_of_each: tuple[int, ...] | None = (64, 192)
    """Number of distractors from each source; None: all."""
    warp: float = 0.0
    """Maximum relative shift of the formants in training, 0.2 is 20 %. The context is computed from one
    voice, the true frame and the distractors from another, which removes the speaker from the embedding.
    0: no shift."""
    tilt: float = 0.0
    """Maximum of linear, quadratic and cubic terms added to the spectrum in training, 1.0 is 8.7 dB; applied
    like --warp."""
    crop_seconds: float | None = 1.28
    """Length in seconds of the random window of each utterance per epoch; None: whole utterances."""
    epochs: int = 96
    """Number of passes over the training utterances."""
    batch_size: int = 8
    """Number of utterances per step."""
    probe: bool = True
    """Whether to measure linear probes of the phone and the speaker, if they are known."""

    def __post_init__(self):
        super().__post_init__()
        if self.first_step > self.steps:
            raise InputError(
                f"--first-step must be at most --steps. Received: --first-step {self.first_step}, "
                f"--steps {self.steps}"
            )

    def build_model(self, data: SpeechData, training_steps: int) -> models.ContrastivePredictiveCoding:
        from keras_ae import models, networks

        kernels, strides = LAYERS[self.sample_rate]
        if math.prod(strides) * 100 != data.sample_rate:
            raise InputError(
                f"The sample rate of the data must be {self.sample_rate} Hz. Received: {data.sample_rate} Hz."
            )
        return models.ContrastivePredictiveCoding(
            self._encoder(kernels, strides),
            networks.recurrent_context(self.dim, self.context_dim),
            steps=self.steps,
            first_step=self.first_step,
            negatives=self.negatives,
            num_negatives=self.negatives_of_each,
            perturbation=self._perturbation(data.sample_rate) if self.warp or self.tilt else None,
            seed=self.seed,
        )

    def _encoder(self, kernels, strides):
        from keras_ae import networks

        if self.front_end == "log-mel":
            return networks.log_mel_encoder(self.dim, sample_rate=self.sample_rate)
        filters = (64, 64, 128, 256)[: len(kernels) - 1]
        return networks.waveform_encoder(self.dim, kernels=kernels, strides=strides, filters=filters)

    def _perturbation(self, sample_rate):
        from keras_ae import layers

        # 32 ms contain the lowest pitch of speech; order 20 at 8 kHz follows the formants, not the harmonics
        window = 4 * round(sample_rate * 0.032 / 4)
        return layers.VoicePerturbation(
            self.warp, self.tilt, window=window, order=round(sample_rate / 400), seed=self.seed
        )

    def measure(self, model: models.ContrastivePredictiveCoding, data: SpeechData) -> dict[str, Any]:
        """Compute loss, accuracy and probes on the test utterances, and probes of the untrained model."""
        from keras_ae.evaluation.attempts import attempt

        test = attempt("test utterances", self.losses, model, data, default={})
        if not self.probe or not len(data.test):
            return {"test": test}
        probes = self.probes(model, data)
        untrained = self.probes(self.build_model(data, 1), data, "untrained: ") if probes else {}
        return {"test": {**probes, **test}, "baselines": {"untrained": untrained} if untrained else {}}

    def losses(self, model: models.ContrastivePredictiveCoding, data: SpeechData) -> dict[str, float]:
        """Compute `accuracy` and `loss` on the test utterances."""
        logs = model.evaluate(data.test.batches(self.batch_size), verbose=0, return_dict=True)
        return {"accuracy": float(logs["accuracy"]), "loss": float(logs["loss"])}

    def probes(
        self, model: models.ContrastivePredictiveCoding, data: SpeechData, prefix: str = ""
    ) -> dict[str, float]:
        """Compute `phone_accuracy` and `speaker_accuracy` of linear probes, fitted on train, tested on test.

        A probe that cannot be fitted, such as with a single speaker, is recorded as left out, with
        `prefix` at the beginning of its name.
        """
        from keras_ae.evaluation.attempts import attempt
        from keras_ae.evaluation.speech.frame_probes import phone_accuracy, speaker_accuracy

        if data.train.speaker is None and not data.phones:
            return {}
        parts = attempt(f"{prefix}encoding for the probes", self._encoded, model, data)
        if parts is None:
            return {}
        found, (train, test) = {}, parts
        if data.phones:
            frames = self.phone_features, data.sample_rate // 100
            found["phone_accuracy"] = attempt(f"{prefix}phone probe", phone_accuracy, train, test, *frames)
        if data.train.speaker is not None:
            features = self.speaker_features
            found["speaker_accuracy"] = attempt(
                f"{prefix}speaker probe", speaker_accuracy, train, test, features
            )
        return {name: value for name, value in found.items() if value is not None}

    def _encoded(self, model, data):
        """Return `(split, frames of its utterances)` of train and test."""
        from keras_ae.evaluation.speech.frame_probes import frames_of_utterances

        encode = frames_and_context(model)
        return [(split, frames_of_utterances(split, encode)) for split in (data.train, data.test)]

    def phone_features(self, frames: np.ndarray) -> np.ndarray:
        """Concatenate each frame and the contexts up to 50 ms around it, standardised over the utterance."""
        import numpy as np

        from keras_ae.evaluation.speech.frame_probes import shifted, standardized

        frames = standardized(frames)
        context = [shifted(frames[:, self.dim :], by) for by in AROUND]
        return np.concatenate([frames[:, : self.dim], *context], axis=1)

    def speaker_features(self, frames: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation of frame and context over the utterance."""
        from keras_ae.evaluation.speech.frame_probes import frame_statistics

        return frame_statistics(frames)


def frames_and_context(model: models.ContrastivePredictiveCoding) -> Any:
    """Return an `encode` function for `frames_of_utterances` that concatenates frame and context."""

    import tensorflow as tf

    waveforms = (tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32))

    @tf.function(input_signature=waveforms)
    def encode(x, lengths):
        z, c, mask = model.frames(x, lengths)
        return tf.concat([z, c], axis=-1), tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)

    return lambda batch: encode(batch["x"], batch["lengths"])
