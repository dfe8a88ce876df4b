"""What one can read of a run: sentences and words with their neighbours."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_ae.files import write_atomically
from keras_ae.pages.tables import Cell, Row, Table

FILE = "reading.json"  # in a run directory


@dataclass(frozen=True)
class SentenceReading:
    """Text of a report.

    Attributes:
        sentences: pairs of a sentence and its neighbours `[(sentence, cosine), ...]`, nearest first.
        words: pairs of a word and its neighbours.
        between: two sentences and what a decoder says on the way from the one to the other.
    """

    sentences: Sequence = field(default_factory=list)
    words: Sequence = field(default_factory=list)
    between: Sequence = field(default_factory=list)


def write_reading(run_directory: str | Path, reading: SentenceReading) -> None:
    """Write `reading.json` in a run."""
    write_atomically(Path(run_directory) / FILE, json.dumps(asdict(reading), indent=1) + "\n")


def read_reading(run_directory: str | Path, problems: list[str]) -> SentenceReading | None:
    """The opposite of `write_reading`; what cannot be read adds a sentence to `problems`."""
    path = Path(run_directory) / FILE
    if not path.is_file():
        return None
    try:
        reading = SentenceReading(**json.loads(path.read_text(encoding="utf-8")))
        reading_view(reading)
        return reading
    except (OSError, ValueError, TypeError, AttributeError) as error:
        problems.append(f"{FILE} cannot be read: {error}.")
        return None


def reading_view(reading: SentenceReading | None) -> dict | None:
    """The text as the template of the report shows it."""
    if reading is None:
        return None
    return {
        "sentences": [{"title": query, "table": _neighbours(near)} for query, near in reading.sentences],
        "words": Table([], [_words(word, near) for word, near in reading.words]),
        "between": [{"first": a, "second": b, "steps": list(steps)} for a, b, steps in reading.between],
    }


def _words(word, near):
    return Row(word, [Cell(", ".join(str(other) for other, _ in near))])


def _neighbours(near):
    return Table([], [Row(f"{cosine:.2f}", [Cell(str(other))]) for other, cosine in near])
