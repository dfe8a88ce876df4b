"""Base class of recipes for speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from keras_ae.errors import InputError
from keras_ae.training.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from keras_ae.training.datasets import BatchStream, SpeechData


@dataclass(frozen=True, kw_only=True)
class SpeechRecipe(Recipe):
    """Recipe whose data are utterances."""

    examples: ClassVar[str] = "utterances"

    data: str = "espeak"
    """Source of the speech: "espeak" (sentences spoken by the library espeak-ng), a folder of wav, flac, ogg
    or mp3 files with a manifest or names like <label>_<speaker>_<take>.wav, or an .npz file."""
    sample_rate: int = 16_000
    """Sample rate in Hz, to which all audio is resampled."""
    crop_seconds: float | None = None
    """Length in seconds of the random window of each utterance per epoch; None: whole utterances."""
    epochs: int = 50
    """Number of passes over the training utterances."""
    batch_size: int = 16
    """Number of utterances per step."""
    seed: int = 0
    """Seed of the initial weights, the order of the utterances and all sampling."""

    def load_data(self) -> SpeechData:
        from keras_ae.training.datasets import load_speech

        return load_speech(self.data, sample_rate=self.sample_rate)

    def training_batches(self, data: SpeechData) -> BatchStream:
        from keras_ae.training.datasets import speech_batches

        crop = None if self.crop_seconds is None else round(self.crop_seconds * self.sample_rate)
        if crop == 0:
            raise InputError(
                f"--crop-seconds must be at least one sample, {1 / self.sample_rate:.2g}. "
                f"Received: {self.crop_seconds}"
            )
        return speech_batches(data.train, self.batch_size, self.seed, crop=crop)

    def validation_batches(self, data: SpeechData) -> Any:
        return data.validation.batches(self.batch_size)

    def pictures(
        self, model: keras.Model, data: SpeechData, directory: Any
    ) -> list[keras.callbacks.Callback]:
        from keras_ae.models.speech.voice_converter import VoiceConverter
        from keras_ae.training.callbacks import ConversionExamples, SpeechExamples

        examples = ConversionExamples if isinstance(model, VoiceConverter) else SpeechExamples
        return [examples(data, directory)]

    def preprocessing(self, description: dict) -> dict[str, Any]:
        return {
            "modality": "speech",
            "value_range": (-1, 1),
            "sample_rate": description.get("sample_rate", self.sample_rate),
            "level": description.get("level", "rms") or "none",
            "dc_removed": description.get("dc_removed"),
        }

    def amount_of_epoch(self, data: SpeechData) -> tuple[float, str]:
        samples = data.train.lengths
        if self.crop_seconds is not None:
            samples = samples.clip(max=round(self.crop_seconds * self.sample_rate))
        return float(samples.sum()) / self.sample_rate / 3600, "hours of audio"

    def describe(self, data: SpeechData) -> str:
        return f"utterances at {data.sample_rate} Hz"


def losses_of_test(
    model: keras.Model,
    recipe: SpeechRecipe,
    data: SpeechData,
    names: tuple[str, ...] = ("reconstruction_loss",),
) -> dict[str, float]:
    """Return the metrics `names` of `evaluate` on the test utterances."""
    logs = model.evaluate(data.test.batches(recipe.batch_size), verbose=0, return_dict=True)
    return {name: float(logs[name]) for name in names}
