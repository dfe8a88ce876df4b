"""Results of a trained voice converter: probes of its embeddings, and quality of its conversions."""

from typing import Any

import numpy as np

from keras_ae.evaluation.probes.probe import probe
from keras_ae.evaluation.speech.conversions import (
    contents_of,
    convert_all,
    judged,
    mean_voices,
    mel_layer,
    other_speakers,
    voices_of,
)
from keras_ae.evaluation.speech.frame_probes import eight_bins, linear_accuracy

STEPS = 1000  # largest number of steps of logistic regression


class ProbedUtterances:
    """Speakers and words of the utterances of two splits, the targets of the probes of an embedding.

    Args:
        train, test: `SpeechSplit`s with speakers, or lists of them.

    Attributes:
        speaker, word: labels of all utterances, training utterances first; `word` is `None` unless all
            test words occur in training.
        is_test: bool `(utterances,)`, true for test utterances.
    """

    def __init__(self, train: Any, test: Any):
        splits = [*listed(train), *listed(test)]
        self.speaker = np.concatenate([split.speaker for split in splits])
        held_out = sum(map(len, listed(test)))
        self.is_test = np.arange(len(self.speaker)) >= len(self.speaker) - held_out
        self.word: Any = None
        if all(split.label is not None for split in splits):
            word = np.concatenate([split.label for split in splits])
            if set(word[self.is_test]) <= set(word[~self.is_test]):
                self.word = word

    def of_content(self, z: np.ndarray, seed: int = 0) -> dict[str, float]:
        """Return the results `content_*` of an embedding that should contain the word but not the speaker.

        Args:
            z: embedding `(utterances, features)`.
            seed: seed of the probes.
        """
        of_speaker = self._both_probes(z, self.speaker, seed)
        found = {"content_speaker_linear": of_speaker["linear"], "content_speaker_mlp": of_speaker["mlp"]}
        if self.word is not None:
            of_word = self._both_probes(z, self.word, seed)
            found |= {"content_digit": of_word["linear"], "content_digit_mlp": of_word["mlp"]}
            found |= {"content_loso": self.leave_one_speaker_out(z)}
            found |= {"content_speaker_newdigits": self.speaker_of_new_words(z)}
        return found

    def of_voice(self, z: np.ndarray) -> dict[str, float]:
        """Return the results `speaker_*` of an embedding that should contain the speaker but not the word.

        Args:
            z: embedding `(utterances, features)`.
        """
        found = {"speaker_speaker": self._linear(z, self.speaker, ~self.is_test, self.is_test)}
        if self.word is not None:
            found["speaker_digit"] = self._linear(z, self.word, ~self.is_test, self.is_test)
            found["speaker_newdigits"] = self.speaker_of_new_words(z)
        return found

    def leave_one_speaker_out(self, z: np.ndarray) -> float:
        """Return the accuracy of the word for speakers that are not in training, averaged over speakers."""
        of_speakers = [self.speaker == speaker for speaker in np.unique(self.speaker)]
        return float(np.mean([self._linear(z, self.word, ~own, own) for own in of_speakers]))

    def speaker_of_new_words(self, z: np.ndarray) -> float:
        """Return the accuracy of the speaker for words that are not in training, by halves of the words."""
        first = self.word < np.median(self.word)
        train, test = ~self.is_test, self.is_test
        pairs = ((first, ~first), (~first, first))
        return float(np.mean([self._linear(z, self.speaker, train & a, test & b) for a, b in pairs]))

    def _both_probes(self, z, y, seed):
        train, test = ~self.is_test, self.is_test
        return probe(z[train], y[train], test=(z[test], y[test]), seed=seed)

    def _linear(self, z, y, train, test):
        return linear_accuracy(z[train], y[train], z[test], y[test], STEPS)


class ConverterEmbeddings:
    """Content and voice embeddings of the utterances of two splits from a trained `VoiceConverter`.

    Args:
        model: the converter.
        train, test: `SpeechSplit`s with speakers, or lists of them.

    Attributes:
        contents: content of each utterance of the last test split, `(codes, content_dim)`.
        voices: voices of all utterances, training utterances first, `(utterances, speaker_dim)`; `None`
            with a table of voices.
    """

    def __init__(self, model: Any, train: Any, test: Any):
        self.utterances = ProbedUtterances(train, test)
        splits = [*listed(train), *listed(test)]
        found = [contents_of(model, split) for split in splits]
        self.contents = found[-1]
        self.pooled = np.stack([eight_bins(one) for contents in found for one in contents])
        self.voices = None
        if model.speaker_encoder is not None:
            self.voices = np.concatenate([voices_of(model, split) for split in splits])

    def results(self, seed: int = 0) -> dict[str, float]:
        """Return the accuracies of probes that are fitted on the training split, on the test split.

        The probes of `content_*` read the means of the content over eight equal parts of the utterance,
        and those of `speaker_*` the voice:

        - `content_speaker_linear`, `content_speaker_mlp`, `speaker_speaker`: the speaker;
        - `content_digit`, `content_digit_mlp`, `speaker_digit`: the word;
        - `content_loso`: the word for speakers that are not in training, averaged over speakers;
        - `content_speaker_newdigits`, `speaker_newdigits`: the speaker for words that are not in training.

        All but the first line require that words are known and shared by the splits.
        """
        found = self.utterances.of_content(self.pooled, seed)
        return found if self.voices is None else found | self.utterances.of_voice(self.voices)


def conversion_results(
    model: Any,
    train: Any,
    test: Any,
    judge: Any,
    *,
    embeddings: ConverterEmbeddings | None = None,
    most: int | None = None,
    one_utterance: bool = True,
    seed: int = 0,
) -> dict[str, float]:
    """Convert the utterances of `test` to the voices of all other speakers, and judge the conversions.

    Args:
        model: a `VoiceConverter`.
        train: `SpeechSplit`, or a list of them, with utterances of the target voices.
        test: the `SpeechSplit` to convert, with speakers and labels.
        judge: a `ConversionJudge` that was not fitted on any utterance of `test`.
        embeddings: existing `ConverterEmbeddings(model, train, test)`; `None`: computed.
        most: number of utterances to convert, drawn with `seed`; `None`: all utterances.
        one_utterance: whether to convert with a single utterance of the target speaker as well.
        seed: seed of all draws.

    Returns:
        `both_seen`, `target_seen`, `source_seen`, `digit_seen`, `mcd`, `gv`: the voice is given by the
        number of the speaker, or by the mean over its training utterances. `both_own`, `digit_own`: the
        utterance is converted to its own voice, which measures the loss by encoding. With a speaker
        encoder also `both_one_utterance`, `target_one_utterance`, `source_one_utterance`,
        `digit_one_utterance`: the voice is that of one training utterance with another content.
    """
    embeddings = embeddings or ConverterEmbeddings(model, train, test)
    rng, layer = np.random.default_rng(seed), mel_layer(model)
    chosen = np.arange(len(test)) if most is None else np.sort(rng.permutation(len(test))[:most])
    rows, target = other_speakers(test.speaker[chosen], np.unique(test.speaker))
    rows = chosen[rows]

    def judge_conversions(rows, target, voices, distances=False):
        conversions = convert_all(model, test, embeddings.contents, rows, target, voices)
        return judged(conversions, test, layer, judge, distances=distances)

    encoded = embeddings.voices is not None
    seen = judge_conversions(
        rows, target, _mean_voice_each(embeddings, target) if encoded else None, distances=True
    )
    voices = None if embeddings.voices is None else embeddings.voices[-len(test) :][chosen]
    own = judge_conversions(chosen, test.speaker[chosen], voices)
    found = {f"{name}_seen": seen[key] for name, key in _SHARES.items()}
    found |= {name: seen[name] for name in ("mcd", "gv") if name in seen}
    found |= {f"{name}_own": own[_SHARES[name]] for name in ("both", "digit")}
    if one_utterance and encoded:
        once = judge_conversions(rows, target, _one_voice_each(embeddings, test.label[rows], target, rng))
        found |= {f"{name}_one_utterance": once[key] for name, key in _SHARES.items()}
    return found


_SHARES = {"both": "both", "target": "target_speaker", "source": "source_speaker", "digit": "content"}


def _mean_voice_each(embeddings, target):
    """Return the mean voice of all training utterances of each target."""
    training = ~embeddings.utterances.is_test
    means = mean_voices(embeddings.voices[training], embeddings.utterances.speaker[training])
    return np.stack([means[int(t)] for t in target])


def _one_voice_each(embeddings, words, target, rng):
    """Return the voice of one training utterance of each target with another content."""
    chosen, known = [], embeddings.utterances
    for word, speaker in zip(words, target, strict=True):
        of_target = (known.speaker == speaker) & ~known.is_test & (known.word != word)
        chosen.append(rng.choice(np.flatnonzero(of_target)))
    return embeddings.voices[chosen]


def listed(splits: Any) -> list:
    """Return splits as a list; a single split becomes a list of one."""
    return list(splits) if isinstance(splits, list | tuple) else [splits]
