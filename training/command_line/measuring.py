"""Commands that measure: `report` and `compare`."""

from pathlib import Path
from typing import Literal

from keras_ae.training.command_line.parsing import Channels, Command, RunPath, RunPaths

Budget = Literal["quick", "full"]
Measure = Literal["auto", "always", "never"]
Layout = Literal["nchw", "nhwc"]
Pool = Literal["auto", "none", "mean", "mean_and_deviation"]


def report_command(
    encoder: RunPath,
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
    layout: Layout | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    input_range: tuple[float, float] | None = None,
    tokenizer: str | None = None,
    sample_rate: int | None = None,
    endpoint: str | None = None,
    output_name: str | None = None,
    pool: Pool | None = None,
) -> int:
    """Measure which information an embedding contains, on held-out examples, and write the report.

    Args:
        encoder: Run directory, or any .keras file, SavedModel or ONNX file.
        data: Source of the data, as for training, or a .tsv file of lines with a label, a tab and a text; by
            default the data on which a run was trained. Pass it also if they were moved.
        seeds: Number of repetitions of the pair discriminator; by default 3, or 1 with a quick budget.
        budget: Budget of the measurements: quick (default) for an overview, or full for results to
            publish, which takes minutes to hours on a CPU.
        measure: Whether to measure the embedding. auto: if it was not measured before, or if one of the
            options above is given; always; never: the page is rebuilt from the content of the run
            directory.
        output: Page of an encoder that is not a run, embedding_report.html by default; the page of a
            run is its report.html.
        image_size: Height and width in pixels to which images are resized; by default as in the
            training of a run, or the size that the encoder requires.
        transfer: Folder of tasks of labelled sentences, .tsv files, on which the vectors of a run of
            sentences are compared with controls.
        scale: Pixel value of an array of images that is converted to 1, such as 255; by default that of
            the run.
        channels: Number of channels to which images are converted: 1 (grey) or 3 (RGB); by default as
            in the training of a run.
        skip_broken: Whether to leave out images that cannot be read; otherwise they are an error.
        layout: Axes of the input of an encoder of images: nchw (channels first) or nhwc (channels last); by
            default as its fixed axes show.
        mean: Mean of the encoder's training images, subtracted from images in --input-range: one number,
            or one for each channel, such as 0.485 0.456 0.406.
        std: Standard deviation by which images are then divided: one number, or one for each channel.
        input_range: Lowest and highest value of an input image of the encoder, such as 0 255; by default as
            the encoder shows, else 0 1.
        tokenizer: Tokenizer of an encoder of word ids: its tokenizer.json, or MODULE:FUNCTION, a Python
            function from a list of strings to ids.
        sample_rate: Sample rate in Hz of an encoder of waveforms, to which recordings are resampled.
        endpoint: Signature of a SavedModel, or name of an ONNX file in a folder; by default encode, else
            serving_default, else the only one.
        output_name: Output of the encoder that is the embedding, an inner tensor of an ONNX file, or a layer
            of a Keras file; by default the only output. Maps are pooled.
        pool: Pooling of embeddings over positions: auto (default: the mean of maps and tokens, and mean and
            deviation of frames), none, mean, or mean_and_deviation.
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
        layout=layout,
        mean=mean,
        std=std,
        input_range=input_range,
        tokenizer=tokenizer,
        sample_rate=sample_rate,
        endpoint=endpoint,
        output_name=output_name,
        pool=pool,
    )
    return 1 if failed else 0


def compare_command(runs: RunPaths, output: Path = Path("compare.html"), different_data: bool = False) -> int:
    """Compare several runs or embedding reports in a table on the terminal, as a page and as JSON.

    Args:
        runs: Run directories, or .json files of embedding reports.
        output: Page of the comparison, an .html file; a JSON file is written next to it.
        different_data: Whether to compare even if the data differ; no value is then marked as the best.
    """
    from keras_ae.training.commands.report import compare_runs

    print(compare_runs(runs, output, different_data=different_data))
    return 0


COMMANDS = {
    "report": Command(report_command, kept="The page and the record are as they were before."),
    "compare": Command(compare_command),
}
