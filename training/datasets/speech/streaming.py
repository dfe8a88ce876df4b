"""Streams of utterances for encoding, and batches of utterances for training."""

import os
from pathlib import Path

import numpy as np

from keras_ae.data_files import LeftOut, some_of
from keras_ae.errors import InputError
from keras_ae.training.datasets._orders import BatchOrder, BucketedOrder
from keras_ae.training.datasets._reading import START
from keras_ae.training.datasets.batch_stream import BatchStream
from keras_ae.training.datasets.speech._audio_reading import EXTENSIONS, is_audio
from keras_ae.training.datasets.speech._folder import listed_files
from keras_ae.training.datasets.speech._stores import AudioFileStore
from keras_ae.training.datasets.speech.data import SpeechSplit, SpeechStream
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
    """Return all utterances of a source once, in order, for folders larger than memory.

    The files of a folder are decoded when they are read: all recordings in it, or those of its manifest,
    whatever their names. Training, validation and test utterances are not separated; they keep the
    order of the source.

    Args:
        source: as for `load_speech`, or a single audio file.
        sample_rate: sample rate in Hz to which all audio is resampled.
        shard: `(i, n)`: only utterances i, i + n, i + 2n, ..., so that n processes share
            the work; the `names` of all shards together are those of the whole source.
        level: as for `load_speech`; use the level of the training.
        skip_broken: leave out recordings that cannot be read; otherwise an error names all of them.

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
        raise InputError(f"shard must be (i, n) with 0 <= i < n. Received: shard={shard}")
    if sample_rate < 1:
        raise InputError(f"sample_rate must be at least 1 Hz. Received: sample_rate={sample_rate}")
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
    """Return `(store, names)`; files are not checked before they are read."""
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


def speech_batches(split: SpeechSplit, batch_size: int, seed: int, *, crop: int | None = None) -> BatchStream:
    """Return the batches of `split` for a training that can be resumed exactly, see `BatchStream`.

    The batches are `{"x": float32 (batch, samples), "lengths": int32 (batch,), "speaker":
    int32 (batch,)}`, the last only if the speakers are known. Order and windows depend only on
    the seed, the epoch and the utterance.

    Args:
        split: the utterances.
        batch_size: utterances per batch; one batch of an epoch may be smaller.
        seed: seed of the order and of the windows.
        crop: number of samples of the random window that each epoch reads of each utterance,
            drawn uniformly from all windows within it; shorter utterances are padded with
            zeros. `None`: whole utterances, in batches of similar length.

    Raises:
        InputError: there are no utterances, or `batch_size`, `seed` or `crop` is too small.

    Example:

    >>> from keras_ae.training.datasets.speech._stores import WaveformStore
    >>> store = WaveformStore(np.arange(6, dtype="float32"), [0, 6], 16_000, "count")
    >>> stream = speech_batches(SpeechSplit(store, [0]), 1, seed=0, crop=3)
    >>> next(stream.dataset.as_numpy_iterator())["x"].tolist()
    [[2.0, 3.0, 4.0]]
    """
    if crop is not None and crop < 1:
        raise InputError(f"crop must be at least one sample. Received: crop={crop}")
    order = (
        BucketedOrder(split.lengths, batch_size, seed)
        if crop is None
        else BatchOrder(len(split), batch_size, seed)
    )

    def starts(epoch, batch):
        free = np.maximum(split.lengths[batch] - crop, 0)
        draws = [np.random.default_rng((seed, epoch, index)).random() for index in batch]
        return (draws * (free + 1)).astype("int64")

    def utterances_of(batches):
        chosen = lambda: (  # noqa: E731
            (batch, None if crop is None else starts(epoch, batch)) for epoch, batch in batches()
        )
        return split.batches_of(chosen, crop)

    return BatchStream(order, utterances_of)
