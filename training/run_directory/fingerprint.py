"""Fingerprint of data and their splits, to detect changes since a training began."""

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import write_atomically

FILE = "data_fingerprint.json.gz"
VERSION = 1
WHOLE = 64 * 1024  # bytes; files up to this size are read whole
SAMPLED = 16 * 1024  # bytes read at the beginning, middle and end of larger files
BLOCK = 1024  # number of rows of an array per digest
SPLITS = ("train", "validation", "test")


class DataFingerprint:
    """Digests of the examples, of the splits, and of the names of class numbers.

    Arrays, text and audio in one array are read whole. For files of images and audio, the digest includes
    the relative path, the size and the content: the whole content up to 64 KiB, for larger files 16 KiB at
    the beginning, in the middle and at the end, so that a large folder takes seconds. The location of a
    folder is not included.

    Attributes:
        items: `{name: digest}`: relative paths of files, documents, utterances, or rows of an array.
        splits: digest of the examples, labels and speakers of each split.
        names: digest of the names of classes and speakers, and of the vocabulary.
    """

    def __init__(self, items: dict, splits: dict, names: dict):
        self.items = items
        self.splits = splits
        self.names = names

    @classmethod
    def of(cls, data: Any, source: str | os.PathLike) -> "DataFingerprint":
        """Compute the fingerprint of `ImageData`, `SpeechData`, `SentenceData` or `TableData`."""
        splits = {name: getattr(data, name) for name in SPLITS}
        stores = list({id(split.store): split.store for split in splits.values()}.values())
        items: dict[str, str] = {}
        for number, store in enumerate(stores):
            prefix = f"part {number + 1}, " if len(stores) > 1 and not _paths(store) else ""
            items.update((f"{prefix}{name}", digest) for name, digest in _items(store, Path(source)))
        order = {id(store): number for number, store in enumerate(stores)}
        return cls(
            items,
            {name: _digest(str(order[id(split.store)]), *_parts(split)) for name, split in splits.items()},
            {name: _digest(*map(str, values)) for name, values in _names(data).items()},
        )

    @classmethod
    def load(cls, directory: str | Path) -> "DataFingerprint | None":
        """Load the fingerprint of a run; `None` if there is none or it is of another version."""
        path = Path(directory) / FILE
        try:
            content = json.loads(gzip.decompress(path.read_bytes()))
            if content.pop("version") != VERSION:
                return None
            return cls(**content)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged ({error}): restore it, or remove it.") from None

    def save(self, directory: str | Path) -> Path:
        """Write the fingerprint into a run."""
        content = {"version": VERSION, "items": self.items, "splits": self.splits, "names": self.names}
        return write_atomically(Path(directory) / FILE, gzip.compress(json.dumps(content).encode(), mtime=0))

    @property
    def digest(self) -> str:
        """One digest of all parts."""
        return _digest(json.dumps([self.items, self.splits, self.names], sort_keys=True))

    def differences(self, now: "DataFingerprint") -> str:
        """Describe in words the differences of `now`; empty if equal.

        Example:

        >>> before, now = DataFingerprint({"a": "1", "b": "2"}, {}, {}), DataFingerprint({"a": "3"}, {}, {})
        >>> before.differences(now)
        '1 removed (b), 1 changed (a)'
        """
        kinds = {
            "added": [name for name in now.items if name not in self.items],
            "removed": [name for name in self.items if name not in now.items],
            "changed": [name for name, own in self.items.items() if now.items.get(name, own) != own],
        }
        found = [
            f"{len(names)} {kind} ({'such as ' if len(names) > 1 else ''}{names[0]})"
            for kind, names in kinds.items()
            if names
        ]
        if not found:
            found += [f"other {name}" for name, own in self.names.items() if now.names.get(name) != own]
            parts = [name for name, own in self.splits.items() if now.splits.get(name) != own]
            found += [f"other examples or labels in {', '.join(parts)}"] if parts else []
        return ", ".join(found)


def _names(data):
    """Return the names of the class numbers of the data, `{kind: names}`."""
    vocabulary = getattr(data, "vocabulary", None)
    found = {
        kind: getattr(data, kind, ()) for kind in ("class_names", "labels", "speakers", "phones", "columns")
    }
    found["vocabulary"] = () if vocabulary is None else vocabulary.words
    return {kind.replace("_", " "): names for kind, names in found.items() if len(names)}


def _parts(split):
    """Return the arrays that determine the examples of a split and their annotations."""
    arrays = [split.rows if hasattr(split, "rows") else split.spans]
    arrays += [getattr(split, name, None) for name in ("labels", "label", "speaker")]
    return [np.asarray(array, "int64").tobytes() for array in arrays if array is not None]


def _paths(store):
    """Return the files of a store; `None` if its examples are not files."""
    if getattr(store, "from_files", False):
        return [os.fsdecode(item) for item in store.items]
    return getattr(store, "paths", None)


def _items(store, source) -> Iterator[tuple[str, str]]:
    """Yield name and digest of each item of a store."""
    if (paths := _paths(store)) is not None:
        folder = source if source.is_dir() else source.parent
        for name, path in zip(_names_of_files(paths, folder), paths, strict=True):
            yield name, _file_digest(path)
    elif hasattr(store, "document_bytes"):
        for row, name in enumerate(store.names):
            yield name if len(store.names) > 1 else "the text", _digest(store.document_bytes(row))
    elif hasattr(store, "audio"):
        for row, (start, stop) in enumerate(zip(store.offsets[:-1], store.offsets[1:], strict=True)):
            yield f"utterance {row}", _digest(np.ascontiguousarray(store.audio[start:stop]).tobytes())
    elif hasattr(store, "items"):
        for row, item in enumerate(store.items):
            yield f"image {row}", _digest(item)
    elif isinstance(getattr(store, "array", None), np.ndarray):
        yield from _rows(store.array)
    else:  # computed on request
        yield store.__class__.__name__, _digest(f"{len(store)} {getattr(store, 'image_shape', '')}")


def _names_of_files(paths, folder):
    """Return names of files that do not change when the data are moved.

    Files inside `folder` are named relative to it. A manifest may list absolute paths of files elsewhere,
    which are not moved with it: these are named relative to their common folder, or by their absolute
    paths if other files lie inside `folder`.
    """
    folders = [os.path.abspath(folder), os.path.realpath(folder)]
    full = [os.path.abspath(path) for path in paths]
    inside = [next((root for root in folders if Path(path).is_relative_to(root)), None) for path in full]
    if full and not any(inside):
        inside = [os.path.commonpath([os.path.dirname(path) for path in full])] * len(full)
    return [
        Path(path if root is None else os.path.relpath(path, root)).as_posix()
        for path, root in zip(full, inside, strict=True)
    ]


def _rows(array):
    """Compute digests of the rows of an array, which may be memory-mapped."""
    for start in range(0, len(array), BLOCK):
        block = np.ascontiguousarray(array[start : start + BLOCK])
        name = f"rows {start} to {start + len(block) - 1}"
        yield name, _digest(f"{block.dtype} {block.shape}", block.tobytes())


def _file_digest(path):
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        if size <= WHOLE:
            return _digest(file.read())
        parts = []
        for start in (0, (size - SAMPLED) // 2, size - SAMPLED):
            file.seek(start)
            parts.append(file.read(SAMPLED))
    return _digest(str(size), *parts)


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()
