"""Results of a measurement that was made before."""

import json
import os
import time
from pathlib import Path

import keras


def kept(path: Path, settings: dict) -> dict | None:
    """The content of the file `path`, if it is there and was measured with these settings."""
    found = json.loads(path.read_text()) if path.exists() else {}
    return found if found.get("settings") == json.loads(json.dumps(settings)) else None


def cached(path: Path, settings: dict, function) -> dict:
    """What `function` returns, with its minutes, from the file `path` if it is there with these settings."""
    found = kept(path, settings)
    if found is not None:
        return found
    if path.exists():
        print(f"{path.stem}: measured anew, with other settings than before", flush=True)
    begun = time.process_time()
    found = function()
    found |= {"minutes": (time.process_time() - begun) / 60, "settings": settings}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found))
    os.replace(part, path)
    print(path.stem, json.dumps(found), flush=True)
    keras.backend.clear_session()
    return found
