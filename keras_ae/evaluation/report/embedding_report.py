"""The embedding report as a page and as JSON."""

import os
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders.loading import INPUT_OPTIONS, load_encoder
from keras_ae.evaluation.report.data import gather
from keras_ae.evaluation.report.measuring import measure_embedding
from keras_ae.evaluation.report.page.view import embedding_view
from keras_ae.evaluation.report.record import EmbeddingRecord, as_json
from keras_ae.evaluation.report.settings import DEFAULT_BUDGET, settings_of
from keras_ae.files import page_outputs, write_atomically
from keras_ae.pages.template import render
from keras_ae.progress import shown

TEMPLATE = "keras_ae.evaluation.report/page.html"
ENDINGS = (".json", ".failed.txt")  # endings of the files of results and tracebacks next to the page


def embedding_report(
    encoder: Any,
    data: Any,
    factors: Any = None,
    path: str | os.PathLike | None = "embedding_report.html",
    *,
    nuisances: Any = None,
    test: Any = None,
    decode: Any = None,
    layer: str | None = None,
    endpoint: str | None = None,
    title: str = "",
    budget: str = DEFAULT_BUDGET,
    seeds: int | None = None,
    seed: int | None = None,
    progress: Any = None,
    verbose: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """Measure what the embedding of an encoder contains and leaks, and how reliable these results are.

    The function writes one self-contained page to `path`, and the results as JSON next to it. All
    results are measured on held-out examples and shown with controls: principal components of the
    inputs, the label, noise, the most frequent class, permuted labels.

    Args:
        encoder: a model, a path to a `.keras` file, SavedModel or ONNX file, or a function; see
            `load_encoder`.
        data: examples in the form that `encoder` takes: images `(examples, height, width,
            channels)`, vectors, sequences `{"x":, "lengths":}`, a list of strings, or batches of
            these.
        factors: known values of the examples, `{name: (examples,)}`, or an array of one factor
            or `(examples, factors)`. Integers and strings are classes, floats are quantities. The
            first factor colours the map.
        path: path of the page; `None`: nothing is written.
        nuisances: names of factors that the embedding should *not* contain, or a dict of such factors.
        test: `(data, factors)` held out by the caller, or `data` alone; `None`: a third of `data`.
        decode: function from embeddings to reconstructions, for an encoder without a decoder.
        layer, endpoint: see `load_encoder`.
        title: title of the page; "": the name of the encoder.
        budget: "quick", the default: half a minute on the digits, with one seed and a short training of the
            discriminator on small images; or "full", for publication: minutes to hours on a CPU.
        seeds: number of repetitions of `pair_discrimination`; `None`: that of the budget, 3 for "full" and
            1 for "quick".
        seed: seed of all draws. The same seed yields the same page.
        progress: function called with the name of each section before it is measured; `None`: a line on the
            terminal.
        verbose: whether to show that line.
        **settings: fields of `keras_ae.evaluation.report.settings.ReportSettings`, such as
            `pairs` (whether to measure `L_D*`, which takes most of the time), `max_examples`,
            `code_noise`, `num_candidates`, `max_steps`, `neighbours`, `method` (of the map: auto,
            umap, tsne, pca) and `pool` (over positions: auto, none, mean, mean_and_deviation); and the
            arguments of `load_encoder` for the inputs and the output of an encoder made elsewhere:
            `output_name`, `layout`, `scale`, `input_range`, `mean`, `std`, `tokenizer`, `sample_rate`.

    Returns:
        the content of the JSON file. A section that fails is under "failed" with the reason; its traceback
        is in a file next to the page, `embedding_report.failed.txt`. Measurements that the data do not
        allow are under "left_out".

    Raises:
        InputError: the encoder, the data or the factors cannot be used, or the page cannot be written to
            `path`, which is checked before anything is measured.
        ImportError: scikit-learn, jinja2 or (for ONNX) onnxruntime is not installed.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    >>> results = embedding_report(lambda x: x[:, :2], x, x[:, 0] > 0, path=None, pairs=False)
    >>> results["probes"]["label"]["linear"] > 0.8
    True
    """
    options = {name: settings.pop(name) for name in INPUT_OPTIONS if name in settings}
    chosen = settings_of(budget, {"seeds": seeds, "seed": seed, **settings})
    files = [given for given in (encoder, data) if isinstance(given, (str, os.PathLike))]
    log = None if path is None else report_outputs(path, [file for file in files if Path(file).is_file()])[2]
    loaded = load_encoder(encoder, layer=layer, endpoint=endpoint, decode=decode, **options)
    material = gather(loaded, data, factors, nuisances, test, chosen)
    if log is not None:
        log.unlink(missing_ok=True)  # remove the log of an earlier report
    with shown(progress, verbose) as say:
        record = measure_embedding(
            material, chosen, title=title, about={"budget": budget}, progress=say, log=log
        )
    if path is not None:
        write_page(record, path)
    return record.results


def report_outputs(path: str | os.PathLike, inputs: list | tuple = ()) -> tuple[Path, Path, Path]:
    """Return the paths of page, results and tracebacks, checked by `keras_ae.files.page_outputs`."""
    page, json_path, log = page_outputs(path, inputs, ENDINGS)
    return page, json_path, log


def write_page(record: EmbeddingRecord, path: str | os.PathLike) -> Path:
    """Write the page of a record to `path`, and its results as JSON next to it."""
    path, json_path = page_outputs(path)
    page = render(TEMPLATE, "evaluation", view=embedding_view(record), json_name=json_path.name)
    try:
        write_atomically(json_path, as_json(record.results))
        return write_atomically(path, page)
    except OSError as error:
        raise InputError(f"The report cannot be written to {path}: {error}.") from error
