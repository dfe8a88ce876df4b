"""Commands that use a trained model: `export`, `encode` and `convert`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from keras_ae.errors import InputError
from keras_ae.progress import ProgressLine
from keras_ae.training.command_line.parsing import (
    Channels,
    Command,
    CommandFailed,
    DataPath,
    OutputPath,
    RunPath,
)

Format = Literal["saved-model", "onnx"]
FORMATS: tuple[Format, ...] = ("saved-model", "onnx")


def export_command(run: RunPath, to: tuple[Format, ...] = FORMATS, uint8_images: bool = False) -> int:
    """Export a run; each file is verified against the model in a fresh process.

    Args:
        run: Run directory.
        to: Formats of the exported files.
        uint8_images: Whether to add the endpoint encode_uint8, whose inputs are stored pixels, 0 to 255.
    """
    from keras_ae.training.run import Run

    export_run(Run.open(run), to, uint8_images=uint8_images)
    return 0


def encode_command(
    run: RunPath,
    source: DataPath,
    output: OutputPath,
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
            "digits", "sprites" or "espeak", table (.csv, .tsv or .parquet), or text file with one
            sentence per line.
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
    from keras_ae.training.commands.encode import encode_examples

    options: dict[str, Any] = {"shard": shard, "batch_size": batch_size, "resize": resize}
    options |= {"sample_rate": sample_rate, "scale": scale, "channels": channels}
    options |= {"skip_broken": skip_broken, "encoding": encoding}
    return encode_examples(open_encoder(run), source, output, **options)


def convert_command(
    run: RunPath,
    source: Annotated[Path, Positional, arg(metavar="SOURCE")],
    target: Annotated[str, Positional, arg(metavar="TARGET")],
    output: Annotated[Path, Positional, arg(metavar="OUT")],
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


COMMANDS = {
    "export": Command(
        export_command, kept="Formats that were finished are kept in the run, others leave nothing."
    ),
    "encode": Command(encode_command),
    "convert": Command(convert_command, kept="Recordings that were converted are kept."),
}


def export_run(run: Any, formats: Iterable[str], *, uint8_images: bool = False) -> None:
    """Export the model of a run below `export/`, printing the table of verified differences.

    Raises:
        CommandFailed: an artifact differs from the model; it is not written.
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
        with ProgressLine(elsewhere=False, activity="exporting and verifying") as progress:
            progress(format)
            try:
                written = write(model, directory, uint8_images=uint8_images)
            except export.VerificationError as error:
                raise CommandFailed(str(error)) from error
        artifact = next(iter(written.values())).parent if format == "onnx" else written
        print(f"\n{artifact}\n{export.verification_table(artifact)}")
    write_report(run.directory)


def open_encoder(path: Path) -> Any:
    """Return the `OpenEncoder` of a run, a `.keras` file or an exported artifact.

    Raises:
        InputError: there is no encoder.
    """
    from keras_ae.export import endpoints_of
    from keras_ae.models.preprocessing import preprocessing_of
    from keras_ae.training.commands.encode import encoder_of_artifact, encoder_of_model

    run, model, artifact = open_path(path)
    if artifact is not None:
        return encoder_of_artifact(path, artifact)
    words, known = getattr(model, "vocabulary", None), preprocessing_of(model)
    return encoder_of_model(path, endpoints_of(model).get("encode"), words, run and run.recipe(), known)


def open_path(path: Path) -> tuple[Any, Any, Any]:
    """Return `(run, model, None)` of a run or a `.keras` file, or `(None, None, artifact)`.

    The run of a `.keras` file is `None`. The model computes in float32 like the exported artifacts, so that
    all of them give the same codes.

    Raises:
        InputError: there is neither a model nor an artifact.
    """
    from keras_ae import export
    from keras_ae.training.run import Run, load_model

    if not path.exists():
        raise InputError(
            f"{path} does not exist: RUN must be a run, a .keras file, a SavedModel or an ONNX file."
        )
    if (path / "config.json").is_file():
        run = Run.open(path)
        return run, export.float32_copy(run.load_model()), None
    if path.suffix == ".keras":
        return None, export.float32_copy(load_model(path)), None
    return None, None, export.Artifact.open(path)
