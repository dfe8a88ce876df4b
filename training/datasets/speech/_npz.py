"""Reading of speech in .npz files."""

from pathlib import Path

import numpy as np

from keras_ae.data_files import LeftOut, split_of
from keras_ae.errors import InputError
from keras_ae.training.datasets._arrays import NpzMember, npz_keys
from keras_ae.training.datasets._splits import class_numbers
from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import LABEL_COLUMNS, PhoneAlignment, SpeechSource

AUDIO_TYPES = {"audio": ("int16", "int32", "float32", "float64"), "audio_mulaw": ("uint8",)}
PHONE_KEYS = ("phone_start", "phone", "phone_offsets", "phone_names")
NOT_COLUMNS = {*AUDIO_TYPES, "offsets", "sample_rate", "text", "split", "is_test", *PHONE_KEYS}


def read_speech_npz(path: Path, sample_rate: int | None = None) -> SpeechSource:
    """Open the utterances of an .npz file, stored one after the other in one array.

    Its keys: `audio` (int16, int32 or float, all samples) or `audio_mulaw` (uint8, see
    `float_waveform`); `offsets`, where utterance i is `audio[offsets[i]:offsets[i + 1]]`;
    `sample_rate`. Any integer array with one number per utterance, such as `speaker` or
    `digit`, is a column; `speaker_names` (or `speaker_id`, one per number) contains the names of
    the numbers. An array of strings, one per utterance, is a column of names. `is_test`, or `split` with
    "train", "validation" and "test", is an official split; `text` contains the spoken words. Phones are
    `phone[phone_offsets[i]:...]`, indices into `phone_names` that begin at the samples `phone_start`.
    Other arrays are left out and recorded.

    Args:
        path: the file.
        sample_rate: sample rate in Hz to resample to; `None`: unchanged.

    Raises:
        InputError: the file is damaged, lacks a key, or its arrays do not fit together.
    """
    keys = npz_keys(path)
    audio_key = next((key for key in AUDIO_TYPES if key in keys), None)
    if audio_key is None or not {"offsets", "sample_rate"} <= set(keys):
        raise InputError(
            f"{path} must have the keys audio or audio_mulaw, offsets and sample_rate. "
            f"Received: {', '.join(keys) or 'no keys'}"
        )
    store = _store(path, audio_key)
    left_out = LeftOut("arrays")
    columns, names, incomplete = _columns(path, keys, len(store), left_out)
    rate = store.sample_rate
    new_rate = sample_rate or rate
    phones = None
    if set(PHONE_KEYS) <= set(keys):
        starts, numbers, offsets, phone_names = (NpzMember(path, key).whole() for key in PHONE_KEYS)
        phones = PhoneAlignment(starts, numbers, offsets, phone_names.astype(str).tolist())
        phones = phones.resampled(rate, new_rate)
    return SpeechSource(
        name=path.stem,
        origin=f"npz file {path}",
        store=store.resampled(new_rate),
        columns=columns,
        names=names,
        splits=_splits(path, keys),
        texts=NpzMember(path, "text").whole().astype(str).tolist() if "text" in keys else None,
        phones=phones,
        left_out=left_out,
        incomplete=incomplete,
    )


def _store(path, audio_key):
    audio, offsets = NpzMember(path, audio_key).whole(), NpzMember(path, "offsets").whole()
    if str(audio.dtype) not in AUDIO_TYPES[audio_key] or audio.ndim != 1:
        raise InputError(
            f"{path}[{audio_key}] must be a one-dimensional array of {' or '.join(AUDIO_TYPES[audio_key])}. "
            f"Received: {audio.dtype} of shape {audio.shape}"
        )
    if audio.dtype.kind == "f" and not np.abs(audio).max(initial=0) <= 1:  # also true for NaN
        raise InputError(
            f"{path}[{audio_key}] must be floats in [-1, 1]. "
            f"Received: values from {audio.min():g} to {audio.max():g}. Rescale or repair them."
        )
    bounds = (
        offsets.astype("int64") if offsets.dtype.kind in "iu" and offsets.ndim == 1 else np.zeros(0, "int64")
    )
    if len(bounds) < 2 or bounds[0] < 0 or bounds[-1] > len(audio) or (np.diff(bounds) < 1).any():
        raise InputError(
            f"{path}[offsets] must be ascending offsets into the {len(audio)} samples, one more than there "
            f"are utterances, and none empty. Received: {offsets.dtype} of shape {offsets.shape}"
        )
    rate = NpzMember(path, "sample_rate").whole()
    if rate.size != 1 or rate.item() < 1:
        raise InputError(f"{path}[sample_rate] must be one number, in Hz. Received: {rate}")
    return WaveformStore(audio, bounds, round(rate.item()), f"{path}[{audio_key}]")


def _columns(path, keys, count, left_out):
    """Return `({name: numbers}, {name: names}, incomplete columns)` of arrays of one value per utterance."""
    columns, names, incomplete = {}, {}, []
    required = ("speaker", *[name for name in LABEL_COLUMNS if name in keys][:1])
    members = {key: NpzMember(path, key) for key in keys if key not in NOT_COLUMNS}
    members = {key: member for key, member in members.items() if member.shape == (count,)}
    naming = {
        key: name
        for key, member in members.items()
        for name in (f"{key}_id", f"{key}_names")  # the last one is preferred
        if name in keys and member.dtype.kind in "iu"
    }
    for key, member in members.items():
        if key in naming.values() or member.dtype.kind not in "iuUS":
            continue
        values = member.whole()
        if member.dtype.kind in "US":
            values = np.char.strip(values.astype(str))
            if key not in required and not (values != "").all():
                incomplete.append(key)
                continue
        listed = [NpzMember(path, naming[key]).whole().astype(str).tolist()] if key in naming else []
        numbers, names[key] = class_numbers({key: values}, *listed)
        columns[key] = numbers[key]
    used = {*NOT_COLUMNS, *columns, *incomplete, *naming.values()}
    for key in keys:
        if key not in used:
            left_out.add("not used", key)
    return columns, names, tuple(incomplete)


def _splits(path, keys):
    if "split" in keys:
        names = NpzMember(path, "split").whole().astype(str)
        return np.array([split_of(name) or name for name in names.ravel()])
    if "is_test" in keys:
        return np.where(NpzMember(path, "is_test").whole().astype(bool), "test", "train")
    return None
