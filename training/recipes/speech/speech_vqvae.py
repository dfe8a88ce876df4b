"""Recipe of the speech auto-encoder with phone-like units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe, losses_of_test

if TYPE_CHECKING:
    from keras_ae import models
    from keras_ae.training.datasets import SpeechData

FRAMES_PER_CODE = 2


@dataclass(frozen=True, kw_only=True)
class SpeechVqVaeRecipe(SpeechRecipe):
    """Speech VQ-VAE: one discrete unit per 20 ms; conditioning the decoder on the speaker favours phones."""

    name: ClassVar[str] = "speech-vqvae"
    summary: ClassVar[str] = "phone-like units of speech; the decoder is conditioned on the speaker"
    monitor: ClassVar[str] = "val_reconstruction_loss"

    bottleneck: Literal["vq", "none", "gaussian", "gumbel", "binary"] = "vq"
    """Bottleneck: vq is a learned codebook; the others are for comparison."""
    num_embeddings: int = 128
    """Number of units in the codebook (vq), of classes (gumbel), or of codes, a power of two (binary)."""
    embedding_dim: int = 64
    """Dimension of each unit's vector (vq), and of the embedding (none, gaussian)."""
    beta: float = 1e-4
    """Weight of the KL, a sum over the utterance in nats, relative to the mean error (gaussian)."""
    commitment_cost: float = 0.25
    """Weight of the commitment loss (vq)."""
    jitter: float = 0.12
    """Probability that a unit is replaced by its left neighbour in training, and by its right one."""
    warp: float = 0.25
    """Maximum relative frequency warp of the encoder's input in training."""
    noise: float = 0.5
    """Share of the training utterances to which noise is added before the encoder, white or from other
    voices, 5 to 20 dB below the speech; the reconstruction target is clean."""
    num_mels: int = 80
    """Number of mel bands that are reconstructed."""
    filters: int = 128
    """Number of channels of the hidden layers of encoder and decoder."""
    crop_seconds: float | None = 1.28
    """Length in seconds of the random window of each utterance per epoch; None: whole utterances."""
    epochs: int = 140
    """Number of passes over the training utterances."""
    batch_size: int = 8
    """Number of utterances per step."""
    probe: bool = True
    """Whether to measure the information of the units on the phone and the speaker, if these are known."""

    def __post_init__(self):
        super().__post_init__()
        for option, value, most in (("noise", self.noise, 1), ("jitter", self.jitter, 0.5)):
            if not 0 <= value <= most:
                raise InputError(f"--{option} must be from 0 to {most}. Received: {value}")

    def build_model(self, data: SpeechData, training_steps: int) -> models.SpeechAutoEncoder:
        from keras_ae import layers, models, networks

        if not data.speakers:
            raise InputError(
                f"The data of the recipe {self.name} must contain names of speakers, on which the decoder is "
                "conditioned. Received: no names of speakers. "
                "Add a manifest with a column speaker, or name the files <label>_<speaker>_<take>.wav."
            )
        frames = frames_at(data.sample_rate)
        mel, normalization = layers.LogMelSpectrogram(self.num_mels, **frames), layers.FrameNormalization()
        normalization.adapt(data.train.batches(self.batch_size), front_end=mel)
        bottleneck, dim = self.make_bottleneck()
        encoder = networks.frame_encoder(self.cepstra(frames), dim, filters=self.filters)
        decoder = networks.frame_decoder(
            self.num_mels,
            dim,
            len(data.speakers),
            filters=self.filters,
            jitter=self.jitter,
            seed=self.seed,
        )
        return models.SpeechAutoEncoder(
            encoder, decoder, networks.front_end([mel, normalization]), bottleneck
        )

    def cepstra(self, frames: dict[str, Any]) -> list[Any]:
        """Return the layers of the encoder's front end: MFCC with deltas, standardised over the utterance."""
        from keras_ae import layers

        return [
            layers.WaveformNoise(self.noise, seed=self.seed),
            layers.LogMelSpectrogram(40, **frames),
            # only the warp: the standardisation would remove a tilt of the spectrum
            layers.SpectralPerturbation(self.warp, 0.0, seed=self.seed),
            layers.CepstralCoefficients(13, deltas=2),
            layers.InstanceNormalization(center=False, scale=False),
        ]

    def make_bottleneck(self) -> tuple[Any, int]:
        """Return `(bottleneck, number of channels between encoder, bottleneck and decoder)`."""
        from keras_ae import layers

        if self.bottleneck == "none":
            return None, self.embedding_dim
        if self.bottleneck == "gaussian":
            return layers.GaussianBottleneck(
                self.embedding_dim, beta=self.beta, seed=self.seed
            ), self.embedding_dim
        if self.bottleneck == "gumbel":
            return layers.GumbelOneHot(seed=self.seed), self.num_embeddings
        if self.bottleneck == "binary":
            bits = self.num_embeddings.bit_length() - 1
            if 2**bits != self.num_embeddings:
                raise InputError(
                    "--num-embeddings must be a power of two with --bottleneck binary. "
                    f"Received: {self.num_embeddings}"
                )
            return layers.BinaryBottleneck(seed=self.seed), bits
        quantizer = layers.VectorQuantizer(
            self.num_embeddings, commitment_cost=self.commitment_cost, seed=self.seed
        )
        return quantizer, self.embedding_dim

    def measure(self, model: models.SpeechAutoEncoder, data: SpeechData) -> dict[str, Any]:
        """Measure error and units on the test utterances, and the speaker probe of log-mel frames."""
        from keras_ae.evaluation.attempts import attempt
        from keras_ae.evaluation.speech import units as speech_units

        loss = attempt("test utterances", losses_of_test, model, self, data, default={})
        if not self.probe or not model.discrete or not len(data.test):
            return {"test": loss}
        parts = data.train, data.test
        units = attempt(
            "units", lambda: [speech_units.units_and_embeddings(model, part)[0] for part in parts]
        )
        if units is None:
            return {"test": loss}
        total = speech_units.number_of_units(model)
        found = {}
        if data.phones:
            found["purity"] = attempt("purity", unit_purity, data, *units, total)
        found["usage"] = attempt("usage", speech_units.usage, units[1], total)
        speakers = data.train.speaker, units[1], data.test.speaker, total
        read = speech_units.histogram_speaker_accuracy
        found["speaker_accuracy"] = attempt("speaker probe", read, units[0], *speakers)
        found = {name: value for name, value in found.items() if value is not None}
        log_mel = attempt("speaker probe of log-mel frames", log_mel_speaker_accuracy, model, data)
        baselines = {} if log_mel is None else {"log-mel": {"speaker_accuracy": log_mel}}
        return {"test": {**found, **loss}, "baselines": baselines}


def frames_at(sample_rate: int) -> dict[str, Any]:
    """Return the settings of a front end with windows of 25 ms every 10 ms."""
    window = sample_rate // 40
    return {
        "sample_rate": sample_rate,
        "window_length": window,
        "hop": sample_rate // 100,
        "fft_length": 2 ** (window - 1).bit_length(),
    }


def unit_purity(data: SpeechData, train_units: list, test_units: list, num_units: int) -> float:
    """Compute the purity on the test frames of 10 ms, with units mapped to phones on the training frames."""
    from keras_ae.evaluation.speech import units as speech_units

    hop = data.sample_rate // 100
    phones = [speech_units.phones_of_frames(split, hop) for split in (data.train, data.test)]
    train = speech_units.units_of_frames(train_units, phones[0], FRAMES_PER_CODE)
    test = speech_units.units_of_frames(test_units, phones[1], FRAMES_PER_CODE)
    return speech_units.purity(speech_units.majority_phones(*train, num_units), *test)


def log_mel_speaker_accuracy(model: models.SpeechAutoEncoder, data: SpeechData) -> float:
    """Compute the speaker accuracy from mean and standard deviation of the frames of the model's target."""

    import tensorflow as tf

    from keras_ae.evaluation.speech.frame_probes import frames_of_utterances, speaker_accuracy
    from keras_ae.ops.sequences import input_mask

    def encode(batch):
        x = tf.convert_to_tensor(batch["x"])
        frames, mask = model.target_of(x, input_mask(x, batch["lengths"]))
        return frames, tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)

    train, test = ((split, frames_of_utterances(split, encode)) for split in (data.train, data.test))
    return speaker_accuracy(train, test)
