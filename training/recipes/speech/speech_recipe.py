"""What every recipe of speech has in common."""

from dataclasses import dataclass
from typing import ClassVar

from keras_ae.errors import InputError
from keras_ae.models.speech.voice_converter import VoiceConverter
from keras_ae.training.callbacks import ConversionExamples, SpeechExamples
from keras_ae.training.datasets import load_speech, speech_batches
from keras_ae.training.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class SpeechRecipe(Recipe):
    """A recipe whose data are utterances."""

    examples: ClassVar[str] = "utterances"

    data: str = "espeak"
    """"espeak" (sentences spoken by the library espeak-ng), a folder of wav, flac, ogg or mp3 files with a
    manifest or names like <label>_<speaker>_<take>.wav, or an .npz file."""
    sample_rate: int = 16_000
    """Samples of a second, to which all audio is brought."""
    crop_seconds: float | None = None
    """Length of the random part of each utterance that an epoch takes; without it whole utterances."""
    epochs: int = 50
    """Passes over the training utterances."""
    batch_size: int = 16
    """Utterances of one step."""
    seed: int = 0
    """Of the initial weights, the order of the utterances and all sampling."""

    def load_data(self):
        return load_speech(self.data, sample_rate=self.sample_rate)

    def training_batches(self, data):
        crop = None if self.crop_seconds is None else round(self.crop_seconds * self.sample_rate)
        if crop == 0:
            raise InputError(
                f"--crop-seconds must be at least one sample, {1 / self.sample_rate:.2g}. "
                f"Received: {self.crop_seconds}"
            )
        return speech_batches(data.train, self.batch_size, self.seed, crop=crop)

    def validation_batches(self, data):
        return data.validation.batches(self.batch_size)

    def pictures(self, model, data, directory):
        examples = ConversionExamples if isinstance(model, VoiceConverter) else SpeechExamples
        return [examples(data, directory)]

    def preprocessing(self, description):
        return {
            "modality": "speech",
            "value_range": (-1, 1),
            "sample_rate": description.get("sample_rate", self.sample_rate),
            "level": description.get("level", "rms") or "none",
            "dc_removed": description.get("dc_removed"),
        }

    def describe(self, data):
        return f"utterances at {data.sample_rate} Hz"


def losses_of_test(model, recipe, data, names=("reconstruction_loss",)) -> dict:
    """Some of the metrics of `evaluate` on the test utterances."""
    logs = model.evaluate(data.test.batches(recipe.batch_size), verbose=0, return_dict=True)
    return {name: float(logs[name]) for name in names}
