"""Batches of training utterances."""

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets._orders import BatchOrder, BucketedOrder
from keras_ae.training.datasets.batch_stream import BatchStream
from keras_ae.training.datasets.speech.data import SpeechSplit


def speech_batches(split: SpeechSplit, batch_size: int, seed: int, *, crop: int | None = None) -> BatchStream:
    """The utterances of `split` for a training that can be resumed exactly, see `BatchStream`.

    The batches are `{"x": float32 (batch, samples), "lengths": int32 (batch,), "speaker":
    int32 (batch,)}`, the last where the speakers are known. Order and windows depend on
    the seed, the epoch and the utterance alone.

    Args:
        split: the utterances.
        batch_size: utterances of one batch; one batch of an epoch may be smaller.
        seed: of the order and of the windows.
        crop: samples of the one random window that each epoch takes of an utterance,
            drawn evenly from all that lie within it; shorter utterances are padded with
            zeros. `None`: whole utterances, each batch of ones that are alike in length.

    Raises:
        InputError: there are no utterances, or `batch_size`, `seed` or `crop` is too small.

    Example:

    >>> from keras_ae.training.datasets.speech.stores import WaveformStore
    >>> store = WaveformStore(np.arange(6, dtype="float32"), [0, 6], 16_000, "count")
    >>> stream = speech_batches(SpeechSplit(store, [0]), 1, seed=0, crop=3)
    >>> next(stream.dataset.as_numpy_iterator())["x"].tolist()
    [[2.0, 3.0, 4.0]]
    """
    if crop is not None and crop < 1:
        raise InputError(f"A window has at least one sample. Received: crop={crop}")
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
