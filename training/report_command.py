"""`keras-ae report`: of a run, or of an encoder in a file."""

from contextlib import nullcontext
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import LOG, recorded
from keras_ae.evaluation.progress_line import ProgressLine
from keras_ae.evaluation.report.settings import DEFAULT_BUDGET
from keras_ae.training.report import write_report
from keras_ae.training.run import Run
from keras_ae.training.run_embedding import has_record, measure_run, report_of_file
from keras_ae.training.run_lock import RunLock
from keras_ae.training.run_summary import print_embedding, print_failed
from keras_ae.training.run_transfer import measure_transfer
from keras_ae.training.transfer_page import transfer_text


def report(
    encoder: Path,
    *,
    data: str | None = None,
    seeds: int | None = None,
    budget: str | None = None,
    measure: str = "auto",
    output: Path = Path("embedding_report.html"),
    image_size: tuple[int, int] | None = None,
    transfer: Path | None = None,
    scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> tuple[Path, dict]:
    """Measure an embedding and write its page; arguments as `keras-ae report --help` tells.

    Returns:
        the page, and `{measurement: reason}` of what failed.

    Raises:
        InputError: no run and no encoder, or one that does not take the images.
    """
    asked = any(option is not None for option in (data, seeds, budget, scale))
    with ProgressLine() as progress, recorded(_log_of(encoder, output)) as attempts:
        options = {"budget": budget or DEFAULT_BUDGET, "seeds": seeds, "progress": progress}
        record = None
        if _is_run(encoder):
            run = Run.open(encoder)
            wanted = measure == "auto" and (asked or (transfer is None and not has_record(run)))
            measured = measure == "always" or wanted
            with RunLock(run.directory, "measured") if measured or transfer is not None else nullcontext():
                if transfer is not None:
                    rows = measure_transfer(run, transfer, progress=progress, data=data)
                    progress.close()
                    print(f"\n{transfer_text(rows)}")
                if measured:
                    record = measure_run(run, data=data, scale=scale, **options)
                    progress.close()
                    print_embedding(record)
                page = write_report(run.directory)
        elif transfer is not None:
            raise InputError(
                f"--transfer is for runs of sentences. {encoder} is no run: use evaluation.transfer."
            )
        elif data is None:
            raise InputError(f"{encoder} is no run, so it brings no data: name some images by --data.")
        else:
            images = {"image_size": image_size, "scale": scale}
            images |= {"channels": channels, "skip_broken": skip_broken}
            page, record = report_of_file(encoder, data, output, **images, **options)
    failed = {**attempts.failed, **(record.figures["failed"] if record else {})}
    print_failed(failed, _log_of(encoder, output))
    print(page)
    return page, failed


def _log_of(encoder, output):
    """Where the tracebacks of failed measurements are kept."""
    return encoder / LOG if (encoder / "config.json").is_file() else output.with_name(LOG)


def _is_run(path):
    """Whether it is a run; an error that says what one is where it is no encoder either."""
    if (path / "config.json").is_file():
        return True
    encoder = path.is_file() or any(next(path.glob(kind), None) for kind in ("*.onnx", "*.pb", "*/*.pb"))
    if not encoder and not (path / "model.keras").is_file():
        Run.open(path)
    return False
