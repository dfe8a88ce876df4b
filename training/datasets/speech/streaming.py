"""Streams of speech for encoding."""

import os
from pathlib import Path

from keras_ae.data_files import LeftOut, some_of
from keras_ae.errors import InputError
from keras_ae.training.datasets._reading import START
from keras_ae.training.datasets.speech._audio_reading import EXTENSIONS, is_audio
from keras_ae.training.datasets.speech._folder import listed_files
from keras_ae.training.datasets.speech._stores import AudioFileStore
from keras_ae.training.datasets.speech.data import SpeechStream
from keras_ae.training.datasets.speech.loading import open_speech
from keras_ae.training.datasets.speech.waveforms import check_level


def stream_speech(
    source: str | os.PathLike | None,
    sample_rate: int,
    shard: tuple[int, int] = (0, 1),
    *,
    level: str | None = "rms",
    skip_broken: bool = False,
) -> SpeechStream:
    """All utterances of a source once, in order, for folders larger than memory.

    The files of a folder are decoded on the way: all recordings in it, or those of its manifest, however
    they are named. Training utterances come among those for
    validation and test, in the order of the source.

    Args:
        source: as for `load_speech`, or a single audio file.
        sample_rate: to which all audio is resampled.
        shard: `(i, n)`: utterances i, i + n, i + 2n, ... only, so that n processes share
            the work; `names` of all shards together are those of the whole.
        level: as for `load_speech`; encode at the level of the training.
        skip_broken: leave out recordings that cannot be read; otherwise they are an error that names
            all of them.

    Returns:
        a `SpeechStream`.

    Raises:
        InputError: the source cannot be read.

    Example:

    >>> stream = stream_speech("espeak", 16_000, shard=(0, 2))
    >>> len(stream), stream.names[:3]
    (240, ['0', '2', '4'])
    """
    index, count = shard
    check_level(level)
    if not 0 <= index < count:
        raise InputError(f"A shard is (i, n) with 0 <= i < n. Received: {shard}")
    if sample_rate < 1:
        raise InputError(f"The sample rate is at least 1 Hz. Received: {sample_rate}")
    left_out = LeftOut()
    store, names = _open(source, sample_rate, left_out, skip_broken)
    rows = range(index, len(store), count)
    return SpeechStream(
        store,
        rows,
        [names[row] for row in rows],
        level,
        origin=str(source or "espeak"),
        left_out=left_out,
        skip_broken=skip_broken,
        inputs=[*(() if source is None else (source,)), *getattr(store, "paths", ())],
    )


def _open(source, sample_rate, left_out, skip_broken):
    """`(store, names)`; files are not looked at before they are asked for."""
    path = Path(source or "espeak")
    if path.is_dir():
        names = [row["path"] for row in listed_files(path, left_out, training=False)]
        missing = [name for name in names if not (path / name).is_file()]
        if missing and not skip_broken:
            raise InputError(
                f"{path} must contain the files of its manifest. Received: {len(missing)} missing "
                f"({some_of(missing, shown=20)}); remove the rows, or leave them out: --skip-broken."
            )
        return AudioFileStore([path / name for name in names], sample_rate), names
    if path.is_file() and path.suffix.lower() != ".npz" and _is_recording(path):
        return AudioFileStore([path], sample_rate), [path.name]
    store = open_speech(source, sample_rate).store
    return store, [str(row) for row in range(len(store))]


def _is_recording(path):
    if path.suffix.lower() in EXTENSIONS:
        return True
    with path.open("rb") as file:
        return is_audio(file.read(START))
