"""What a voice converter makes of speakers that it has never heard."""

import numpy as np

from keras_ae.evaluation import equal_error_rate, mel_cepstral_distortion
from keras_ae.evaluation.speech.conversions import (
    convert_pairs,
    judged,
    mel_layer,
    other_speakers,
    voices_of,
    waveforms_of,
)
from keras_ae.evaluation.speech.vocoding import frames_of_waveforms
from keras_ae.training.datasets.speech._espeak import (
    available_voices,
    draw_sentences,
    draw_utterances,
    synthesize_in_process,
)
from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import SpeechSplit
from parts.voice_conversion_training import of_speakers, train, without

PAIRS = ((0, 1), (2, 3), (4, 5))  # speakers of the digits that are left out, by seed
VOICES, UNSEEN, SENTENCES = 24, 4, 6


def one_shot(name, settings, data, seed, judge):
    """Trained without two speakers: the test takes of the others in their voices, by one utterance each."""
    pair = PAIRS[seed % len(PAIRS)]
    others = [number for number in range(len(data.speakers)) if number not in pair]
    _, model, epoch = train(name, settings, without(data, pair), seed)
    sources, targets = of_speakers(data.test, others), of_speakers(data.train, pair)
    rows, target = other_speakers(sources.speaker, pair)
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero((targets.speaker == speaker) & (targets.label != sources.label[row])))
        for row, speaker in zip(rows, target, strict=True)
    ]
    conversions = convert_pairs(model, sources, rows, targets, np.array(chosen))
    layer = mel_layer(model)
    recorded = data.test, frames_of_waveforms(waveforms_of(data.test), layer)
    found = judged(conversions, sources, layer, judge, recorded)
    return {
        "epoch": epoch,
        "both_oneshot": found["both"],
        "target_oneshot": found["target_speaker"],
        "source_oneshot": found["source_speaker"],
        "digit_oneshot": found["content"],
        "mcd_oneshot": found["mcd"],
        "gv_oneshot": found["gv"],
    }


def mean_frames(layer, split):
    """Mean log-mel frame of each utterance."""
    return np.stack([one.mean(axis=0) for one in frames_of_waveforms(waveforms_of(split), layer)])


def voiceprint(name, settings, data, others, seed):
    """Equal error rate of the voices of `others`, whom the converter trained on `data` has not heard.

    Both rows are centred by the mean of the training utterances; the mean log-mel is scaled by
    their deviation, too.
    """
    _, model, epoch = train(name, settings, data, seed)
    return {"epoch": epoch, **error_rates(model, data.train, others)}


def error_rates(model, train_split, others):
    """`{"speaker_eer", "log_mel_eer"}`."""
    layer = mel_layer(model)
    heard = mean_frames(layer, train_split)
    plain = (mean_frames(layer, others) - heard.mean(axis=0)) / heard.std(axis=0)
    voices = voices_of(model, others) - voices_of(model, train_split).mean(axis=0)
    return {
        "speaker_eer": equal_error_rate(voices, others.speaker),
        "log_mel_eer": equal_error_rate(plain, others.speaker),
    }


def parallel_sentences(sample_rate, voices=UNSEEN, sentences=SENTENCES, skip=VOICES):
    """A `SpeechSplit` in which voices that come after the first `skip` say the same sentences.

    One rate and one pitch: a sentence in another voice is what a conversion should be.
    """
    import espeakng_loader

    available = available_voices(espeakng_loader.get_data_path())
    counts = {"train": 1, "validation": 0, "test": 0}
    drawn = [said["voice"] for said in draw_utterances(available, skip + voices, counts, 0)][skip:]
    said = [(voice, text) for voice in range(voices) for text in range(sentences)]
    texts = draw_sentences(sentences, seed=77_000)
    spoken = synthesize_in_process(
        [{"text": texts[t], "voice": drawn[v], "rate": 175, "pitch": 50} for v, t in said], sample_rate
    )
    store = WaveformStore(spoken["audio"], spoken["offsets"], sample_rate, "speech of espeak-ng")
    columns = {"speaker": np.array([v for v, _ in said]), "sentence": np.array([t for _, t in said])}
    return SpeechSplit(store, np.arange(len(said)), "rms", columns, "sentence")


def unseen_sentences(model, spoken):
    """Mean distortion of sentences in a new voice from what that voice says, and that of two controls.

    Args:
        model: trained on other voices.
        spoken: of `parallel_sentences`; the target's voice is heard in the next sentence.
    """
    layer = mel_layer(model)
    frames = frames_of_waveforms(waveforms_of(spoken), layer)
    place = {pair: i for i, pair in enumerate(zip(spoken.speaker, spoken.label, strict=True))}
    rows, target = other_speakers(spoken.speaker, np.unique(spoken.speaker))
    sentences = 1 + spoken.label.max()
    heard = [place[t, (spoken.label[row] + 1) % sentences] for row, t in zip(rows, target, strict=True)]
    converted = convert_pairs(model, spoken, rows, spoken, np.array(heard)).frames
    true = [frames[place[t, spoken.label[row]]] for row, t in zip(rows, target, strict=True)]
    sources = [frames[row] for row in rows]
    moved = [one - one.mean(axis=0) + frames[i].mean(axis=0) for one, i in zip(sources, heard, strict=True)]
    pairs = {"espeak_mcd": converted, "espeak_mcd_copy": sources, "espeak_mcd_mean_shift": moved}
    scale = 1.0 / (layer.log_scale * layer.power)
    return {
        name: float(
            np.mean([mel_cepstral_distortion(scale * a, scale * b) for a, b in zip(some, true, strict=True)])
        )
        for name, some in pairs.items()
    }


def espeak(name, settings, data, spoken, seed):
    """Trained on 24 voices, read on sentences of four others."""
    _, model, epoch = train(name, settings, data, seed)
    return {"epoch": epoch, **unseen_sentences(model, spoken)}
