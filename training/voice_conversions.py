"""Former path of `keras_ae.evaluation.speech.conversions`."""

from keras_ae.evaluation.speech.conversions import (
    Conversions,
    contents_of,
    conversion_frames,
    convert_all,
    convert_pairs,
    fit_judge,
    judged,
    mean_voices,
    mel_layer,
    other_speakers,
    voices_of,
    waveforms_of,
)

__all__ = [
    "Conversions",
    "contents_of",
    "conversion_frames",
    "convert_all",
    "convert_pairs",
    "fit_judge",
    "judged",
    "mean_voices",
    "mel_layer",
    "other_speakers",
    "voices_of",
    "waveforms_of",
]
