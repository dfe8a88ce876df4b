"""Run directories and training: from the settings to the report."""

import contextlib
import itertools
import json
import platform
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.framework import config  # TensorFlow has no public function to disable determinism

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import LOG, attempt, recorded
from keras_ae.files import output_paths, write_atomically
from keras_ae.models.preprocessing import Preprocessing, preprocessing_of
from keras_ae.progress import shown
from keras_ae.training.callbacks import BestModel, EpochProgress, RunState, TrainingFacts
from keras_ae.training.callbacks.training_facts import FILE as FACTS
from keras_ae.training.recipes import RECIPES, Recipe
from keras_ae.training.recipes.option_names import errors_in_options
from keras_ae.training.report.page import write_report
from keras_ae.training.report.summary import failed_measurements
from keras_ae.training.run_directory.base_model import trained_base, untrained_base, with_data_of_base
from keras_ae.training.run_directory.checkpoint import Checkpoint
from keras_ae.training.run_directory.data import check_same_data, place_of_data, with_existing_data
from keras_ae.training.run_directory.fingerprint import DataFingerprint
from keras_ae.training.run_directory.initial_weights import start_from
from keras_ae.training.run_directory.lock import RunLock
from keras_ae.training.run_directory.resuming import resume_command, resumed_recipe, stopped, unfinished


@dataclass(frozen=True)
class Run:
    """Directory of one training.

    ```
    config.json      recipe, settings, data, versions, command
    data_fingerprint.json.gz   fingerprint of the data and their splits, compared by `resume`
    training.lock    exists while a process writes the run
    checkpoint.npz   checkpoint from which `resume` continues
    model.keras      the model of the best validation epoch
    metrics.json     results on the held-out test data
    history.csv      losses, metrics and learning rates of every epoch
    training.json    numbers of parameters, duration, machine
    figures/         pictures;  logs/ for TensorBoard;  report.html
    listening/       audio of utterances;  reading.json  sentences with their neighbours
    embedding.json   results of `keras-ae report` on the embedding;  embedding/ its pictures
    failed_measurement.txt   tracebacks of measurements that failed; the run is kept
    ```
    """

    directory: Path

    @classmethod
    def create(cls, recipe: Recipe, runs: str | Path = "runs") -> "Run":
        """Create a new directory `runs/<recipe>/<time>` for `recipe`."""
        folder, started = Path(runs) / recipe.name, time.strftime("%Y%m%d-%H%M%S")
        with _making(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                directory = folder / (started if number == 1 else f"{started}-{number}")
                with contextlib.suppress(FileExistsError):  # another training started in the same second
                    directory.mkdir()
                    break
        return cls.at(directory)

    @classmethod
    def at(cls, directory: Path) -> "Run":
        """Return the run in `directory`, which is created if it does not exist."""
        with _making(directory):
            (directory / "figures").mkdir(parents=True, exist_ok=True)
        return cls(directory)

    @classmethod
    def open(cls, directory: str | Path) -> "Run":
        """Open an existing run directory."""
        directory = Path(directory)
        if not (directory / "config.json").is_file():
            raise InputError(
                f"{directory} is not a run directory: it has no config.json. "
                "Pass the path that `keras-ae train` printed, such as runs/vqvae/20260101-120000."
            )
        return cls(directory)

    @property
    def config(self) -> dict:
        """Content of `config.json`."""
        path = self.directory / "config.json"
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}): the run cannot be read.") from None

    def recipe(self) -> Recipe:
        """Return the recipe with the settings of this run."""
        config = self.config
        if config.get("recipe") not in RECIPES:
            raise InputError(
                f"{self.directory} was made by the recipe {config.get('recipe')!r}, which this version "
                f"does not contain: its recipes are {', '.join(RECIPES)}."
            )
        return RECIPES[config["recipe"]].from_settings(config["settings"])

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained and the model is evaluated."""
        return self.config.get("finished", (self.directory / "metrics.json").is_file())

    def last_epoch(self, epochs: int) -> int:
        """Return the epoch after which a callback has stopped the training, or `epochs` if none has."""
        return self.config.get("stopped_after", epochs)

    def load_model(self) -> keras.Model:
        """Load the model of the best validation epoch, with the preprocessing of the run's data.

        If the training is not finished, a line says that later epochs may give a better model.
        """
        model = load_model(self.directory / "model.keras")
        described = Preprocessing.of(self.recipe().preprocessing(self.config.get("data", {})))
        if described is not None:  # models of older versions do not contain it
            own = preprocessing_of(model)
            model.preprocessing = described if own is None else own.filled_from(described)
        if not self.finished:
            held = RunLock.holder(self.directory) is not None
            advice = "" if held else f" Finish it with: {resume_command(self)}"
            state = "still running" if held else "not finished"
            print(
                f"The training of {self.directory} is {state}: its best model so far is used.{advice}",
                flush=True,
            )
        return model

    def write_json(self, name: str, content: dict) -> None:
        """Write `content` to the file `name` of the directory."""
        write_atomically(self.directory / name, json.dumps(content, indent=2) + "\n")


@contextlib.contextmanager
def _making(directory):
    try:
        yield
    except OSError as error:
        raise InputError(
            f"The run directory {directory} cannot be created ({error.strerror}): choose another with --runs."
        ) from None


def load_model(path: str | Path) -> keras.Model:
    """Load a model like `keras.saving.load_model`, with a one-line error for missing or damaged files."""
    path = Path(path)
    if not path.is_file() and path.name == "model.keras" and (path.parent / "config.json").is_file():
        raise InputError(unfinished(Run(path.parent)))
    if not path.is_file():
        raise InputError(
            f"{path} does not exist. Pass the path of a model saved by Keras, such as model.keras."
        )
    try:
        return keras.saving.load_model(path)
    except Exception as error:
        raise InputError(f"{path} is not a readable Keras model: it is damaged or cut short.") from error


def train(
    recipe: Recipe,
    *,
    runs: str | Path = "runs",
    resume: str | Path | None = None,
    init_from: str | Path | None = None,
    given: Collection[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: bool = True,
) -> Run:
    """Train `recipe` in a new run directory, or continue the run `resume`.

    The best model is evaluated on the test data, and the report is written. A killed
    training that is resumed ends with the weights of an uninterrupted one.

    A resumed run keeps its settings, with two exceptions. `data` may give a new location of the same data,
    which are compared with those of the training. A larger `epochs` continues a stopped or finished run:
    from the epoch that the run has reached, the learning rate and all other schedules are those of the
    larger number of epochs. The learning rate of a finished run, which is 0, therefore rises
    again. Everything that does not follow such a schedule continues bit for bit.

    Args:
        recipe: a recipe with its settings.
        runs: folder in which new run directories are created.
        resume: an existing run directory of the same recipe.
        init_from: run directory or `.keras` file of the same kind of model: a new run starts with
            its weights. Schedules and optimiser start as in any new run.
        given: names of the settings of `recipe` that the user gave, for `resume`; `None`: those that differ
            from the defaults.
        callbacks: further callbacks of Keras, such as `EarlyStopping` or those of an experiment tracker.
            Their state is not part of the checkpoints. A training that they stop is measured and finished.
        verbose: whether to show progress and results.

    Returns:
        the `Run`.

    Raises:
        InputError: data, directory or run cannot be used; another process writes the run; the data are
            not those with which the run started.
        KeyboardInterrupt: the training is interrupted; the message states what is kept and how to continue.
    """
    if resume is None:
        recipe = with_data_of_base(recipe, Run.open)
        _check_place(runs, recipe)
        return _train(recipe, None, lambda: Run.create(recipe, runs), verbose, init_from, callbacks)
    if init_from is not None:
        raise InputError(
            "--init-from and --resume must not be combined: --init-from starts a new run, --resume "
            "continues one. Leave one of them out."
        )
    run = Run.open(resume)
    recipe = resumed_recipe(run, recipe, given)
    measured = (run.directory / "metrics.json").is_file() and not failed_measurements(run)
    if run.finished and measured and recipe.epochs == run.recipe().epochs:
        if recipe.data != run.recipe().data:
            _keep_place_of_data(run, recipe)
        print(
            f"{run.directory} is finished: {_epochs_trained(run, recipe)} epochs are trained and measured. "
            "Nothing is trained; a larger --epochs continues it. Its report is written again."
        )
        write_report(run.directory)
        return run
    return _train(recipe, run, None, verbose, None, callbacks)


def _epochs_trained(run, recipe):
    """Return the number of epochs in words; a callback of the user may have stopped the training."""
    stopped_after = run.config.get("stopped_after")
    return f"all its {recipe.epochs}" if stopped_after is None else f"{stopped_after} of {recipe.epochs}"


def _keep_place_of_data(run, recipe):
    """Record the new location of the data of a finished run; raise an error for other data."""
    with RunLock(run.directory):
        check_same_data(run, DataFingerprint.of(recipe.load_data(), recipe.data))
        place = {"settings": recipe.settings(), "data_path": place_of_data(recipe)}
        run.write_json("config.json", {**run.config, **place})


def _check_place(runs, recipe):
    """Raise an error if the run would lie in the folder of its data, where its files would be read."""
    if Path(recipe.data).is_dir():
        try:
            output_paths([Path(runs) / recipe.name / "run"], inputs=[recipe.data])
        except InputError as error:
            raise InputError(f"{error} Pass it with --runs.") from None


def _train(recipe, run, create, verbose, init_from, callbacks):
    """Train in `create()`, or continue `run`; the message of an interruption states what is kept."""
    with contextlib.ExitStack() as held:
        made = [] if run is None else [run]
        try:
            return _trained(recipe, made, create, verbose, init_from, held, callbacks)
        except OSError as error:
            if not made or error.filename is None:
                raise
            raise InputError(
                f"{error.filename}: {error.strerror}. The training has stopped. Once this is solved, "
                f"continue with: {resume_command(made[0])}"
            ) from error
        except KeyboardInterrupt:
            line = (
                stopped(made[0], recipe.epochs)
                if made
                else "stopped before the training. Nothing was written."
            )
            raise KeyboardInterrupt(line) from None


def _trained(recipe, made, create, verbose, init_from, held, callbacks=()):
    """Train as `_train`; append the run to `made` when it is created, and enter its lock into `held`."""
    run = made[0] if made else None
    if run is not None:
        held.enter_context(RunLock(run.directory))
        init_from = run.config.get("init_from")
        recipe = with_existing_data(run, recipe)
    with errors_in_options(*recipe.settings()):
        data = recipe.load_data()
    fingerprint = DataFingerprint.of(data, recipe.data)
    if run is not None:
        check_same_data(run, fingerprint)
    restored = _checkpoint(run, recipe) if run else None
    start = init_from if restored is None else None
    stream = recipe.training_batches(data)
    with _dtype_policy(recipe.dtype_policy):
        base = untrained_base(recipe, data, stream.steps_per_epoch, load_model)
        model = _build(recipe, data, stream.steps_per_epoch, base, start)
        if run is None:  # after the build: invalid settings leave no directory
            run = create()
            made.append(run)
            held.enter_context(RunLock(run.directory))
            run.write_json("config.json", _config(recipe, data, fingerprint, init_from))
        elif recipe.settings() != run.config["settings"]:
            run.write_json("config.json", _continued(run, recipe, restored))
        fingerprint.save(run.directory)
        if base is not None:
            base = trained_base(recipe, run.directory, _trainer(verbose), load_model)
            model = _build(recipe, data, stream.steps_per_epoch, base, start)
        if verbose:
            count = f"{len(data.train)} training {recipe.examples}"
            print(f"{recipe.name}: {data.name}, {count}; run {run.directory}{_where(restored, recipe)}")
        _fit_and_measure(run, model, recipe, data, stream, restored, verbose, callbacks)
    return run


@contextlib.contextmanager
def _dtype_policy(policy):
    """Set Keras' global dtype policy within the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _fit_and_measure(run, model, recipe, data, stream, restored, verbose, own):
    """Train the model, evaluate it on the test examples, and write the results."""
    with _measurements(run, verbose) as (attempts, progress):
        with deterministic_ops():
            _fit(run, model, recipe, data, stream, restored, verbose, own)
            attempts.progress = progress
            metrics = attempt("the test", recipe.measure, model, data, default={"test": {}})
        _write_results(run, metrics, attempts)


@contextlib.contextmanager
def _measurements(run, verbose):
    """Keep the run if a measurement or a picture fails; write the tracebacks to a file of the run."""
    log = run.directory / LOG
    log.unlink(missing_ok=True)
    with shown(None, verbose) as progress, recorded(log) as attempts:
        yield attempts, progress


def _write_results(run, metrics, attempts):
    """Write `metrics.json`, with the measurements that failed, and the report."""
    run.write_json("metrics.json", {**metrics, **attempts.as_record()})
    run.write_json("config.json", {**run.config, "finished": True})
    attempt("the report", write_report, run.directory)
    if "the report" in attempts.left_out:  # the page cannot be written
        attempts.failed["the report"] = attempts.left_out.pop("the report")
    if "the report" in attempts.failed:
        run.write_json("metrics.json", {**metrics, **attempts.as_record()})


def _where(restored, recipe):
    """Describe the epoch from which a resumed training continues."""
    if restored is None:
        return ""
    return f", continued after {restored.state['epoch']} of {recipe.epochs} epochs"


def _trainer(verbose):
    """Return a function that trains a recipe in a folder inside a run, or continues the training there.

    Interruptions are reported by the training of the outer run, which is the one to resume.
    """

    def train_in(recipe, folder):
        begun = Run.open(folder) if (folder / "checkpoint.npz").is_file() else None
        with contextlib.ExitStack() as held:
            made = [] if begun is None else [begun]
            return _trained(recipe, made, lambda: Run.at(folder), verbose, None, held)

    return train_in


def _checkpoint(run, recipe):
    """Return the checkpoint of a run; `None` if it was stopped before its first one and starts again."""
    path = run.directory / "checkpoint.npz"
    if path.is_file():
        return Checkpoint(path)
    if recipe.builds_on() is None:
        print(f"{run.directory} was stopped before its first checkpoint: its training begins.")
    return None


def _build(recipe, data, steps_per_epoch, base, init_from):
    """Build the model of the settings, with the weights of `init_from` unless that is `None`."""
    try:
        model = recipe.build(data, steps_per_epoch, base)
    except ValueError as error:
        reason = recipe.in_options(" ".join(str(error).split()))
        raise InputError(
            f"These settings do not give a valid model for {recipe.describe(data)}: {reason}"
        ) from error
    if init_from is not None:
        start_from(model, init_from, load_model)
    return model


def _fit(run, model, recipe, data, stream, restored, verbose, own):
    """Train the model; `own` are callbacks of the user."""
    callbacks = _callbacks(run, model, recipe, data)
    state = RunState(run.directory / "checkpoint.npz", stream, callbacks, restored)
    progress = [_progress(recipe, data, stream)] if verbose else []
    first_epoch = restored.state["epoch"] if restored else 0
    if restored and first_epoch >= run.last_epoch(recipe.epochs):  # only the measurement is repeated
        restored.restore_model(model)
        first_epoch = recipe.epochs
    with contextlib.ExitStack() as shown_lines:
        for line in progress:
            shown_lines.callback(line.close)
        model.fit(
            stream.dataset,
            epochs=recipe.epochs,
            initial_epoch=first_epoch,
            validation_data=recipe.validation_batches(data),
            callbacks=[*callbacks, *own, state, *progress],
            shuffle=False,
            verbose=0,
        )
    best = callbacks[0]
    if not best.best_weights:
        raise InputError(
            f"The training diverged: {best.monitor or 'loss'} was never finite. Lower --learning-rate "
            f"(it was {recipe.learning_rate}). The history is in {run.directory}."
        )
    model.set_weights(best.best_weights)  # those of model.keras: a callback of the user may have set others
    config = {name: value for name, value in run.config.items() if name != "stopped_after"}
    if state.rows and len(state.rows) < recipe.epochs:
        config["stopped_after"] = len(state.rows)
    if config != run.config:
        run.write_json("config.json", config)


def _progress(recipe, data, stream):
    amount, unit = recipe.amount_of_epoch(data)
    steps, first_step = stream.steps_per_epoch, lambda: stream.start_step
    return EpochProgress(recipe.epochs, steps, amount=amount, unit=unit, first_step=first_step)


def _callbacks(run, model, recipe, data):
    return [
        BestModel(run.directory / "model.keras", monitor=recipe.monitor),
        keras.callbacks.TensorBoard(log_dir=str(run.directory / "logs"), write_graph=False),
        keras.callbacks.TerminateOnNaN(),
        TrainingFacts(run.directory / FACTS),
        *recipe.pictures(model, data, run.directory),
    ]


def _continued(run, recipe, restored):
    """Return the configuration of a run whose data were moved or whose number of epochs was increased."""
    config, epochs = run.config, run.recipe().epochs
    config |= {"settings": recipe.settings(), "data_path": place_of_data(recipe), "finished": False}
    if recipe.epochs != epochs:
        config.pop("stopped_after", None)
        done = restored.state["epoch"] if restored else 0
        step = {"after": done, "planned": epochs, "epochs": recipe.epochs}
        config["continued"] = [*config.get("continued", []), step]
    return config


def _config(recipe, data, fingerprint, init_from):
    packages = ("keras-ae", "keras", "tensorflow", "numpy")
    return {
        "recipe": recipe.name,
        "settings": recipe.settings(),
        "data": data.description,
        "data_path": place_of_data(recipe),
        "fingerprint": fingerprint.digest,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "command": " ".join(["keras-ae", *sys.argv[1:]]) if "keras-ae" in sys.argv[0] else None,
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
        **({} if init_from is None else {"init_from": str(Path(init_from).absolute())}),
        "finished": False,
    }


@contextmanager
def deterministic_ops() -> Iterator[None]:
    """Enable TensorFlow's deterministic kernels within the `with` block, then restore the previous setting.

    Otherwise a process that has trained a run would remain slower, and Keras would ignore
    `jit_compile=True`.
    """
    before = config.is_op_determinism_enabled()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            config.disable_op_determinism()
