"""Files of a folder, by the ending of their names."""

import os
from pathlib import Path


def names_ending_in(extensions: tuple[str, ...], folder: Path) -> list[str]:
    """Sorted paths of such files below a folder, relative to it, with `/` between; hidden ones are left out.

    Args:
        extensions: in small letters, such as `(".wav", ".flac")`; capitals in names do not matter.
        folder: where to look.
    """
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(place).relative_to(folder)
        for name in files:
            if name.lower().endswith(extensions) and not name.startswith("."):
                names.append((relative / name).as_posix())
    return sorted(names)
