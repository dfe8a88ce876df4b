"""Command `keras-ae interpolate`: decoded points between the embeddings of two examples."""

from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import write_atomically
from keras_ae.models.exploration import check_path
from keras_ae.training.commands._decoded_files import PictureOutput, pixels_of
from keras_ae.training.commands._encode_images import image_input
from keras_ae.training.commands._image_inputs import ModelImages
from keras_ae.training.commands.decode import as_images, numbered, refuse_other_options, text_output
from keras_ae.training.commands.opened_model import OpenModel
from keras_ae.training.recipes.option_names import errors_in_options
from keras_ae.training.run_directory.data import files_of_encoder

OPTIONS = {"resize": "images", "decoder": "text", "beam_size": "text"}


def interpolate_examples(
    opened: OpenModel,
    first: str,
    second: str,
    output: Path,
    *,
    steps: int = 8,
    path: str = "linear",
    resize: bool = False,
    decoder: str | None = None,
    beam_size: int | None = None,
) -> Path:
    """Write the points between pairs of examples; the arguments are those of `keras-ae interpolate --help`.

    Returns:
        the output.

    Raises:
        InputError: the model has no decoder, or is one of recordings; the examples or the output are not
            valid.
    """
    model = opened.needed_model("interpolate")
    options = {"decoder": decoder, "beam_size": beam_size}
    refuse_other_options(opened, OPTIONS, {"resize": resize, **options})
    with errors_in_options("steps", "path", *options):
        check_path(steps, path)
        if opened.kind == "text":
            given = {name: value for name, value in options.items() if value is not None}
            return _write_sentences(opened, (first, second), output, steps, {"path": path, **given})
    if opened.kind != "images":
        raise InputError(
            "RUN of keras-ae interpolate must be a model of images or sentences. "
            f"Received: {opened.path}, a model of {opened.kind}. Call interpolate() from Python instead."
        )
    _, shape = image_input(opened.path, opened.inputs["encode"])
    pair = [ModelImages(opened, source, shape, 256, resize=resize) for source in (first, second)]
    if len(pair[0]) != len(pair[1]):
        raise InputError(
            "FIRST and SECOND must contain the same number of images. "
            f"Received: {len(pair[0])} and {len(pair[1])}."
        )
    names = [f"{name}-{step}" for name in numbered(len(pair[0])) for step in numbered(steps)]
    target = PictureOutput(output, names, [*files_of_encoder(opened.path), first, second])
    ends = [np.concatenate(list(images)) for images in pair]
    labels = [f"{share:.0%}" for share in np.linspace(0, 1, steps)]
    batch_size = max(1, 256 // steps) * steps
    pictures = _pictures(opened, model, ends, steps, path)
    written = target.write(pictures, batch_size, columns=steps, column_labels=labels)
    print(f"{written}: {len(pair[0])} x {steps} images")
    return written


def _write_sentences(opened, ends, output, steps, options):
    (target,) = text_output(output, files_of_encoder(opened.path))
    texts = opened.model.interpolate(*ends, steps, **options)
    write_atomically(target, "".join(f"{text}\n" for text in texts))
    print(f"{target}: {len(texts)} sentences")
    return target


def _pictures(opened, model, ends, steps, path):
    """Return a function of numbers of points, in the order of the pairs, that returns their images."""

    def pictures(rows):
        examples = np.unique(rows // steps)
        found = np.asarray(model.interpolate(*(images[examples] for images in ends), steps, path=path))
        found = found.reshape(-1, *found.shape[2:])[rows - examples[0] * steps]
        return {"images": pixels_of(as_images(found), opened.preprocessing)}

    return pictures
