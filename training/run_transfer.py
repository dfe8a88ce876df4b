"""The vectors of a run of sentences, measured on tasks."""

import json
from collections.abc import Callable
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import current_attempts
from keras_ae.training.recipes import TextRecipe
from keras_ae.training.run_data import load_data_of

ROWS = "transfer"  # begins the name of each attempt to measure a row


def measure_transfer(
    run, folder: str | Path, progress: Callable[[str], None] | None = None, *, data: str | None = None
) -> dict:
    """Measure a run on the tasks in a folder, beside control rows, and keep the figures in it.

    Args:
        run: a `Run` of a `TextRecipe`.
        folder: as of `evaluation.load_sentence_tasks`.
        progress: called with what is measured.
        data: the text of the run where it was moved.

    Returns:
        `{row: {task: figures}}`, also under "transfer" in `metrics.json`.

    Raises:
        InputError: the run is none of sentences; the folder has no tasks; the data of the run are gone.
    """
    recipe = run.recipe()
    if not isinstance(recipe, TextRecipe):
        raise InputError(f"--transfer is for runs of sentences. Received: a run of {recipe.name}")
    tasks = recipe.tasks(folder)
    rows = recipe.transfer_rows(run.load_model(), load_data_of(run, data)[1], tasks, progress)
    path = run.directory / "metrics.json"
    metrics = json.loads(path.read_text()) if path.is_file() else {}
    run.write_json("metrics.json", _with_reasons({**metrics, "transfer": rows}))
    return rows


def _with_reasons(metrics):
    """Figures with the reasons of the rows that were not measured now, in place of those of before."""
    attempts = current_attempts()
    for key in ("failed", "left_out"):
        now = {} if attempts is None else getattr(attempts, key)
        others = {name: why for name, why in metrics.get(key, {}).items() if not name.startswith(ROWS)}
        reasons = {**others, **{name: why for name, why in now.items() if name.startswith(ROWS)}}
        metrics = {name: value for name, value in metrics.items() if name != key}
        metrics |= {key: reasons} if reasons else {}
    return metrics
