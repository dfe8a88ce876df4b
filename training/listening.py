"""What one can hear of a run: utterances with their players and a picture."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keras_ae.files import write_atomically
from keras_ae.pages.template import data_uri

FOLDER = "listening"  # in a run directory
INDEX = "examples.json"


@dataclass(frozen=True)
class Listening:
    """One utterance of a report.

    Attributes:
        title: one line, such as the speaker and the words.
        recordings: `{what it is: bytes of a WAV file}`, such as `{"original": ...}`, in their order.
        picture: PNG bytes, or `None`.
    """

    title: str
    recordings: dict[str, bytes] = field(default_factory=dict)
    picture: bytes | None = None


def write_listening(run_directory: str | Path, examples: Sequence[Listening]):
    """Write the files of `listening/` in a run: sounds, pictures, and last their index."""
    folder, index = Path(run_directory) / FOLDER, []
    folder.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(examples):
        entry = {"title": example.title, "recordings": {}, "picture": None}
        for place, (label, wav) in enumerate(example.recordings.items()):
            entry["recordings"][label] = f"{number}-{place}.wav"
            write_atomically(folder / f"{number}-{place}.wav", wav)
        if example.picture is not None:
            entry["picture"] = f"{number}.png"
            write_atomically(folder / f"{number}.png", example.picture)
        index.append(entry)
    write_atomically(folder / INDEX, json.dumps(index, indent=2) + "\n")


def read_listening(run_directory: str | Path, problems: list[str]) -> list[Listening]:
    """The opposite of `write_listening`; what cannot be read adds a sentence to `problems`."""
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
    """The examples as the template of the report shows them."""
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
