"""Files that are either whole or absent."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: str | Path, content: bytes | str) -> Path:
    """Write `content` to `path` by rename of a finished sibling; folders are made as needed.

    A reader, or a run killed half-way, sees the old file or the new one, never a part.

    Args:
        path: the file.
        content: bytes, or text that is written as UTF-8.

    Returns:
        `path` as a `Path`.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_atomically(f"{folder}/notes/a.txt", "done").read_text()
    'done'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _umask() -> int:
    """The umask of the process; `mkstemp` makes files that only their owner reads."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
