"""Records of measured embeddings, and their files in a directory."""

import json
from dataclasses import dataclass
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.files import write_atomically

JSON, PICTURES = "embedding.json", "embedding"  # in a run directory
SHEET_COLUMNS = 32  # pictures in a row of a sheet
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class EmbeddingRecord:
    """Results in JSON-compatible form, and sheets of pictures as PNG.

    Attributes:
        results: the results, as `embedding_report` returns them.
        pictures: `{name: PNG bytes}`.
    """

    results: dict
    pictures: dict

    def save(self, directory: str | Path) -> Path:
        """Write `embedding/*.png` and then `embedding.json`, which never exists without its pictures."""
        directory = Path(directory)
        for name, png in self.pictures.items():
            write_atomically(directory / PICTURES / f"{name}.png", png)
        return write_atomically(directory / JSON, as_json(self.results))

    @classmethod
    def load(cls, directory: str | Path) -> "EmbeddingRecord":
        """Load the record that `save` wrote to a directory.

        Raises:
            FileNotFoundError: there is no record.
            InputError: the record is damaged.
        """
        directory = Path(directory)
        results = read_results(directory / JSON)
        pictures = {}
        for name in results["pictures"]:
            path = directory / PICTURES / f"{name}.png"
            png = path.read_bytes() if path.is_file() else b""
            if not (png.startswith(PNG_START) and png.endswith(PNG_END)):
                raise InputError(f"{PICTURES}/{name}.png is missing or not a complete PNG file.")
            pictures[name] = png
        return cls(results, pictures)


def as_json(results: dict) -> str:
    """Return results as the JSON text of a file."""
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_results(path: str | Path) -> dict:
    """Read the results from a file that a report wrote.

    Raises:
        FileNotFoundError: the file does not exist.
        InputError: the file is not that of a report, or cannot be read.
    """
    path = Path(path)
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} cannot be read ({error}). Measure the embedding again.") from None
    if not isinstance(results, dict) or not {"format", "encoder", "data", "pairs", "map"} <= set(results):
        raise InputError(f"{path} contains no results of an embedding report.")
    return results
