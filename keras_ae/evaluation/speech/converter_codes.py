"""Figures of a trained voice converter: what its two codes tell, and what its conversions are worth."""

import numpy as np

from keras_ae.evaluation import probe
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

STEPS = 1000  # of logistic regression


class ProbedUtterances:
    """Speaker and word of utterances of two splits: what probes of a code are fitted on and read on.

    Args:
        train, test: `SpeechSplit`s, or lists of these, with speakers.

    Attributes:
        speaker, word: of all utterances, training first; `word` is `None` unless all test words occur
            in training.
        is_test: bool `(utterances,)`.
    """

    def __init__(self, train, test):
        splits = [*listed(train), *listed(test)]
        self.speaker = np.concatenate([split.speaker for split in splits])
        held_out = sum(map(len, listed(test)))
        self.is_test = np.arange(len(self.speaker)) >= len(self.speaker) - held_out
        self.word = None
        if all(split.label is not None for split in splits):
            word = np.concatenate([split.label for split in splits])
            if set(word[self.is_test]) <= set(word[~self.is_test]):
                self.word = word

    def of_content(self, z, seed: int = 0) -> dict:
        """`content_*` of a code `(utterances, features)` that should tell the word and not the speaker."""
        of_speaker = self._both_probes(z, self.speaker, seed)
        found = {"content_speaker_linear": of_speaker["linear"], "content_speaker_mlp": of_speaker["mlp"]}
        if self.word is not None:
            of_word = self._both_probes(z, self.word, seed)
            found |= {"content_digit": of_word["linear"], "content_digit_mlp": of_word["mlp"]}
            found |= {"content_loso": self.leave_one_speaker_out(z)}
            found |= {"content_speaker_newdigits": self.speaker_of_new_words(z)}
        return found

    def of_voice(self, z) -> dict:
        """`speaker_*` of a code `(utterances, features)` that should tell the speaker and not the word."""
        found = {"speaker_speaker": self._linear(z, self.speaker, ~self.is_test, self.is_test)}
        if self.word is not None:
            found["speaker_digit"] = self._linear(z, self.word, ~self.is_test, self.is_test)
            found["speaker_newdigits"] = self.speaker_of_new_words(z)
        return found

    def leave_one_speaker_out(self, z) -> float:
        """The word, mean over speakers whose utterances the probe has not heard."""
        of_speakers = [self.speaker == speaker for speaker in np.unique(self.speaker)]
        return float(np.mean([self._linear(z, self.word, ~own, own) for own in of_speakers]))

    def speaker_of_new_words(self, z) -> float:
        """The speaker of words that the probe has not heard: of either half, fitted on the other one."""
        first = self.word < np.median(self.word)
        train, test = ~self.is_test, self.is_test
        pairs = ((first, ~first), (~first, first))
        return float(np.mean([self._linear(z, self.speaker, train & a, test & b) for a, b in pairs]))

    def _both_probes(self, z, y, seed):
        train, test = ~self.is_test, self.is_test
        return probe(z[train], y[train], test=(z[test], y[test]), seed=seed)

    def _linear(self, z, y, train, test):
        return linear_accuracy(z[train], y[train], z[test], y[test], STEPS)


class Codes:
    """Content and voice of the utterances of two splits by a trained `VoiceConverter`.

    Args:
        model: the converter.
        train, test: `SpeechSplit`s, or lists of these, with speakers.

    Attributes:
        contents: of the last test split, `(codes, content_dim)` each.
        voices: of all utterances, training first, `(utterances, speaker_dim)`; `None` with a table of voices.
    """

    def __init__(self, model, train, test):
        self.utterances = ProbedUtterances(train, test)
        splits = [*listed(train), *listed(test)]
        found = [contents_of(model, split) for split in splits]
        self.contents = found[-1]
        self.pooled = np.stack([eight_bins(one) for contents in found for one in contents])
        self.voices = None
        if model.speaker_encoder is not None:
            self.voices = np.concatenate([voices_of(model, split) for split in splits])

    def figures(self, seed: int = 0) -> dict:
        """Accuracies of probes that are fitted on the training split and read on the other one.

        `content_*` are of the means of the content over eight equal parts of the utterance,
        `speaker_*` of the voice: `content_speaker_linear`, `content_speaker_mlp` the speaker; where words
        are known and shared by the splits `content_digit`, `content_digit_mlp` the word, `content_loso`
        the word, mean over speakers that the probe has not heard, `content_speaker_newdigits` the speaker,
        of words that the probe has not heard; `speaker_speaker`, `speaker_digit`, `speaker_newdigits`
        likewise.
        """
        found = self.utterances.of_content(self.pooled, seed)
        return found if self.voices is None else found | self.utterances.of_voice(self.voices)


def conversion_figures(
    model, train, test, judge, *, codes=None, most: int | None = None, one_utterance=True, seed: int = 0
) -> dict:
    """The utterances of `test` in the voices of all other speakers, heard by a judge.

    Args:
        model: a `VoiceConverter`.
        train: `SpeechSplit`s (a list, or one) with utterances of the voices that are wanted.
        test: the `SpeechSplit` that is converted, with speakers and labels.
        judge: a `ConversionJudge` that has heard none of `test`.
        codes: `Codes(model, train, test)` if there are any already.
        most: utterances that are converted, drawn with `seed`; `None`: all.
        one_utterance: convert with one utterance of the target speaker, too.
        seed: of what is drawn.

    Returns:
        `both_seen`, `target_seen`, `source_seen`, `digit_seen`, `mcd`, `gv`: the voice is the number of the
        speaker, or the mean of its training utterances. `both_own`, `digit_own`: the utterance in its own
        voice, which says how much the codes lose. With a speaker encoder also `both_one_utterance`,
        `target_one_utterance`, `source_one_utterance`, `digit_one_utterance`: the voice is that of one
        training utterance that says something else.
    """
    codes = Codes(model, train, test) if codes is None else codes
    rng, layer = np.random.default_rng(seed), mel_layer(model)
    chosen = np.arange(len(test)) if most is None else np.sort(rng.permutation(len(test))[:most])
    rows, target = other_speakers(test.speaker[chosen], np.unique(test.speaker))
    rows = chosen[rows]

    def heard(rows, target, voices, distances=False):
        conversions = convert_all(model, test, codes.contents, rows, target, voices)
        return judged(conversions, test, layer, judge, distances=distances)

    encoded = codes.voices is not None
    seen = heard(rows, target, _mean_voice_each(codes, target) if encoded else None, distances=True)
    own = heard(chosen, test.speaker[chosen], codes.voices[-len(test) :][chosen] if encoded else None)
    found = {f"{name}_seen": seen[key] for name, key in _SHARES.items()}
    found |= {name: seen[name] for name in ("mcd", "gv") if name in seen}
    found |= {f"{name}_own": own[_SHARES[name]] for name in ("both", "digit")}
    if one_utterance and encoded:
        once = heard(rows, target, _one_voice_each(codes, test.label[rows], target, rng))
        found |= {f"{name}_one_utterance": once[key] for name, key in _SHARES.items()}
    return found


_SHARES = {"both": "both", "target": "target_speaker", "source": "source_speaker", "digit": "content"}


def _mean_voice_each(codes, target):
    """The mean voice of all training utterances of each target."""
    training = ~codes.utterances.is_test
    means = mean_voices(codes.voices[training], codes.utterances.speaker[training])
    return np.stack([means[int(t)] for t in target])


def _one_voice_each(codes, said, target, rng):
    """The voice of one training utterance of each target that says something else."""
    chosen, known = [], codes.utterances
    for word, speaker in zip(said, target, strict=True):
        of_target = (known.speaker == speaker) & ~known.is_test & (known.word != word)
        chosen.append(rng.choice(np.flatnonzero(of_target)))
    return codes.voices[chosen]


def listed(splits):
    """A list of splits, also of one."""
    return list(splits) if isinstance(splits, list | tuple) else [splits]
