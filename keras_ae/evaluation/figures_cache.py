"""Cache of the results of tasks, by the content that they were measured on."""

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_ae.files import write_atomically

PROTOCOL = 2  # to increase when the same vectors and labels give other results


def content_key(task, vectors: Callable, folds: int, seed: int) -> str:
    """Return the SHA-256 of everything that determines the results of a task: vectors, targets, folds, seed.

    Args:
        task: a `SentenceTask`.
        vectors: of a list of str, `(sentences, dim)`, dense or sparse.
        folds, seed: as of `transfer`.
    """
    digest = hashlib.sha256(f"{PROTOCOL} {task.kind} {folds} {seed}".encode())
    for name in ("train", "validation", "test"):
        part = getattr(task, name)
        if part is None:
            continue
        digest.update(f"{name} {part.target.tolist()}".encode())
        for sentences in (part.sentences, part.seconds):
            if sentences is not None:
                _add(digest, vectors(sentences))
    return digest.hexdigest()


def kept_figures(folder: str | Path | None, key: str | None, measure: Callable) -> dict:
    """Return the results under `key` in `folder`, or those of `measure()`, which are then stored there.

    A damaged file is measured again; a folder that cannot be written to gives a warning.
    """
    if folder is None:
        return measure()
    path = Path(folder) / f"{key}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        figures = measure()
    try:
        write_atomically(path, json.dumps(figures))
    except OSError as error:
        warnings.warn(f"{folder} cannot be written to, results are not cached: {error}", stacklevel=2)
    return figures


def _add(digest, vectors):
    digest.update(f"{vectors.shape} {vectors.dtype}".encode())
    dense = isinstance(vectors, np.ndarray)
    for part in [vectors] if dense else [vectors.indptr, vectors.indices, vectors.data]:
        digest.update(np.ascontiguousarray(part).tobytes())
