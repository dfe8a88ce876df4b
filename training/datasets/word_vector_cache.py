"""Word vectors that are trained once and kept."""

import hashlib
import json
import zipfile
from collections.abc import Iterable

import numpy as np

from keras_ae.text.word_vectors import WordVectors
from keras_ae.training.datasets.text_split import TextSplit
from keras_ae.training.datasets.user_cache import cache_folder, write_atomically
from keras_ae.training.datasets.word_vector_training import word_vectors

VERSION = 1  # of the training


def cached_word_vectors(
    split: TextSplit, dim: int = 300, *, min_count: int = 3, seed: int = 0
) -> WordVectors:
    """`word_vectors` of the sentences of a split, from the cache where the same text was trained on.

    Vectors are kept in `KERAS_AE_CACHE`, else `~/.cache/keras_ae`; a damaged file is made anew.

    Args:
        split: the text.
        dim, min_count, seed: as of `word_vectors`.

    Raises:
        ImportError: gensim is not installed.
        InputError: no word comes `min_count` times.
    """
    settings = {"version": VERSION, "dim": dim, "min_count": min_count, "seed": seed}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for sentence in _sentences(split):
        key.update(f"{sentence}\n".encode("utf-8", "replace"))
    path = cache_folder() / "word_vectors" / f"{key.hexdigest()[:24]}.npz"
    if path.is_file():
        try:
            with np.load(path) as file:
                return WordVectors(file["words"].tolist(), file["vectors"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass
    table = word_vectors(split.tokens, dim, min_count=min_count, seed=seed)
    write_atomically(path, lambda file: np.savez(file, words=np.array(table.words), vectors=table.vectors))
    return table


def _sentences(split) -> Iterable[str]:
    for document in split:
        yield from document
