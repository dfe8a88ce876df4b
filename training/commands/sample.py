"""Command `keras-ae sample`: new examples of a model, or of a Gaussian mixture of its embeddings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops, tree

from keras_ae.errors import InputError
from keras_ae.models import GaussianMixtureSampler, GenerativeAutoEncoder
from keras_ae.training.commands._decoded_files import PictureOutput, RowOutput, SoundOutput, pixels_of
from keras_ae.training.commands._encode_tables import RowStream
from keras_ae.training.commands._image_inputs import ModelImages
from keras_ae.training.commands.decode import (
    as_images,
    check_speaker,
    numbered,
    refuse_other_options,
    sample_rate_of,
    waveform_of,
)
from keras_ae.training.commands.opened_model import OpenModel
from keras_ae.training.recipes.option_names import errors_in_options
from keras_ae.training.run_directory.data import files_of_encoder, load_data_of

NUM_COMPONENTS = 10  # of the Gaussian mixture of a model without a prior


def sample_examples(
    opened: OpenModel,
    output: Path,
    *,
    num: int = 16,
    seed: int = 0,
    temperature: float = 1.0,
    labels: Sequence[int] | None = None,
    speaker: str | None = None,
    length: int | None = None,
    num_components: int | None = None,
    data: str | None = None,
    batch_size: int = 256,
) -> Path:
    """Write new examples of a model; the arguments are those of `keras-ae sample --help`.

    Returns:
        the output.

    Raises:
        InputError: the model has no decoder, or is discrete and has no prior; an argument or the output is
            not valid.
    """
    model = opened.needed_model("sample")
    if not hasattr(model, "decode"):
        raise InputError(
            f"RUN of keras-ae sample must have a decoder. Received: {opened.path}, a {type(model).__name__}."
        )
    components = NUM_COMPONENTS if num_components is None else num_components
    if min(num, components, batch_size) < 1 or not temperature > 0:
        raise InputError(
            "--num, --num-components and --batch-size must be at least 1, and --temperature positive. "
            f"Received: --num {num}, --num-components {components}, --batch-size {batch_size}, "
            f"--temperature {temperature:g}"
        )
    refuse_other_options(opened, {"speaker": "speech"}, {"speaker": speaker})
    _refuse_unused(opened, model, length, {"--data": data, "--num-components": num_components})
    conditions = _labels(model, labels, num)
    target = _target(opened, output, num, data)
    if opened.kind == "speech":
        check_speaker(model, opened.speaker_number(speaker))
    model = _with_prior(opened, model, components, data, batch_size)
    drawn: dict[str, Any] = {"seed": seed, "temperature": temperature}
    if isinstance(model, GenerativeAutoEncoder):  # its labels are those of the prior
        drawn, conditions = {**drawn, **conditions}, {}
    elif length is not None:
        drawn["length"] = length
    with errors_in_options("length", "labels"):
        codes = model.sample_codes(num, **drawn)
        path = _write(opened, model, target, codes, conditions, speaker, batch_size)
    print(f"{path}: {num} examples, seed {seed}")
    return path


def _refuse_unused(opened, model, length, of_mixture):
    """Raise an error for options that a model would not use; `of_mixture` are those of the mixture."""
    given = [option for option, value in of_mixture.items() if value is not None]
    if model.generative and given:
        raise InputError(
            f"{' and '.join(given)} must be used only with a model without a prior, to whose embeddings a "
            f"Gaussian mixture is fitted. Received: {opened.path}, which has a prior."
        )
    wrapped = isinstance(model, (GenerativeAutoEncoder, GaussianMixtureSampler))
    if length is not None and (wrapped or None not in getattr(model, "code_shape", (None,))):
        raise InputError(
            "--length must be used only with a model of sequences of any length. "
            f"Received: {opened.path}, whose examples have one size."
        )


def _target(opened, output, num, data):
    """Return the output of the kind of the data, checked."""
    inputs = [*files_of_encoder(opened.path), *([] if data is None else [data])]
    if opened.kind == "speech":
        return SoundOutput(output, numbered(num), inputs)
    if opened.kind == "tables":
        return RowOutput(output, opened.columns, num, inputs)
    return PictureOutput(output, numbered(num), inputs)


def _write(opened, model, target, codes, conditions, speaker, batch_size):
    """Decode the codes, or the embedding, to the output."""
    if opened.kind == "speech":
        frames, chosen = ops.convert_to_numpy(codes), opened.speaker_number(speaker)
        waveform = lambda row: waveform_of(model, frames[row : row + 1], chosen, None)  # noqa: E731
        return target.write(waveform, sample_rate_of(opened))
    if opened.kind == "tables":
        return target.write(lambda rows: _decoded(model, codes, conditions, rows)[1], batch_size)
    return target.write(_pictures(opened, model, codes, conditions), batch_size)


def _decoded(model, codes, conditions, rows):
    """Return the codes, or the embedding, of some rows, and what they are decoded to."""
    part = tree.map_structure(lambda values: ops.take(values, rows, axis=0), codes)
    given = {name: values[rows] for name, values in conditions.items()}
    return part, model.decode(part, **given)


def _pictures(opened, model, codes, conditions):
    """Return a function of row numbers that returns the images, and the codes or embedding, of these rows."""

    def pictures(rows):
        part, decoded = _decoded(model, codes, conditions, rows)
        images = pixels_of(as_images(decoded), opened.preprocessing)
        if isinstance(part, dict):
            return {"images": images, **{f"{level}_codes": np.asarray(part[level]) for level in part}}
        name = "codes" if "int" in str(part.dtype) else "embedding"
        return {"images": images, name: np.asarray(part)}

    return pictures


def _labels(model, labels, num):
    """Return `{"labels": one for each example}` of a model with labels, else `{}`."""
    priors = getattr(model, "priors", ())
    needed = any(prior.settings["num_labels"] for prior in priors) or "labels" in model.decoder_conditions(
        None
    )
    if needed != (labels is not None):
        wanted = "given, since the model has labels" if needed else "left out, since the model has none"
        raise InputError(f"--labels must be {wanted}. Received: {'none' if labels is None else labels}")
    if labels is None:
        return {}
    labels = np.asarray(labels, "int32")
    if len(labels) not in (1, num):
        raise InputError(f"--labels must be one number, or {num}, one for each. Received: {len(labels)}")
    return {"labels": np.broadcast_to(labels, (num,))}


def _with_prior(opened, model, num_components, data, batch_size):
    """Return a model with a prior: `model`, or a Gaussian mixture of the embeddings of images or rows."""
    if model.generative:
        return model
    if getattr(model, "discrete", False):
        advice = f"Train one: keras-ae train vqvae-prior --model {opened.path}"
        if opened.kind == "tables":
            advice = "Train one from Python: GenerativeAutoEncoder.from_auto_encoder(model)."
        raise InputError(
            f"RUN must have a prior over its codes for keras-ae sample. Received: {opened.path} without one. "
            f"{advice}"
        )
    if opened.kind not in ("images", "tables"):
        model.sample_codes(1)  # raises the error of the model
    sampler = GaussianMixtureSampler(model, num_components)
    sampler.adapt(_training_examples(opened, model, data, batch_size))
    print(
        f"{opened.path} has no prior: a Gaussian mixture of {num_components} components was fitted to the "
        f"embeddings of {int(sampler.num_adapted.value):,} {'rows' if opened.columns else 'images'}."
    )
    return sampler


def _training_examples(opened, model, data, batch_size):
    """Return batches of the training images or rows of the run, or of those in `data`."""
    if data is not None and opened.columns is not None:
        return iter(RowStream(data, opened.columns, batch_size))
    if data is not None:
        return iter(ModelImages(opened, data, model.sample_shape, batch_size, resize=True))
    if opened.run is None:
        raise InputError(
            f"--data must be given, since {opened.path} has no prior, and is no run that contains its data. "
            "Pass the examples to whose embeddings a Gaussian mixture is fitted."
        )
    _, examples = load_data_of(opened.run)
    return examples.train.batches(batch_size)
