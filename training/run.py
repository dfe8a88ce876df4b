"""A run directory: one training from its settings to its report."""

import contextlib
import itertools
import json
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import keras

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import LOG, attempt, recorded
from keras_ae.evaluation.progress_line import shown
from keras_ae.files import output_paths, write_atomically
from keras_ae.training.base_model import trained_base, untrained_base, with_data_of_base
from keras_ae.training.callbacks import BestModel, EpochProgress, RunState
from keras_ae.training.checkpoint import Checkpoint
from keras_ae.training.determinism import deterministic_ops
from keras_ae.training.recipes import RECIPES, Recipe
from keras_ae.training.report import write_report


@dataclass(frozen=True)
class Run:
    """The directory of one training.

    ```
    config.json      recipe, settings, data, versions, command
    checkpoint.npz   from which `resume` goes on
    model.keras      the weights of the best validation epoch
    metrics.json     measured on the held-out test images
    history.csv      every epoch's losses and metrics
    figures/         pictures;  logs/ for TensorBoard;  report.html
    listening/       utterances to hear;  reading.json  sentences with their neighbours
    embedding.json   what `keras-ae report` measured of the embedding;  embedding/ its pictures
    failed_measurement.txt   tracebacks of measurements that failed; the run is kept
    ```
    """

    directory: Path

    @classmethod
    def create(cls, recipe: Recipe, runs: str | Path = "runs") -> "Run":
        """A new directory `runs/<recipe>/<time>` for `recipe`."""
        folder, started = Path(runs) / recipe.name, time.strftime("%Y%m%d-%H%M%S")
        with _making(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                directory = folder / (started if number == 1 else f"{started}-{number}")
                with contextlib.suppress(FileExistsError):  # of another training of this second
                    directory.mkdir()
                    return cls.at(directory)

    @classmethod
    def at(cls, directory: Path) -> "Run":
        """The directory, made if it is not there."""
        with _making(directory):
            (directory / "figures").mkdir(parents=True, exist_ok=True)
        return cls(directory)

    @classmethod
    def open(cls, directory: str | Path) -> "Run":
        """An existing run directory."""
        directory = Path(directory)
        if not (directory / "config.json").is_file():
            raise InputError(
                f"{directory} is not a run directory: it has no config.json. "
                "Give the path that `keras-ae train` printed, such as runs/vqvae/20260101-120000."
            )
        return cls(directory)

    @property
    def config(self) -> dict:
        """What `config.json` says."""
        path = self.directory / "config.json"
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}): the run cannot be read.") from None

    def recipe(self) -> Recipe:
        """The recipe with the settings of this run."""
        config = self.config
        if config.get("recipe") not in RECIPES:
            raise InputError(
                f"{self.directory} was made by the recipe {config.get('recipe')!r}, which this version "
                f"does not have: it has {', '.join(RECIPES)}."
            )
        return RECIPES[config["recipe"]].from_settings(config["settings"])

    def load_model(self) -> keras.Model:
        """The model of the best validation epoch."""
        return load_model(self.directory / "model.keras")

    def write_json(self, name, content):
        """Write `content` to the file `name` of the directory."""
        write_atomically(self.directory / name, json.dumps(content, indent=2) + "\n")


@contextlib.contextmanager
def _making(directory):
    try:
        yield
    except OSError as error:
        raise InputError(
            f"The run directory {directory} cannot be made ({error.strerror}): choose another with --runs."
        ) from None


def load_model(path) -> keras.Model:
    """`keras.saving.load_model`, with one clear line for a missing or damaged file."""
    if not Path(path).is_file():
        raise InputError(f"{path} does not exist: expected a model saved by Keras, such as model.keras.")
    try:
        return keras.saving.load_model(path)
    except Exception as error:
        raise InputError(f"{path} is not a readable Keras model: it is damaged or cut short.") from error


def train(
    recipe: Recipe,
    *,
    runs: str | Path = "runs",
    resume: str | Path | None = None,
    verbose: bool = True,
) -> Run:
    """Train `recipe` in a new run directory, or go on with the run `resume`.

    Measures the best model on the test images, and writes the report. A killed
    training that is resumed ends with the weights of an uninterrupted one.

    Args:
        recipe: a recipe with its settings.
        runs: where new run directories are made.
        resume: an existing run directory of the same recipe.
        verbose: whether to show progress and results.

    Returns:
        the `Run`.

    Raises:
        InputError: data, directory or run cannot be used.
    """
    run = _resumed(recipe, resume) if resume else None
    recipe = run.recipe() if run else with_data_of_base(recipe, Run.open)
    if run is None:
        _check_place(runs, recipe)
    return _train(recipe, run, lambda: Run.create(recipe, runs), verbose)


def _check_place(runs, recipe):
    """Refuse to write pictures and sounds of a run into the folder of its data, where they would be read."""
    if Path(recipe.data).is_dir():
        try:
            output_paths([Path(runs) / recipe.name / "run"], inputs=[recipe.data])
        except InputError as error:
            raise InputError(f"{error} Give it with --runs.") from None


def _train(recipe, run, create, verbose):
    """Train in `create()`, or go on with `run`."""
    data = recipe.load_data()
    restored = _checkpoint(run, recipe) if run else None
    stream = recipe.training_batches(data)
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(recipe.dtype_policy)
        base = untrained_base(recipe, data, stream.steps_per_epoch, load_model)
        model = _build(recipe, data, stream.steps_per_epoch, base)
        if run is None:  # only now: settings that make no model leave no directory
            run = create()
            run.write_json("config.json", _config(recipe, data))
        if base is not None:
            base = trained_base(recipe, run.directory, _trainer(verbose), load_model)
            model = _build(recipe, data, stream.steps_per_epoch, base)
        if verbose:
            count = f"{len(data.train)} training {recipe.examples}"
            print(f"{recipe.name}: {data.name}, {count}; run {run.directory}")
        with _measurements(run, verbose) as (attempts, progress):
            with deterministic_ops():
                _fit(run, model, recipe, data, stream, restored, verbose)
                attempts.progress = progress
                metrics = attempt("the test", recipe.measure, model, data, default={"test": {}})
            _write_results(run, metrics, attempts)
    finally:
        keras.config.set_dtype_policy(policy)
    return run


@contextlib.contextmanager
def _measurements(run, verbose):
    """Keep the run whatever cannot be measured or drawn; tracebacks go to a file of it."""
    log = run.directory / LOG
    log.unlink(missing_ok=True)
    with shown(None, verbose) as progress, recorded(log) as attempts:
        yield attempts, progress


def _write_results(run, metrics, attempts):
    """Write `metrics.json`, with what could not be measured, and the report."""
    run.write_json("metrics.json", {**metrics, **attempts.figures()})
    attempt("the report", write_report, run.directory)
    if "the report" in attempts.left_out:  # no page can be written at all
        attempts.failed["the report"] = attempts.left_out.pop("the report")
    if "the report" in attempts.failed:
        run.write_json("metrics.json", {**metrics, **attempts.figures()})


def _trainer(verbose):
    """Trains a recipe in a folder inside of a run, or goes on with what is there."""

    def train_in(recipe, folder):
        begun = Run.open(folder) if (folder / "checkpoint.npz").is_file() else None
        return _train(recipe, begun, lambda: Run.at(folder), verbose)

    return train_in


def _checkpoint(run, recipe):
    path = run.directory / "checkpoint.npz"
    if recipe.builds_on() is not None and not path.is_file():
        return None  # stopped before its own training began
    return Checkpoint(path)


def _build(recipe, data, steps_per_epoch, base):
    try:
        return recipe.build(data, steps_per_epoch, base)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"The settings make no model of {recipe.describe(data)}: {reason}") from error


def _fit(run, model, recipe, data, stream, restored, verbose):
    callbacks = _callbacks(run, model, recipe, data)
    state = RunState(run.directory / "checkpoint.npz", stream, callbacks, restored)
    progress = [EpochProgress(recipe.epochs, stream.steps_per_epoch)] if verbose else []
    first_epoch = restored.state["epoch"] if restored else 0
    if restored and first_epoch >= recipe.epochs:
        restored.restore_model(model)
    model.fit(
        stream.dataset,
        epochs=recipe.epochs,
        initial_epoch=first_epoch,
        validation_data=recipe.validation_batches(data),
        callbacks=[*callbacks, state, *progress],
        shuffle=False,
        verbose=0,
    )
    best = callbacks[0]
    if not best.best_weights:
        raise InputError(
            f"The training diverged: {best.monitor or 'loss'} was never a number. Lower --learning-rate "
            f"(it was {recipe.learning_rate}). The history is in {run.directory}."
        )


def _callbacks(run, model, recipe, data):
    return [
        BestModel(run.directory / "model.keras", monitor=recipe.monitor),
        keras.callbacks.TensorBoard(log_dir=str(run.directory / "logs"), write_graph=False),
        keras.callbacks.TerminateOnNaN(),
        *recipe.pictures(model, data, run.directory),
    ]


def _resumed(recipe, directory):
    run = Run.open(directory)
    saved = run.recipe()
    if saved.name != recipe.name:
        raise InputError(f"{directory} was made by the recipe {saved.name}. Received: {recipe.name}")
    fresh = type(recipe)()
    changed = [
        name.replace("_", "-")
        for name, value in recipe.settings().items()
        if value != getattr(fresh, name) and value != getattr(saved, name)
    ]
    if changed:
        raise InputError(
            f"A resumed run keeps its settings; leave out --{', --'.join(changed)}, or start a new run."
        )
    return run


def _config(recipe, data):
    packages = ("keras-ae", "keras", "tensorflow", "numpy")
    return {
        "recipe": recipe.name,
        "settings": recipe.settings(),
        "data": data.description,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "command": " ".join(["keras-ae", *sys.argv[1:]]) if "keras-ae" in sys.argv[0] else None,
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
