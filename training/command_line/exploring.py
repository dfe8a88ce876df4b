"""Commands that generate, decode and score: `sample`, `decode`, `interpolate` and `score`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from keras_ae.training.command_line.encoding import open_path
from keras_ae.training.command_line.parsing import Channels, Command, DataPath, OutputPath, RunPath

LatentPath = Literal["linear", "spherical"]
CodesPath = Annotated[Path, Positional, arg(metavar="CODES")]
FirstExample = Annotated[str, Positional, arg(metavar="FIRST")]
SecondExample = Annotated[str, Positional, arg(metavar="SECOND")]


def sample_command(
    run: RunPath,
    output: OutputPath,
    num: int = 16,
    seed: int = 0,
    temperature: float = 1.0,
    labels: tuple[int, ...] | None = None,
    speaker: str | None = None,
    length: int | None = None,
    num_components: int | None = None,
    data: str | None = None,
    batch_size: int = 256,
) -> int:
    """Draw new examples from a model.

    A model with a vector or map as embedding and without a prior gets a Gaussian mixture, which is fitted to
    the embeddings of its training images or rows first.

    Args:
        run: Run directory or .keras file.
        output: Folder of .png files, single .png file with all images, or .npz file of images and codes; for
            tables a .csv file; for speech a folder of .wav files.
        num: Number of examples.
        seed: Seed of the draws: the same seed gives the same examples.
        temperature: Factor of the standard deviation of the prior; for codes, divisor of their logits. Below
            1, examples are more typical and less diverse.
        labels: Class of the examples, one number for all or one for each, for a model with labels.
        speaker: Name or number of the speaker, for a model with speakers.
        length: Length in codes, for a model of sequences.
        num_components: Number of components of the Gaussian mixture of a model without a prior; by default
            10.
        data: Source of the images or rows to whose embeddings the mixture is fitted; by default those of the
            training of the run.
        batch_size: Number of examples that are decoded at once.
    """
    from keras_ae.training.commands.sample import sample_examples

    options: dict[str, Any] = {"num": num, "seed": seed, "temperature": temperature, "labels": labels}
    options |= {"speaker": speaker, "length": length, "num_components": num_components}
    sample_examples(open_model(run), output, data=data, batch_size=batch_size, **options)
    return 0


def decode_command(
    run: RunPath,
    codes: CodesPath,
    output: OutputPath,
    batch_size: int = 256,
    speaker: str | None = None,
    iterations: int | None = None,
    decoder: str | None = None,
    beam_size: int | None = None,
) -> int:
    """Decode the codes or embeddings of an .npz file to images, rows of a table, speech or text.

    Args:
        run: Run directory, .keras file, or, for images and tables, exported SavedModel or ONNX file.
        codes: .npz file of keras-ae encode with the same model.
        output: Folder of .png files, single .png file, or .npz file; for tables a .csv file; for speech a
            folder of .wav files or one .wav file; for text a .txt file. Values outside of the range of
            pixels are clipped.
        batch_size: Number of images or rows that are decoded at once.
        speaker: Name or number of the speaker, for a model with speakers.
        iterations: Number of iterations of Griffin-Lim, which computes the waveform; by default 64.
        decoder: Sentence to write: next (default), previous or this, if the model has this decoder.
        beam_size: Number of beams; by default 1, the most probable word each time.
    """
    from keras_ae.training.commands.decode import decode_codes

    options: dict[str, Any] = {"speaker": speaker, "iterations": iterations}
    options |= {"decoder": decoder, "beam_size": beam_size}
    decode_codes(open_model(run), codes, output, batch_size=batch_size, **options)
    return 0


def interpolate_command(
    run: RunPath,
    first: FirstExample,
    second: SecondExample,
    output: OutputPath,
    steps: int = 8,
    path: LatentPath = "linear",
    resize: bool = False,
    decoder: str | None = None,
    beam_size: int | None = None,
) -> int:
    """Decode points between the embeddings of two images or two sentences.

    Args:
        run: Run directory or .keras file.
        first: Image, or source of several images, as for encode; for a model of text a sentence.
        second: Image or sentence at the other end, or as many images.
        output: Single .png file, one row for each pair, folder of .png files, or .npz file; for text a .txt
            file.
        steps: Number of points, both ends included.
        path: Path between the embeddings: linear, or spherical, which keeps their length.
        resize: Whether to resize images of other sizes to the input size of the model.
        decoder: Sentence to write: next (default), previous or this, if the model has this decoder.
        beam_size: Number of beams; by default 1, the most probable word each time.
    """
    from keras_ae.training.commands.interpolate import interpolate_examples

    options: dict[str, Any] = {"resize": resize, "decoder": decoder, "beam_size": beam_size}
    interpolate_examples(open_model(run), first, second, output, steps=steps, path=path, **options)
    return 0


def score_command(
    run: RunPath,
    source: DataPath,
    output: OutputPath,
    batch_size: int = 256,
    resize: bool = False,
    channels: Channels | None = None,
    scale: float | None = None,
    skip_broken: bool = False,
    speaker: str | None = None,
    label: str | None = None,
) -> int:
    """Write the objective of each example, such as for anomaly detection: the larger, the less typical.

    Args:
        run: Run directory, .keras file, or exported SavedModel or ONNX file.
        source: Images, table or recordings, as for encode.
        output: Output .csv file with one row for each example, or .npz file with one array for each column:
            name (names in the .npz file), score, reconstruction_error, and label if a table has labels. The
            name of a row of a table is its number, from 0.
        batch_size: Number of images or rows per step.
        resize: Whether to resize images of other sizes to the input size of the model.
        channels: Number of channels that the model requires, 1 or 3, to which other images are converted.
        scale: Pixel value of white in an array, such as 255; by default that of the training.
        skip_broken: Whether to leave out images and recordings that cannot be read; otherwise they are an
            error.
        speaker: Name or number of the speaker of all recordings, for a model with speakers.
        label: Column with the label of each row of a table; by default that of the run or of the source, if
            the table has it.
    """
    from keras_ae.training.commands.score import score_examples

    options: dict[str, Any] = {"resize": resize, "channels": channels, "scale": scale, "speaker": speaker}
    options |= {"skip_broken": skip_broken, "batch_size": batch_size, "label": label}
    score_examples(open_model(run), source, output, **options)
    return 0


COMMANDS = {
    "sample": Command(sample_command, kept="Files that were finished are kept."),
    "decode": Command(decode_command, kept="Files that were finished are kept."),
    "interpolate": Command(interpolate_command, kept="Files that were finished are kept."),
    "score": Command(score_command),
}


def open_model(path: Path) -> Any:
    """Return the `OpenModel` of a run, a `.keras` file or an exported artifact, in float32.

    Raises:
        InputError: there is no model.
    """
    from keras_ae.export import endpoints_of
    from keras_ae.training.commands.opened_model import OpenModel

    run, model, artifact = open_path(path)
    if artifact is not None:
        return OpenModel.of_artifact(path, artifact)
    return OpenModel.of_model(path, model, endpoints_of(model), run)
