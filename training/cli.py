"""The command line: a thin door to `keras_ae.training` and `keras_ae.export`."""

import sys
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Literal

from keras_ae.errors import InputError
from keras_ae.optional import require
from keras_ae.training.recipes import RECIPES, VqVaeRecipe


def main(arguments: list[str] | None = None) -> int:
    """Run `keras-ae ARGUMENTS`; 0 on success, 2 with one line for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        tyro = require("tyro", extra="training")
        _check_recipe(arguments)
        return tyro.extras.subcommand_cli_from_dict(
            _verbs(tyro),
            prog="keras-ae",
            description="Auto-encoders beyond reconstruction: train, measure, export, encode.",
            args=arguments or ["--help"],
            config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.CascadeSubcommandArgs),
        )
    except (InputError, ImportError) as error:
        return _complain(error)
    except OSError as error:
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return _complain("stopped. Go on with: keras-ae train RECIPE --resume RUN", code=130)


def _verbs(tyro):
    recipes = [Annotated[recipe, tyro.conf.subcommand(name)] for name, recipe in RECIPES.items()]
    any_recipe = reduce(or_, recipes)
    path = tyro.conf.Positional[Path]

    def recipes_() -> int:
        """List the recipes."""
        width = max(map(len, RECIPES))
        for name, recipe in RECIPES.items():
            print(f"{name:<{width}}  {recipe.summary}")
        print("\nTheir settings: keras-ae train RECIPE --help")
        return 0

    def train_(recipe: any_recipe, runs: Path = Path("runs"), resume: Path | None = None) -> int:
        """Train a recipe; a run directory with model, metrics, pictures and report comes out.

        Args:
            recipe: what to train.
            runs: where the run directory is made.
            resume: run directory of a training that was stopped, to go on exactly there.
        """
        from keras_ae.training.run import train

        run = train(recipe, runs=runs, resume=resume)
        print_metrics(run)
        print(f"report: {run.directory / 'report.html'}")
        return 0

    def report_(run: path) -> int:
        """Write the report of a run anew.

        Args:
            run: a run directory.
        """
        from keras_ae.training.report import write_report
        from keras_ae.training.run import Run

        print(write_report(Run.open(run).directory))
        return 0

    def export_(run: path, to: tuple[Literal["saved-model", "onnx"], ...] = ("saved-model", "onnx")) -> int:
        """Export a run, each file verified against the model in a fresh process.

        Args:
            run: a run directory.
            to: the formats.
        """
        from keras_ae.training.report import write_report
        from keras_ae.training.run import Run

        run = Run.open(run)
        export_run(run, to)
        write_report(run.directory)
        return 0

    def encode_(run: path, source: path, output: path, shard: str = "0/1", batch_size: int = 256) -> int:
        """Encode images to an .npz file of codes, embeddings and names.

        Args:
            run: a run directory, or an exported SavedModel or ONNX file alone.
            source: a folder of images, an .npz file, MNIST idx files, or "digits".
            output: the .npz file.
            shard: i/n takes the images i, i + n, i + 2n, ... for work on n machines.
            batch_size: images of one step.
        """
        return encode_command(run, source, output, shard, batch_size)

    def demo_(runs: Path = Path("runs")) -> int:
        """Train the VQ-VAE on handwritten digits, write the report, export both formats, verify.

        Args:
            runs: where the run directory is made.
        """
        return demo(runs)

    verbs = (recipes_, train_, report_, export_, encode_, demo_)
    return {verb.__name__.rstrip("_"): verb for verb in verbs}


def demo(runs) -> int:
    """From real digits to a verified SavedModel and ONNX files."""
    from keras_ae.training.report import write_report
    from keras_ae.training.run import train

    run = train(VqVaeRecipe(), runs=runs)
    print_metrics(run)
    export_run(run, ("saved-model", "onnx"))
    write_report(run.directory)
    print(f"\nreport       {run.directory / 'report.html'}")
    print(f"SavedModel   {run.directory / 'export' / 'saved_model'}")
    print(f"ONNX         {run.directory / 'export' / 'onnx'}")
    print(f"encode your own images: keras-ae encode {run.directory} IMAGES codes.npz")
    return 0


def export_run(run, formats) -> None:
    """Export the model of a run below `export/`, printing the table of verified differences."""
    from keras_ae import export

    model = run.load_model()
    directory = run.directory / "export"
    if "saved-model" in formats:
        version = export.to_saved_model(model, directory / "saved_model")
        print(f"\n{version}\n{export.verification_table(version)}")
    if "onnx" in formats:
        export.to_onnx(model, directory / "onnx")
        print(f"\n{directory / 'onnx'}\n{export.verification_table(directory / 'onnx')}")


def encode_command(run, source, output, shard, batch_size) -> int:
    """`keras-ae encode`."""
    from keras_ae.training.datasets import stream_images
    from keras_ae.training.encode import encode_images

    encode, image_shape = open_encoder(run)
    stream = stream_images(str(source), image_shape, batch_size, shard=parse_shard(shard))
    terminal = sys.stdout.isatty()

    def show(done):
        if terminal:
            print(f"\r{done}/{len(stream)} images", end="", flush=True)

    path = encode_images(encode, stream, output, progress=show)
    print(f"{chr(13) if terminal else ''}{path}: {len(stream)} images")
    return 0


def open_encoder(path):
    """`(encode, image_shape)` of a run, a `.keras` file or an exported artifact."""
    import tensorflow as tf

    from keras_ae.training.run import Run, load_model

    if (path / "config.json").is_file() or path.suffix == ".keras":
        model = load_model(path) if path.suffix == ".keras" else Run.open(path).load_model()
        endpoint = model.endpoints()["encode"]
        function = tf.function(endpoint.function, input_signature=None)
        return (lambda images: {k: v.numpy() for k, v in function(x=images).items()}), model.sample_shape
    from keras_ae.export import Artifact

    artifact = Artifact.open(path)
    shape = artifact.input_shape("encode", "x")
    return (lambda images: artifact.run("encode", x=images)), tuple(shape[1:])


def parse_shard(text: str) -> tuple[int, int]:
    """`"i/n"` to `(i, n)`."""
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise InputError(f"--shard is i/n with 0 <= i < n, such as 0/4. Received: {text}")
    return int(index), int(count)


def print_metrics(run) -> None:
    """The table of a run's metrics beside the baselines."""
    import json

    metrics = json.loads((run.directory / "metrics.json").read_text())
    codes = metrics.get("codes", {})
    rows = [(run.config["recipe"], {**codes, **metrics["test"]}), *metrics.get("baselines", {}).items()]
    print("\nheld-out test images                                  mse     bits/image")
    for name, values in rows:
        bits = f"{values['bits_per_image']:10.0f}" if values.get("bits_per_image") is not None else " " * 10
        print(f"{name:<50} {values['mse']:.5f} {bits}")
    others = {**codes, **{k: v for k, v in metrics["test"].items() if k != "mse"}}
    print("  ".join(f"{name} {value:.4g}" for name, value in others.items() if name != "bits_per_image"))


def _check_recipe(arguments):
    if arguments[:1] == ["train"] and arguments[1:] and not arguments[1].startswith("-"):
        if arguments[1] not in RECIPES:
            raise InputError(f"there is no recipe {arguments[1]!r}: choose one of {', '.join(RECIPES)}.")


def _complain(message, code=2):
    print(f"keras-ae: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
