"""Commands that train: `demo`, `recipes` and `train`."""

import contextlib
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import subcommand

from keras_ae.training.command_line.encoding import FORMATS, export_run
from keras_ae.training.command_line.parsing import Command, FileOption, RunOption, given_names
from keras_ae.training.recipes import RECIPES, Recipe, VqVaeRecipe

DemoBudget = Literal["quick", "full", "nothing"]
if TYPE_CHECKING:
    AnyRecipe = Recipe
else:
    AnyRecipe = reduce(or_, [Annotated[recipe, subcommand(name)] for name, recipe in RECIPES.items()])


def demo_command(runs: Path = Path("runs"), embedding: DemoBudget = "quick") -> int:
    """Train the VQ-VAE on handwritten digits, measure its embedding, export both formats, and verify.

    Args:
        runs: Folder in which the run directory is created.
        embedding: Budget of the measurement of the embedding: quick, full or nothing.
    """
    return demo(runs, embedding)


def recipes_command() -> int:
    """List the recipes."""
    width = max(map(len, RECIPES))
    for name, recipe in RECIPES.items():
        print(f"{name:<{width}}  {recipe.summary}")
    print("\nTheir settings: keras-ae train RECIPE --help")
    return 0


def train_command(
    recipe: AnyRecipe,
    runs: Path = Path("runs"),
    resume: RunOption = None,
    init_from: RunOption = None,
    config: FileOption = None,
) -> int:
    """Train a recipe and write a run directory with model, metrics, pictures and report.

    Args:
        recipe: Recipe to train.
        runs: Folder in which the run directory is created.
        resume: Run directory of a stopped training, which continues exactly where it stopped, or of a
            finished training, which continues up to a larger --epochs. If the data were moved, pass
            --data.
        init_from: Run directory or .keras file of the same kind of model, whose weights are the initial
            weights of a new run.
        config: Settings of the training: the config.json of a run, which is repeated, or another JSON file.
            Options that are given as well replace those of the file.
    """
    del config  # its settings are among the arguments, see `with_config`
    from keras_ae.training.report.summary import failed_measurements, print_metrics
    from keras_ae.training.run import train

    run = train(recipe, runs=runs, resume=resume, init_from=init_from, given=given_names())
    print_metrics(run)
    print(f"report: {run.directory / 'report.html'}")
    return 1 if failed_measurements(run) else 0


COMMANDS = {
    "demo": Command(demo_command),
    "recipes": Command(recipes_command, light=True),
    "train": Command(train_command),
}


def demo(runs: str | Path, embedding: DemoBudget = "quick") -> int:
    """Train on digits, measure the embedding, and export a verified SavedModel and ONNX files."""
    from keras_ae.training.commands.report import report
    from keras_ae.training.report.summary import failed_measurements, print_metrics
    from keras_ae.training.run import train

    run = train(VqVaeRecipe(), runs=runs)
    print_metrics(run)
    measured = failed_measurements(run)
    with _kept(run):
        if embedding != "nothing":
            measured |= report(run.directory, budget=embedding)[1]
        export_run(run, FORMATS)
    print(f"\nreport       {run.directory / 'report.html'}")
    print(f"SavedModel   {run.directory / 'export' / 'saved_model'}")
    print(f"ONNX         {run.directory / 'export' / 'onnx'}")
    print(f"encode your own images: keras-ae encode {run.directory} IMAGES codes.npz --resize --channels 1")
    return 1 if measured else 0


@contextlib.contextmanager
def _kept(run: Any) -> Iterator[None]:
    """State that the trained run is kept if the rest of the demo is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped. The trained run is kept. Continue with: keras-ae report {run.directory}, "
            f"keras-ae export {run.directory}"
        ) from None
