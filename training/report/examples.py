"""Audio and text examples of a run."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_ae.files import write_atomically
from keras_ae.pages.tables import Cell, Row, Table
from keras_ae.pages.template import data_uri

FOLDER = "listening"  # name of the folder in a run directory
INDEX = "examples.json"


@dataclass(frozen=True)
class Listening:
    """Audio example of a report: one utterance.

    Attributes:
        title: one line, such as the speaker and the words.
        recordings: `{label: bytes of a WAV file}`, such as `{"original": ...}`, in the displayed order.
        picture: PNG bytes, or `None`.
    """

    title: str
    recordings: dict[str, bytes] = field(default_factory=dict)
    picture: bytes | None = None


def write_listening(run_directory: str | Path, examples: Sequence[Listening]) -> None:
    """Write the files of `listening/` in a run: audio, pictures, and finally their index."""
    folder, index = Path(run_directory) / FOLDER, []
    folder.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(examples):
        entry: dict = {"title": example.title, "recordings": {}, "picture": None}
        for place, (label, wav) in enumerate(example.recordings.items()):
            entry["recordings"][label] = f"{number}-{place}.wav"
            write_atomically(folder / f"{number}-{place}.wav", wav)
        if example.picture is not None:
            entry["picture"] = f"{number}.png"
            write_atomically(folder / f"{number}.png", example.picture)
        index.append(entry)
    write_atomically(folder / INDEX, json.dumps(index, indent=2) + "\n")


def read_listening(run_directory: str | Path, problems: list[str]) -> list[Listening]:
    """Read the files of `write_listening`; unreadable files add a sentence to `problems`."""
    folder, examples = Path(run_directory) / FOLDER, []
    if not (folder / INDEX).is_file():
        return []
    try:
        for entry in json.loads((folder / INDEX).read_text(encoding="utf-8")):
            recordings = {name: (folder / file).read_bytes() for name, file in entry["recordings"].items()}
            picture = (folder / entry["picture"]).read_bytes() if entry["picture"] else None
            examples.append(Listening(entry["title"], recordings, picture))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(f"{FOLDER}/ cannot be read whole: {error}.")
    return examples


def listening_view(examples: Sequence[Listening]) -> list[dict]:
    """Return the examples as values for the template of the report."""
    return [
        {
            "title": example.title,
            "players": [
                {"label": label, "source": f"data:audio/wav;base64,{base64.b64encode(wav).decode('ascii')}"}
                for label, wav in example.recordings.items()
            ],
            "picture": None if example.picture is None else data_uri(example.picture),
        }
        for example in examples
    ]


FILE = "reading.json"  # name of the file in a run directory


@dataclass(frozen=True)
class SentenceReading:
    """Text examples of a report.

    Attributes:
        sentences: pairs of a sentence and its neighbours `[(sentence, cosine), ...]`, nearest first.
        words: pairs of a word and its neighbours.
        between: triples of two sentences and the sentences decoded on the path between them.
    """

    sentences: Sequence = field(default_factory=list)
    words: Sequence = field(default_factory=list)
    between: Sequence = field(default_factory=list)


def write_reading(run_directory: str | Path, reading: SentenceReading) -> None:
    """Write `reading.json` in a run."""
    write_atomically(Path(run_directory) / FILE, json.dumps(asdict(reading), indent=1) + "\n")


def read_reading(run_directory: str | Path, problems: list[str]) -> SentenceReading | None:
    """Read the file of `write_reading`; an unreadable file adds a sentence to `problems`."""
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
    """Return the text as values for the template of the report."""
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
