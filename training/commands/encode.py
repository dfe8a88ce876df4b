"""Command `keras-ae encode`: encoding of images, speech or text by a run, a file or an artifact."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # one trace for inputs of any size

from keras_ae.errors import InputError
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.progress import counted
from keras_ae.text import Vocabulary
from keras_ae.training.commands._encode_images import checked_output, encode_images, image_input
from keras_ae.training.commands._encode_speech import encode_utterances, waveform_inputs
from keras_ae.training.commands._encode_tables import RowStream
from keras_ae.training.commands._encode_text import encode_sentences, of_ids, read_sentences
from keras_ae.training.commands._image_inputs import ModelImages
from keras_ae.training.datasets import stream_speech
from keras_ae.training.run_directory.data import files_of_encoder

# kind of data for which an option is valid
OPTIONS = {"resize": "images", "sample_rate": "speech", "scale": "images", "encoding": "text"}
OPTIONS |= {"channels": "images", "skip_broken": "images and speech"}


@dataclass(frozen=True)
class OpenEncoder:
    """Endpoint `encode` of a model or an artifact.

    Attributes:
        path: path of the model or artifact.
        run: function of `{name: array}` that returns `{name: array}`; `None`: there is no such endpoint.
        shapes: `{name: shape}` of its inputs.
        recipe: recipe of its run, or `None`.
        encode_text: function of a list of str that returns `{name: array}`; `None`: not an encoder of text.
        preprocessing: how raw data are converted to its inputs; `None` if unknown.
    """

    path: Path
    run: Callable | None
    shapes: dict
    recipe: object = None
    encode_text: Callable | None = None
    preprocessing: Preprocessing | None = None

    @property
    def takes_waveforms(self) -> bool:
        """Whether the inputs are waveforms."""
        return waveform_inputs(self.shapes)

    @property
    def columns(self) -> tuple[dict[str, Any], ...] | None:
        """Columns of the table that it encodes; `None` for other data."""
        return None if self.preprocessing is None else self.preprocessing.columns

    def encode(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs `{name: array}` of the endpoint.

        Raises:
            InputError: there is no such endpoint.
        """
        if self.run is None:
            raise InputError(
                f"{self.path} must have an endpoint `encode`. Received: none. "
                "Call the model from Python instead."
            )
        return self.run(inputs)


def encoder_of_model(
    path: Path,
    endpoint: Any,
    vocabulary: Vocabulary | None,
    recipe: Any,
    preprocessing: Preprocessing | None = None,
) -> OpenEncoder:
    """Return the encoder of a model; endpoint, vocabulary, recipe and preprocessing may be `None`."""
    specs = {} if endpoint is None else endpoint.inputs
    shapes = {name: tuple(spec.shape) for name, spec in specs.items()}
    encode = traced(endpoint)
    encode_text = None
    if encode is not None and vocabulary is not None and "ids" in shapes:
        encode_text = of_ids(encode, vocabulary)
    return OpenEncoder(path, encode, shapes, recipe, encode_text, preprocessing)


def encoder_of_artifact(path: Path, artifact: Any) -> OpenEncoder:
    """Return the encoder of an `export.Artifact`; an ONNX file for text needs its vocabulary next to it."""
    endpoints = artifact.manifest["endpoints"]
    inputs = endpoints.get("encode", {}).get("inputs", {})
    shapes = {name: tuple(entry["shape"]) for name, entry in inputs.items()}
    encode, words = lambda given: artifact.run("encode", **given), artifact.path / "vocabulary.txt"
    encode_text = None
    if "encode_text" in endpoints:
        encode_text = lambda sentences: artifact.run("encode_text", text=_strings(sentences))  # noqa: E731
    elif "ids" in shapes and words.is_file():
        encode_text = of_ids(encode, Vocabulary.load(words))
    return OpenEncoder(path, encode, shapes, None, encode_text, artifact.preprocessing)


def _strings(sentences):
    return np.array([sentence.encode("utf-8", "replace") for sentence in sentences], object)


def encode_examples(
    encoder: OpenEncoder,
    source: str | Path,
    output: str | Path,
    *,
    shard: str = "0/1",
    batch_size: int = 256,
    resize: bool = False,
    sample_rate: int | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    encoding: str | None = None,
    scale: float | None = None,
) -> int:
    """Write the codes of all examples of `source`; the arguments are those of `keras-ae encode`."""
    shard = parse_shard(shard)
    output = checked_output(output, [*files_of_encoder(encoder.path), source])
    options = {"resize": resize, "sample_rate": sample_rate, "scale": scale, "encoding": encoding}
    _refuse_options_of_others(encoder, **options, channels=channels, skip_broken=skip_broken)
    if encoder.encode_text is not None:
        return _encode_text(encoder, source, output, shard, batch_size, encoding)
    if "ids" in encoder.shapes:
        raise InputError(
            f"{encoder.path} must have a vocabulary to encode text, because its inputs are word ids. "
            "Encode with its run or its SavedModel, or put the vocabulary.txt of the export next to the file."
        )
    if encoder.columns is not None:
        return _encode_rows(encoder, source, output, shard, batch_size)
    if encoder.takes_waveforms:
        return _encode_speech(encoder, source, output, shard, sample_rate, skip_broken)
    return _encode_images(encoder, source, output, shard, batch_size, resize, scale, channels, skip_broken)


def parse_shard(text: str) -> tuple[int, int]:
    """Convert `"i/n"` to `(i, n)`."""
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise InputError(f"--shard must be i/n with 0 <= i < n, such as 0/4. Received: --shard {text}")
    return int(index), int(count)


def _refuse_options_of_others(encoder, **options):
    """Raise an `InputError` for options of another kind of data."""
    kind = "text" if "ids" in encoder.shapes or encoder.encode_text else "images"
    kind = "speech" if encoder.takes_waveforms else kind
    kind = "tables" if encoder.columns is not None else kind
    for name, value in options.items():
        if value not in (None, False) and kind not in OPTIONS[name]:
            raise InputError(
                f"--{name.replace('_', '-')} must be used only with {OPTIONS[name]}. "
                f"Received: {encoder.path}, which encodes {kind}."
            )


def _encode_images(encoder, source, output, shard, batch_size, resize, scale, channels, skip_broken):
    name, image_shape = image_input(encoder.path, encoder.shapes)
    options = {"resize": resize, "scale": scale, "channels": channels, "skip_broken": skip_broken}
    images = ModelImages(encoder, source, image_shape, batch_size, shard, **options)
    with counted(len(images), "images") as progress:
        path = encode_images(lambda batch: encoder.encode({name: batch}), images, output, progress=progress)
    print(f"{path}: {len(images)} images")
    return 0


def _encode_rows(encoder, source, output, shard, batch_size):
    stream = RowStream(source, encoder.columns, batch_size, shard)
    with counted(len(stream), "rows") as progress:
        path = encode_images(lambda rows: encoder.encode({"x": rows}), stream, output, progress=progress)
    print(f"{path}: {len(stream)} rows")
    return 0


def _encode_speech(encoder, source, output, shard, sample_rate, skip_broken):
    known = encoder.preprocessing or Preprocessing(modality="speech")
    rate = _sample_rate(encoder.path, known.sample_rate, sample_rate)
    level = stored_level(known)
    utterances = stream_speech(str(source), rate, shard, level=level, skip_broken=skip_broken)
    inputs = set(encoder.shapes)

    def encode(given):
        return encoder.encode({name: value for name, value in given.items() if name in inputs})

    with counted(len(utterances), "utterances") as progress:
        path = encode_utterances(encode, utterances, output, progress=progress)
    print(f"{path}: {len(utterances)} utterances")
    return 0


def _sample_rate(path, own, asked):
    """Return the sample rate in Hz of the model, or `asked` if the model does not contain it."""
    if asked is not None and asked < 1:
        raise InputError(f"--sample-rate must be at least 1 Hz. Received: {asked}")
    if own is None and asked is None:
        raise InputError(
            f"{path} does not contain the sample rate of its waveforms. "
            "Pass the rate of its training data with --sample-rate."
        )
    if own is not None and asked not in (None, own):
        raise InputError(
            f"--sample-rate must be that of the model, {own} Hz. Received: {asked}. "
            f"Leave it out: recordings are resampled to {own} Hz."
        )
    return own or asked


def stored_level(preprocessing: Preprocessing | None) -> str | None:
    """Return the level of a model's training, as an argument of `stream_speech`."""
    level = "rms" if preprocessing is None or preprocessing.level is None else preprocessing.level
    return None if level == "none" else level


def _encode_text(encoder, source, output, shard, batch_size, encoding):
    sentences = read_sentences(source, shard, encoding)
    options = {"batch_size": batch_size}
    with counted(None, "sentences") as progress:
        path = encode_sentences(encoder.encode_text, sentences, output, **options, progress=progress)
    with np.load(path) as file:
        number = len(file["lines"])
    print(f"{path}: {number} sentences")
    return 0


def traced(endpoint: Any) -> Callable | None:
    """Convert an endpoint, if any, to a function of arrays that is traced once for inputs of any size."""
    if endpoint is None:
        return None
    names = list(endpoint.inputs)
    signature = [endpoint.inputs[name] for name in names]
    traced = tf.function(lambda *given: endpoint.function(**dict(zip(names, given, strict=True))), signature)
    return lambda given: {
        key: value.numpy() for key, value in traced(*(given[name] for name in names)).items()
    }
