"""Sentences that are found once and kept."""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from keras_ae.files import named_errors
from keras_ae.training.datasets.sentence_store import SentenceStore, write_sentences
from keras_ae.training.datasets.text_document import TextDocument
from keras_ae.training.datasets.user_cache import cache_folder

VERSION = 2  # of the files of a store


def cached_sentences(about: dict, documents: Callable[[], Iterable[TextDocument]]) -> SentenceStore:
    """The store of these documents, from the cache where it is there.

    Args:
        about: all that the sentences depend on; JSON takes it.
        documents: called if the store has to be written.

    Raises:
        InputError: there are no sentences.
    """
    key = hashlib.sha256(json.dumps([VERSION, about], sort_keys=True).encode()).hexdigest()[:24]
    target = cache_folder() / "text" / key
    if not target.is_dir():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=target.parent, suffix=".part"))
        except OSError as error:
            warnings.warn(
                f"{target.parent} cannot be written to, sentences are not kept: {error}", stacklevel=2
            )
            return _temporary(documents)
        try:
            with named_errors(target):
                write_sentences(documents(), temporary)
                os.rename(temporary, target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return SentenceStore(target)


def _temporary(documents):
    folder = tempfile.TemporaryDirectory(prefix="keras_ae")
    write_sentences(documents(), Path(folder.name))
    store = SentenceStore(Path(folder.name))
    store.folder = folder  # lives as long as the store
    return store
