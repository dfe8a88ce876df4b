"""`keras-ae encode`: of images or of speech, by a run, a file or an exported artifact."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf  # one trace for inputs of any size

from keras_ae.errors import InputError
from keras_ae.training.datasets import ImageSizeError, stream_images, stream_speech
from keras_ae.training.encode import encode_images, image_input
from keras_ae.training.encode_speech import encode_utterances, waveform_inputs
from keras_ae.training.parsing import parse_shard

SAMPLE_RATE = 16_000  # of speech models that do not say


@dataclass(frozen=True)
class OpenEncoder:
    """The endpoint `encode` of a model or an artifact.

    Attributes:
        path: where it is.
        run: called with `{name: array}`; returns `{name: array}`.
        shapes: `{name: shape}` of its inputs.
        recipe: of the run it comes from, or `None`.
    """

    path: Path
    run: Callable
    shapes: dict
    recipe: object = None

    @property
    def takes_waveforms(self) -> bool:
        """Whether it encodes speech."""
        return waveform_inputs(self.shapes)


def encode_command(
    encoder: OpenEncoder, source, output, *, shard="0/1", batch_size=256, resize=False, sample_rate=None
) -> int:
    """Write the codes of all images or utterances of `source`; arguments as of `keras-ae encode`."""
    shard = parse_shard(shard)
    if encoder.takes_waveforms:
        return _encode_speech(encoder, source, output, shard, sample_rate)
    name, image_shape = image_input(encoder.path, encoder.shapes)
    try:
        stream = stream_images(str(source), image_shape, batch_size, shard, resize=resize)
        progress = _progress(len(stream), "images")
        path = encode_images(lambda images: encoder.run({name: images}), stream, output, progress=progress)
    except ImageSizeError as error:
        raise InputError(f"{error} Or add --resize{_resized_in_training(encoder.recipe)}.") from None
    print(f"{path}: {len(stream)} images")
    return 0


def _encode_speech(encoder, source, output, shard, sample_rate):
    rate = sample_rate or getattr(encoder.recipe, "sample_rate", None) or SAMPLE_RATE
    utterances = stream_speech(str(source), rate, shard)
    progress = _progress(len(utterances), "utterances")
    inputs = set(encoder.shapes)

    def encode(given):
        return encoder.run({name: value for name, value in given.items() if name in inputs})

    path = encode_utterances(encode, utterances, output, progress=progress)
    print(f"{path}: {len(utterances)} utterances")
    return 0


def traced(endpoint):
    """An endpoint, if there is one, as a function of arrays, traced once for inputs of any size."""
    if endpoint is None:
        return None
    names = list(endpoint.inputs)
    signature = [endpoint.inputs[name] for name in names]
    traced = tf.function(lambda *given: endpoint.function(**dict(zip(names, given, strict=True))), signature)
    return lambda given: {
        key: value.numpy() for key, value in traced(*(given[name] for name in names)).items()
    }


def _progress(total, examples):
    """Shows what is done, on a terminal."""
    if not sys.stdout.isatty():
        return None
    return lambda done: print(f"\r{done}/{total} {examples}", end="\n" if done == total else "", flush=True)


def _resized_in_training(recipe):
    """What the error about sizes says of a run whose images were resized."""
    size = getattr(recipe, "image_size", None)
    return f": this run was trained with --image-size {size[0]} {size[1]}" if size else ""
