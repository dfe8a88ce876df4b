"""`keras-ae report`: of a run, or of an encoder in a file."""

from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.training.report import write_report
from keras_ae.training.run import Run
from keras_ae.training.run_embedding import has_record, measure_run, report_of_file
from keras_ae.training.run_summary import print_embedding
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
) -> Path:
    """Measure an embedding and write its page; arguments as `keras-ae report --help` tells.

    Returns:
        the page.

    Raises:
        InputError: no run and no encoder, or one that does not take the images.
    """
    asked = any(option is not None for option in (data, seeds, budget))
    options = {"budget": budget or "quick", "seeds": seeds, "progress": _say}
    if _is_run(encoder):
        run = Run.open(encoder)
        if transfer is not None:
            print(f"\n{transfer_text(measure_transfer(run, transfer, progress=_say))}")
        wanted = measure == "auto" and (asked or (transfer is None and not has_record(run)))
        if measure == "always" or wanted:
            print_embedding(measure_run(run, data=data, **options))
        page = write_report(run.directory)
    elif transfer is not None:
        raise InputError(
            f"--transfer is for runs of sentences. {encoder} is no run: use evaluation.transfer."
        )
    elif data is None:
        raise InputError(f"{encoder} is no run, so it brings no data: name some images by --data.")
    else:
        page = report_of_file(encoder, data, output, image_size=image_size, **options)
    print(page)
    return page


def _is_run(path):
    """Whether it is a run; an error that says what one is where it is no encoder either."""
    if (path / "config.json").is_file():
        return True
    encoder = path.is_file() or any(next(path.glob(kind), None) for kind in ("*.onnx", "*.pb", "*/*.pb"))
    if not encoder and not (path / "model.keras").is_file():
        Run.open(path)
    return False


def _say(section):
    print(f"measuring: {section}", flush=True)
