"""Commands `keras-ae report` and `keras-ae compare`."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import LOG, recorded
from keras_ae.evaluation.report.embedding_report import ENDINGS
from keras_ae.evaluation.report.page.comparison import compare_reports, comparison_text, write_comparison
from keras_ae.evaluation.report.record import JSON, read_results
from keras_ae.evaluation.report.settings import DEFAULT_BUDGET
from keras_ae.files import page_outputs
from keras_ae.progress import ProgressLine
from keras_ae.training.commands._run_embedding import (
    check_image_options,
    has_record,
    measure_run,
    measure_transfer,
    report_of_file,
)
from keras_ae.training.report.page import write_report
from keras_ae.training.report.summary import print_embedding, print_failed
from keras_ae.training.report.transfer import transfer_text
from keras_ae.training.run import Run
from keras_ae.training.run_directory.data import files_of_encoder
from keras_ae.training.run_directory.lock import RunLock

PAGE = Path("embedding_report.html")


def report(
    encoder: Path,
    *,
    data: str | None = None,
    seeds: int | None = None,
    budget: str | None = None,
    measure: str = "auto",
    output: Path | None = None,
    image_size: tuple[int, int] | None = None,
    transfer: Path | None = None,
    scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    pool: str | None = None,
    **inputs: Any,
) -> tuple[Path, dict]:
    """Measure an embedding and write its page; the arguments are those of `keras-ae report --help`.

    Args:
        **inputs: options of `load_encoder`, for an encoder that is not a run.

    Returns:
        the page, and `{measurement: reason}` of the measurements that failed.

    Raises:
        InputError: `encoder` is neither a run nor an encoder, or does not accept the images; options are
            not valid for it.
    """
    if seeds is not None and seeds < 1:
        raise InputError(f"--seeds must be at least 1. Received: {seeds}")
    images = {"image_size": image_size, "scale": scale, "channels": channels}
    images["skip_broken"] = skip_broken or None
    asked = any(option is not None for option in (data, seeds, budget, *images.values()))
    output = _page_of(encoder, output)
    log = encoder / LOG if (encoder / "config.json").is_file() else output.with_suffix(ENDINGS[1])
    with ProgressLine() as progress, recorded(log) as attempts:
        options = {"budget": budget or DEFAULT_BUDGET, "seeds": seeds, "progress": progress}
        if _is_run(encoder):
            _refuse_for_run(encoder, pool=pool, **inputs)
            run = Run.open(encoder)
            check_image_options(run.recipe(), **images)
            wanted = measure == "auto" and (asked or (transfer is None and not has_record(run)))
            measured = measure == "always" or wanted
            page, record = _report_of_run(run, transfer, measured, data, images, options)
        elif transfer is not None:
            raise InputError(
                f"--transfer must be used only with a run of sentences. Received: {encoder}, which "
                "is not a run. Use evaluation.transfer instead."
            )
        elif data is None:
            raise InputError(
                f"{encoder} is not a run and therefore contains no data: pass images, speech or text "
                "with --data."
            )
        else:
            page, record = report_of_file(
                encoder, data, output, images=images, inputs=inputs, pool=pool, **options
            )
    failed = {**attempts.failed, **(record.results["failed"] if record else {})}
    print_failed(failed, log)
    print(page)
    return page, failed


def _report_of_run(run, transfer, measured, data, images, options):
    """Measure the transfer tasks and the embedding as required; return the page and the record or `None`."""
    progress, record = options["progress"], None
    with RunLock(run.directory, "measured") if measured or transfer is not None else nullcontext():
        if transfer is not None:
            rows = measure_transfer(run, transfer, progress=progress, data=data)
            progress.close()
            print(f"\n{transfer_text(rows)}")
        if measured:
            record = measure_run(run, data=data, **images, **options)
            progress.close()
            print_embedding(record)
        return write_report(run.directory), record


def _refuse_for_run(encoder, **options):
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise InputError(
            f"{', '.join(given)} must be used only with an encoder that is not a run. "
            f"Received: {encoder}, a run, whose inputs are known."
        )


def _page_of(encoder, output):
    """Return the page to write; that of a run is in its directory."""
    if not (encoder / "config.json").is_file():
        output = PAGE if output is None else output
        if output.suffix != ".html":
            raise InputError(f"The output must be an .html file. Received: {output}")
        return output
    if output is not None:
        raise InputError(
            f"--output must not be given for the report of a run, which is written to "
            f"{encoder / 'report.html'}. Received: {output}"
        )
    return encoder / "report.html"


def _is_run(path):
    """Return whether the path is a run; raise an explanatory error if it is not an encoder either."""
    if (path / "config.json").is_file():
        return True
    encoder = path.is_file() or any(
        next(path.glob(kind), None) for kind in ("*.onnx", "*.pb", "*/*.onnx", "*/*.pb")
    )
    if not encoder and not (path / "model.keras").is_file():
        Run.open(path)
    return False


def compare_runs(
    paths: Sequence[str | Path], output: str | Path = "compare.html", *, different_data: bool = False
) -> str:
    """Compare the embeddings of runs; write the page and the JSON file; return the table as text.

    Args:
        paths: run directories whose embedding was measured, or .json files of embedding reports.
        output: the page.
        different_data: see `compare_reports`.

    Raises:
        InputError: a run was not measured; the data differ; there are fewer than two runs; the page or its
            .json file is one of the inputs.
    """
    page_outputs(output, [file for path in paths for file in files_of_encoder(path)])
    results = [_results(Path(path)) for path in paths]
    names = _names([Path(path) for path in paths], results)
    comparison = compare_reports(dict(zip(names, results, strict=True)), different_data=different_data)
    written = write_comparison(comparison, output)
    return f"{comparison_text(comparison)}\n\n{written}"


def _results(path):
    file = path if path.suffix == ".json" else path / JSON
    try:
        return read_results(file)
    except FileNotFoundError:
        raise InputError(
            f"{path} contains no measured embedding ({file.name}). Measure it first: keras-ae report {path}"
        ) from None


def _names(paths, results):
    """Return the title of each; equal titles are extended by the time of the run or a number."""
    titles = [one["title"] for one in results]
    names = []
    for path, title in zip(paths, titles, strict=True):
        name = title
        if titles.count(title) > 1:
            own = path.parent.name if path.suffix == ".json" and path.name == JSON else path.stem
            name = f"{title} {own}"
        number = 1
        while name in names:
            number += 1
            name = f"{name.removesuffix(f' ({number - 1})')} ({number})"
        names.append(name)
    return names
