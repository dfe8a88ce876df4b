"""Classifiers of the speaker and the content of converted utterances."""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, check_finite, require
from keras_ae.evaluation._checks import check_lengths, wilson_interval
from keras_ae.evaluation.speech.vocoding import frames_of_waveforms
from keras_ae.files import write_atomically
from keras_ae.layers import MFCC

FACTORS = ("speaker", "content")
PENALTY = 10.0  # C of the support vector machines
VERSION = 1  # version of the features; a judge with other features is a different judge


class ConversionJudge:
    """Pair of classifiers, of speaker and of content, that judge conversions independently of any converter.

    ```
    speaker(x), content(x) = SVM_rbf(standardised conversion_features(x)),   C = 10
    both = mean over conversions of [speaker(x) = target and content(x) = content of the source]
    ```

    They are fitted on recordings *and* on vocoded copies of these, so that the sound of the vocoder
    is not evidence for any class. They are never fitted on conversions, nor on recordings that are
    converted later. "both" is the relevant result: playing any recording of the target speaker is
    always right in the speaker, and returning the input unchanged is always right in the content.
    `save` stores features, labels and settings, `load` fits the same judge again, and `hash`
    identifies it.

    Args:
        sample_rate: sample rate of all waveforms in Hz.

    Example:

    >>> tones = [np.sin(np.arange(2000) * (0.1 + 0.3 * (i % 2))) for i in range(8)]
    >>> judge = ConversionJudge(8000).fit(tones, speaker=np.arange(8) % 2, content=np.arange(8) // 4)
    >>> judge.predict(tones[:2])["speaker"].tolist()
    [0, 1]

    Reference:
        Cortes and Vapnik, 1995, https://doi.org/10.1007/BF00994018 (the classifiers).
    """

    def __init__(self, sample_rate: int):
        self.sample_rate = int(sample_rate)

    def fit(
        self,
        waveforms: Sequence[np.ndarray],
        *,
        speaker: ArrayLike,
        content: ArrayLike,
        copies: Sequence[np.ndarray] = (),
    ) -> "ConversionJudge":
        """Fit both classifiers and return the judge.

        Args:
            waveforms: float `(samples,)` of each training utterance.
            speaker, content: labels of the utterances, integers or strings `(utterances,)`.
            copies: vocoded copies of the same utterances in the same order, such as the result of
                `copy_synthesis`.

        Raises:
            InputError: the numbers of waveforms and labels differ, there are fewer than two speakers or
                contents, or waveforms are not finite.
            ImportError: scikit-learn is not installed.
        """
        labels = {"speaker": np.asarray(speaker), "content": np.asarray(content)}
        check_lengths(waveforms=waveforms, **labels)
        if len(copies) not in (0, len(waveforms)):
            raise InputError(
                f"copies must contain the vocoded copies of all {len(waveforms)} waveforms in the same "
                f"order, or none. Received: {len(copies)}"
            )
        x = conversion_features([*waveforms, *copies], self.sample_rate)
        check_finite(x, "waveforms")
        repeats = 1 + (len(copies) > 0)
        return self._fit(x, {name: np.tile(values, repeats) for name, values in labels.items()})

    def _fit(self, features, labels):
        for name, values in labels.items():
            if values.dtype.kind not in "iuU" or len(np.unique(values)) < 2:
                raise InputError(
                    f"{name} must contain at least two values, integers or strings. "
                    f"Received: {values.dtype} with {len(np.unique(values))}"
                )
        svm = require("sklearn.svm", extra="evaluation")
        pipeline = require("sklearn.pipeline", extra="evaluation")
        preprocessing = require("sklearn.preprocessing", extra="evaluation")
        self.features, self.labels = features, labels
        self._classifiers = {
            name: pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC(C=PENALTY)).fit(
                features, values
            )
            for name, values in labels.items()
        }
        return self

    def predict(self, waveforms: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return the predicted `{"speaker": (utterances,), "content": (utterances,)}` of waveforms."""
        self._check_fitted()
        x = conversion_features(waveforms, self.sample_rate)
        check_finite(x, "waveforms")
        return {name: classifier.predict(x) for name, classifier in self._classifiers.items()}

    def table_row(
        self, waveforms: Sequence[np.ndarray], *, source: ArrayLike, target: ArrayLike, content: ArrayLike
    ) -> dict:
        """Judge conversions, and return one row of a table of converters.

        Args:
            waveforms: the conversions.
            source, target: the speaker of the source, and the target speaker, `(conversions,)`.
            content: the content of the source, `(conversions,)`.

        Returns:
            `{"n", "target_speaker", "source_speaker", "content", "both", "both_interval"}`: the shares of
            the conversions that are in the voice of the target, that are still in the voice of the
            source, that have the right content, and that are right in both; and Wilson's 95 % interval
            of the last share, which assumes independent conversions.

        Raises:
            InputError: the lengths differ, the judge is not fitted, or waveforms are not finite.
        """
        source, target, content = np.asarray(source), np.asarray(target), np.asarray(content)
        check_lengths(waveforms=waveforms, source=source, target=target, content=content)
        predicted = self.predict(waveforms)
        in_voice, right = predicted["speaker"] == target, predicted["content"] == content
        return {
            "n": len(target),
            "target_speaker": float(in_voice.mean()),
            "source_speaker": float((predicted["speaker"] == source).mean()),
            "content": float(right.mean()),
            "both": float((in_voice & right).mean()),
            "both_interval": wilson_interval(int((in_voice & right).sum()), len(target)),
        }

    @property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of settings, training features and labels."""
        self._check_fitted()
        digest = hashlib.sha256(self._settings().encode())
        for values in (self.features, *(self.labels[name] for name in FACTORS)):
            values = np.ascontiguousarray(values)
            digest.update(f"{values.dtype.str}{values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()[:16]

    def save(self, path: str | os.PathLike) -> None:
        """Write training features, labels and settings as an `.npz` file, without pickles."""
        self._check_fitted()
        file = io.BytesIO()
        np.savez_compressed(file, settings=np.array(self._settings()), features=self.features, **self.labels)
        write_atomically(Path(path), file.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "ConversionJudge":
        """Load a saved judge by fitting it again on the same features; its predictions are the same.

        Raises:
            InputError: the file is not that of a judge, or its settings differ from those of this version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("settings", "features", *FACTORS)}
            settings = json.loads(str(arrays["settings"]))
            judge = cls(settings["sample_rate"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"path must be an .npz file written by ConversionJudge.save. Received: {Path(path).name}, "
                f"which is not such a file ({error})"
            ) from None
        if settings != json.loads(judge._settings()):
            raise InputError(
                f"{Path(path).name} contains a judge with other settings, {settings}. Fit it again on its "
                "recordings."
            )
        return judge._fit(arrays["features"], {name: arrays[name] for name in FACTORS})

    def _settings(self):
        found = {"version": VERSION, "sample_rate": self.sample_rate, "penalty": PENALTY}
        return json.dumps(found, sort_keys=True)

    def _check_fitted(self):
        if not hasattr(self, "features"):
            raise InputError("The judge has not been fitted. Call `fit`, or load a saved judge.")


COEFFICIENTS = 13
BINS = 8  # number of equal parts of an utterance
TINY = 1e-9


def conversion_features(waveforms: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
    """Compute the cepstra of whole utterances and of their eighths, float32 `(utterances, 182)`.

    ```
    [mean_t c[t], sd_t c[t], mean_{t in part 1} c'[t], ..., mean_{t in part 8} c'[t]]
    ```

    `c` are 13 MFCC with their first and second derivatives over time (39 numbers), `c'` the 13 MFCC
    alone: windows of 25 ms every 10 ms and 40 bands, of the waveform scaled to a peak of 1. Two
    neighbouring parts share the frame at their border if the border lies within it.

    Args:
        waveforms: float `(samples,)` of each utterance.
        sample_rate: sample rate in Hz.

    Example:

    >>> conversion_features([np.ones(900), np.ones(4000)], 8000).shape
    (2, 182)
    """
    window = sample_rate // 40
    layer = MFCC(
        COEFFICIENTS,
        sample_rate=sample_rate,
        window_length=window,
        hop=sample_rate // 100,
        fft_length=2 ** (2 * window - 1).bit_length(),
    )
    levelled = [one / (np.abs(one).max(initial=0.0) + TINY) for one in waveforms]
    return np.stack([_pooled(frames) for frames in frames_of_waveforms(levelled, layer)])


def _pooled(frames):
    ends = np.linspace(0, len(frames), BINS + 1)
    cepstra = frames[:, :COEFFICIENTS]
    parts = [
        cepstra[int(a) : max(int(a) + 1, int(np.ceil(b)))].mean(axis=0)
        for a, b in zip(ends[:-1], ends[1:], strict=True)
    ]
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), *parts]).astype("float32")
