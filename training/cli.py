"""Command line of `keras_ae.training` and `keras_ae.export`; `keras_ae_command.py` starts it."""

import contextlib
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

from keras_ae.errors import DataWarning, InputError, require
from keras_ae.training.commands.parsing import given_options, parse
from keras_ae.training.recipes import RECIPES, VqVaeRecipe
from keras_ae.training.report.summary import failed_measurements, print_metrics

Format = Literal["saved-model", "onnx"]
Channels = Literal[1, 3]
Budget = Literal["quick", "full"]
Measure = Literal["auto", "always", "never"]
DemoBudget = Literal["quick", "full", "nothing"]
FORMATS: tuple[Format, ...] = ("saved-model", "onnx")


def main(arguments: list[str] | None = None) -> int:
    """Run `keras-ae ARGUMENTS`; return 0 on success, 2 with a one-line message for invalid input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _check_recipe(arguments)
        given = given_options(arguments)
        verb = parse(_verbs(require("tyro", extra="training"), given), arguments, choices=RECIPES)
        with data_warnings_as_lines():
            return verb()
    except SystemExit as end:  # after --help
        return int(end.code or 0)
    except (InputError, ImportError) as error:
        return _complain(error)
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else error)
    except KeyboardInterrupt as stop:
        return _complain(str(stop) or _stopped(arguments), code=130)
    except Exception as error:
        line = _of_tensorflow(error)
        if line is None:
            raise
        return _complain(line)


def _verbs(tyro, given=()):
    recipes = [Annotated[recipe, tyro.conf.subcommand(name)] for name, recipe in RECIPES.items()]
    any_recipe = reduce(or_, recipes)
    examples = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    output_file = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
    wav_file = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    source_speech = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    target_voice = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TARGET")]
    run_directory = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    any_encoder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    runs_or_reports = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    stopped_run = earlier_run = Annotated[Path | None, tyro.conf.arg(metavar="RUN")]

    def recipes_() -> int:
        """List the recipes."""
        width = max(map(len, RECIPES))
        for name, recipe in RECIPES.items():
            print(f"{name:<{width}}  {recipe.summary}")
        print("\nTheir settings: keras-ae train RECIPE --help")
        return 0

    def train_(
        recipe: any_recipe,
        runs: Path = Path("runs"),
        resume: stopped_run = None,
        init_from: earlier_run = None,
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
        """
        from keras_ae.training.run import train

        run = train(recipe, runs=runs, resume=resume, init_from=init_from, given=given)
        print_metrics(run)
        print(f"report: {run.directory / 'report.html'}")
        return 1 if failed_measurements(run) else 0

    def report_(
        encoder: any_encoder,
        data: str | None = None,
        seeds: int | None = None,
        budget: Budget | None = None,
        measure: Measure = "auto",
        output: Path | None = None,
        image_size: tuple[int, int] | None = None,
        transfer: Path | None = None,
        scale: float | None = None,
        channels: Channels | None = None,
        skip_broken: bool = False,
    ) -> int:
        """Measure which information an embedding contains, on held-out examples, and write the report.

        Args:
            encoder: Run directory, or any .keras file, SavedModel or ONNX file.
            data: Source of the data, as for training; by default the data on which a run was trained. Pass
                it also if they were moved.
            seeds: Number of repetitions of the pair discriminator; by default 3, or 1 with a quick budget.
            budget: Budget of the measurements: quick (default) for an overview, or full for results to
                publish, which takes minutes to hours on a CPU.
            measure: Whether to measure the embedding. auto: if it was not measured before, or if one of the
                options above is given; always; never: the page is rebuilt from the content of the run
                directory.
            output: Page of an encoder that is not a run, embedding_report.html by default; the page of a
                run is its report.html.
            image_size: Height and width in pixels to which images are resized; by default as in the
                training of a run.
            transfer: Folder of tasks of labelled sentences, .tsv files, on which the vectors of a run of
                sentences are compared with controls.
            scale: Pixel value of an array of images that is converted to 1, such as 255; by default that of
                the run.
            channels: Number of channels to which images are converted: 1 (grey) or 3 (RGB); by default as
                in the training of a run.
            skip_broken: Whether to leave out images that cannot be read; otherwise they are an error.
        """
        from keras_ae.training.commands.report import report

        _, failed = report(
            encoder,
            data=data,
            seeds=seeds,
            budget=budget,
            measure=measure,
            output=output,
            image_size=image_size,
            transfer=transfer,
            scale=scale,
            channels=channels,
            skip_broken=skip_broken,
        )
        return 1 if failed else 0

    def compare_(
        runs: runs_or_reports, output: Path = Path("compare.html"), different_data: bool = False
    ) -> int:
        """Compare several runs or embedding reports in a table on the terminal, as a page and as JSON.

        Args:
            runs: Run directories, or .json files of embedding reports.
            output: Page of the comparison, an .html file; a JSON file is written next to it.
            different_data: Whether to compare even if the data differ; no value is then marked as the best.
        """
        from keras_ae.training.commands.report import compare_runs

        print(compare_runs(runs, output, different_data=different_data))
        return 0

    def export_(run: run_directory, to: tuple[Format, ...] = FORMATS, uint8_images: bool = False) -> int:
        """Export a run; each file is verified against the model in a fresh process.

        Args:
            run: Run directory.
            to: Formats of the exported files.
            uint8_images: Whether to add the endpoint encode_uint8, whose inputs are stored pixels, 0 to 255.
        """
        from keras_ae.training.run import Run

        return export_run(Run.open(run), to, uint8_images=uint8_images)

    def encode_(
        run: run_directory,
        source: examples,
        output: output_file,
        shard: str = "0/1",
        batch_size: int = 256,
        resize: bool = False,
        sample_rate: int | None = None,
        channels: Channels | None = None,
        skip_broken: bool = False,
        encoding: str | None = None,
        scale: float | None = None,
    ) -> int:
        """Encode images, speech or text to an .npz file of codes, embeddings and names.

        Args:
            run: Run directory, .keras file, or exported SavedModel or ONNX file.
            source: Folder of images or audio, single image or audio file, .npz file, MNIST idx files,
                "digits", "sprites" or "espeak", or text file with one sentence per line.
            output: Output .npz file. Frames of utterances are concatenated, with the boundaries in offsets;
                vectors of sentences are in the order of the lines.
            shard: Part of the examples: i/n encodes the examples i, i + n, i + 2n, ... for distribution
                over n machines.
            batch_size: Number of images or sentences per step.
            resize: Whether to resize images of other sizes to the input size of the model.
            sample_rate: Sample rate in Hz of the speech on which the model was trained, if the model
                does not contain it. Recordings of other rates are resampled.
            channels: Number of channels that the model requires, 1 or 3, to which other images are
                converted, transparency on white; by default as in the training of a run.
            skip_broken: Whether to leave out images and recordings that cannot be read; otherwise they are
                an error.
            encoding: Encoding of a text file, such as latin-1; by default UTF-8 or that of a byte order mark.
            scale: Pixel value of white in an array, such as 255; by default that of the training.
        """
        from keras_ae.training.commands.encode import encode_command

        options: dict[str, Any] = {"shard": shard, "batch_size": batch_size, "resize": resize}
        options |= {"sample_rate": sample_rate, "scale": scale, "channels": channels}
        options |= {"skip_broken": skip_broken, "encoding": encoding}
        return encode_command(open_encoder(run), source, output, **options)

    def convert_(
        run: run_directory,
        source: source_speech,
        target: target_voice,
        output: wav_file,
        iterations: int = 64,
        skip_broken: bool = False,
    ) -> int:
        """Convert a recording to another speaker's voice.

        Args:
            run: Run directory or .keras file of a voice converter.
            source: Recording to convert: a wav, flac, ogg or mp3 file, or a folder of them.
            target: Recording of the target voice; if the run has a table of speakers, the name of one of
                them.
            output: Output .wav file, or a folder if the source is a folder.
            iterations: Number of iterations of Griffin-Lim, which computes the waveform.
            skip_broken: Whether to leave out recordings of the source that cannot be read; otherwise they
                are an error.
        """
        from keras_ae.training.commands.convert import convert

        convert(run, source, target, output, iterations=iterations, skip_broken=skip_broken)
        return 0

    def demo_(runs: Path = Path("runs"), embedding: DemoBudget = "quick") -> int:
        """Train the VQ-VAE on handwritten digits, measure its embedding, export both formats, and verify.

        Args:
            runs: Folder in which the run directory is created.
            embedding: Budget of the measurement of the embedding: quick, full or nothing.
        """
        return demo(runs, embedding)

    verbs = (recipes_, train_, report_, compare_, export_, encode_, convert_, demo_)
    return {verb.__name__.rstrip("_"): verb for verb in verbs}


def demo(runs: str | Path, embedding: DemoBudget = "quick") -> int:
    """Train on digits, measure the embedding, and export a verified SavedModel and ONNX files."""
    from keras_ae.training.commands.report import report
    from keras_ae.training.run import train

    run = train(VqVaeRecipe(), runs=runs)
    print_metrics(run)
    measured = failed_measurements(run)
    with _kept(run):
        if embedding != "nothing":
            measured |= report(run.directory, budget=embedding)[1]
        failed = export_run(run, FORMATS)
    if failed:
        return failed
    print(f"\nreport       {run.directory / 'report.html'}")
    print(f"SavedModel   {run.directory / 'export' / 'saved_model'}")
    print(f"ONNX         {run.directory / 'export' / 'onnx'}")
    print(f"encode your own images: keras-ae encode {run.directory} IMAGES codes.npz")
    return 1 if measured else 0


@contextlib.contextmanager
def _kept(run):
    """State that the trained run is kept if the rest of the demo is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped. The trained run is kept. Continue with: keras-ae report {run.directory}, "
            f"keras-ae export {run.directory}"
        ) from None


def export_run(run: Any, formats: Iterable[str], *, uint8_images: bool = False) -> int:
    """Export the model of a run below `export/`, printing the table of verified differences.

    Returns:
        0, or 1 if an artifact differs from the model; it is then not written.
    """
    from keras_ae import export
    from keras_ae.training.report.page import write_report

    writers: dict[str, tuple[str, Callable]] = {
        "saved-model": ("saved_model", export.to_saved_model),
        "onnx": ("onnx", export.to_onnx),
    }
    model = run.load_model()
    for format in dict.fromkeys(formats):
        folder, write = writers[format]
        directory = run.directory / "export" / folder
        try:
            written = write(model, directory, uint8_images=uint8_images)
        except export.VerificationError as error:
            return _complain(error, code=1)
        artifact = directory if format == "onnx" else written
        print(f"\n{artifact}\n{export.verification_table(artifact)}")
    write_report(run.directory)
    return 0


def open_encoder(path: Path) -> Any:
    """Return the `OpenEncoder` of a run, a `.keras` file or an exported artifact.

    Raises:
        InputError: there is no encoder.
    """
    from keras_ae import export
    from keras_ae.models.preprocessing import preprocessing_of
    from keras_ae.training.commands.encode import encoder_of_artifact, encoder_of_model
    from keras_ae.training.run import Run, load_model

    if not path.exists():
        raise InputError(
            f"{path} does not exist: RUN must be a run, a .keras file, a SavedModel or an ONNX file."
        )
    if (path / "config.json").is_file() or path.suffix == ".keras":
        # in float32 like the exported artifacts, so that all give the same codes
        run = None if path.suffix == ".keras" else Run.open(path)
        model = export.float32_copy(load_model(path) if run is None else run.load_model())
        endpoint = export.endpoints_of(model).get("encode")
        words, known = getattr(model, "vocabulary", None), preprocessing_of(model)
        return encoder_of_model(path, endpoint, words, run and run.recipe(), known)
    return encoder_of_artifact(path, export.Artifact.open(path))


def _check_recipe(arguments):
    named = arguments[1:2] if arguments[:1] == ["train"] else []
    if named and not named[0].startswith("-") and named[0] not in RECIPES:
        raise InputError(f"RECIPE must be one of {', '.join(RECIPES)}. Received: {arguments[1]}")


def _stopped(arguments):
    """Describe what an interrupted command has kept, and how to run it again."""
    left = {
        "train": "Nothing was written.",
        "report": "The page and the record are as they were before.",
        "export": "Formats that were finished are kept in the run, others leave nothing.",
        "convert": "Recordings that were converted are kept.",
    }.get(next(iter(arguments), ""), "Nothing was written.")
    return f"stopped. {left} Run it again with: {shlex.join(['keras-ae', *map(str, arguments)])}"


def _of_tensorflow(error):
    """Return one line for TensorFlow's errors of files and memory, `None` for other errors."""
    if not type(error).__module__.startswith("tensorflow") or not hasattr(error, "message"):
        return None
    message = " ".join(str(error.message).split())[:300]
    if type(error).__name__ == "PermissionDeniedError" or "No space left" in message:
        return message
    if type(error).__name__ == "ResourceExhaustedError":
        return f"the memory is full: lower --batch-size or the size of the model. TensorFlow says: {message}"
    return None


def _complain(message, code=2):
    print(f"keras-ae: {message}", file=sys.stderr)
    return code


@contextlib.contextmanager
def data_warnings_as_lines() -> Iterator[None]:
    """Print each different `DataWarning` once, as one line on stderr without its location in the code.

    Other warnings are shown as usual.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        show, said = warnings.showwarning, set()

        def show_plainly(message, category, *place, **file):
            if not issubclass(category, DataWarning):
                show(message, category, *place, **file)
            elif str(message) not in said:
                said.add(str(message))
                print(f"keras-ae: {message}", file=sys.stderr)

        warnings.showwarning = show_plainly
        yield


if __name__ == "__main__":  # keras_ae_command filters earlier lines of TensorFlow, too
    from keras_ae_command import main as command

    sys.exit(command())
