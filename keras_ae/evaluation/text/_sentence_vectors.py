"""Vectors of sentences, with each sentence encoded once."""

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError, check_finite
from keras_ae.files import write_atomically

COMPARED = 8  # number of sentences encoded again to check that a stored file is from the same encoder
TOLERANCE = 1e-3  # relative to the largest value; sums in another order differ by far less


class SentenceVectors:
    """Vectors of a set of sentences.

    Args:
        encode: a model with `encode`, such as `models.QuickThought`, or a function; it takes a list
            of str and returns `(sentences, dim)`.
        sentences: any number of sentences; they may be repeated.
        path: an .npz file from which vectors are read and to which they are written. Vectors of
            another encoder are detected, and computed again with a warning.

    Raises:
        InputError: `encode` does not return one finite vector per sentence, or the file is not readable.

    Example:

    >>> vectors = SentenceVectors(lambda texts: np.array([[len(text), 1] for text in texts]), ["a", "bcd"])
    >>> vectors(["bcd", "a", "bcd"]).tolist()
    [[3.0, 1.0], [1.0, 1.0], [3.0, 1.0]]
    """

    def __init__(self, encode: Callable, sentences: Sequence[str], path: str | Path | None = None):
        self._encode = getattr(encode, "encode", encode)
        self._path = None if path is None else Path(path)
        distinct = list(dict.fromkeys(sentences))
        known, vectors = self._kept(distinct)
        new = [sentence for sentence in distinct if sentence not in known]
        if new:
            made = self._encoded(new)
            vectors = made if vectors is None else np.concatenate([vectors, made])
            known |= {sentence: len(known) + place for place, sentence in enumerate(new)}
            self._keep(known, vectors)
        self._places, self._vectors = known, vectors

    def __call__(self, sentences: Sequence[str]) -> np.ndarray:
        """Return the vectors of some of the sentences, `(sentences, dim)`."""
        return self._vectors[[self._places[sentence] for sentence in sentences]]

    def _encoded(self, sentences):
        vectors = np.asarray(self._encode(list(sentences)))
        if vectors.ndim != 2 or len(vectors) != len(sentences) or vectors.dtype.kind not in "fiub":
            raise InputError(
                f"encode must return a vector for each sentence, ({len(sentences)}, dim). "
                f"Received: shape {vectors.shape}, {vectors.dtype}"
            )
        vectors = vectors.astype("float32")
        check_finite(vectors, "the vectors of sentences")
        return vectors

    def _kept(self, sentences):
        """Return `({sentence: row}, vectors)` of the file if it is from this encoder, else `({}, None)`."""
        if self._path is None or not self._path.is_file():
            return {}, None
        try:
            with np.load(self._path) as file:
                known, vectors = json.loads(file["sentences"].tobytes()), file["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{self._path} contains no sentence vectors: {error}") from None
        places = {sentence: place for place, sentence in enumerate(known)}
        some = [sentence for sentence in sentences if sentence in places][:COMPARED]
        if some:
            made, before = self._encoded(some), vectors[[places[sentence] for sentence in some]]
            if made.shape == before.shape and np.abs(made - before).max() <= TOLERANCE * np.abs(made).max():
                return places, vectors
            warnings.warn(
                f"{self._path} is from another encoder: all sentences are encoded again", stacklevel=4
            )
        return {}, None

    def _keep(self, known, vectors):
        if self._path is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, sentences=np.frombuffer(json.dumps(list(known)).encode(), "uint8"), vectors=vectors)
        write_atomically(self._path, buffer.getvalue())
