"""Command `keras-ae convert`: conversion of a recording to another speaker's voice."""

from pathlib import Path

import numpy as np

from keras_ae import audio
from keras_ae.errors import InputError
from keras_ae.files import output_paths, write_atomically
from keras_ae.layers import LogMelSpectrogram
from keras_ae.models.preprocessing import preprocessing_of
from keras_ae.training.commands.encode import stored_level
from keras_ae.training.datasets import stream_speech
from keras_ae.training.datasets.speech.waveforms import levelled, silence_of
from keras_ae.training.run import Run, load_model
from keras_ae.training.run_directory.data import files_of_encoder


def convert(
    model: Path,
    source: Path,
    target: str,
    output: Path,
    *,
    iterations: int = 64,
    skip_broken: bool = False,
) -> list[Path]:
    """Convert the recordings of `source` to the voice of `target` and write them.

    Args:
        model: a run directory, or a `.keras` file of a voice converter.
        source: a wav, flac, ogg or mp3 file, or a folder of them.
        target: a recording of the voice; for a model with a table of speakers, the name or the number
            of a speaker of its training data.
        output: a .wav file; a folder if `source` is a folder.
        iterations: number of iterations of Griffin-Lim.
        skip_broken: leave out recordings of `source` that cannot be read; otherwise they are an error.

    Returns:
        the files.

    Raises:
        InputError: the model is not a voice converter; a recording cannot be read; the output does not
            have the name of a .wav file, or cannot be written; an output is one of the inputs, lies outside
            the output folder, or coincides with another output.
    """
    converter, speakers = _converter(model)
    rate = _sample_rate(converter, model)
    _check_output(source, output)
    level = stored_level(preprocessing_of(converter))
    voice = _voice(converter, target, speakers, rate, level)
    utterances = stream_speech(str(source), rate, level=level, skip_broken=skip_broken)
    inputs = [*files_of_encoder(model), target, source, *getattr(utterances.store, "paths", ())]
    names, written = utterances.names, []
    paths = dict(zip(names, _outputs(source, output, names, inputs), strict=True))
    for name, waveform in utterances:
        frames = converter.convert({"x": waveform[None]}, voice)
        converted = converter.to_waveform(frames, iterations=iterations)
        written.append(_write(paths[name], np.asarray(converted)[0], rate))
        print(f"{written[-1]}: {name}, {len(waveform) / rate:.2f} s, in the voice of {target}", flush=True)
    return written


def _converter(path):
    """Return `(model, names of its speakers)`."""
    path = Path(path)
    if path.suffix == ".keras":
        model, speakers = load_model(path), ()
    else:
        run = Run.open(path)
        model, speakers = run.load_model(), run.config.get("data", {}).get("speaker_names", ())
    if not hasattr(model, "convert"):
        raise InputError(
            "RUN must be a run of adain-voice-conversion or adversarial-voice-conversion. "
            f"Received: {path}, a {type(model).__name__}, which does not convert voices."
        )
    return model, list(speakers)


def _sample_rate(converter, path):
    """Return the sample rate in Hz that the front end of the model expects."""
    layers = () if converter.front_end is None else converter.front_end.layers
    for layer in layers:
        if isinstance(layer, LogMelSpectrogram):
            return layer.sample_rate
    raise InputError(
        "The model must have a front end with LogMelSpectrogram. Received: "
        f"{path}, which converts frames instead of recordings. Call its convert() from Python instead."
    )


def _voice(converter, target, speakers, rate, level):
    """Return the target argument of the model's `convert`."""
    if converter.speaker_encoder is not None:
        stream = stream_speech(str(target), rate, level=level)
        if len(stream) != 1:
            raise InputError(f"The target must be one recording. Received: {len(stream)} in {target}")
        waveform = stream.store.waveform(stream.rows[0])
        if reason := silence_of(waveform):
            raise InputError(
                f"The target must be a recording of a voice. Received: {target}, which is {reason}."
            )
        return {"x": levelled(waveform, level)[None]}
    count = converter.num_speakers
    if target in speakers:
        return np.array([speakers.index(target)], "int32")
    if target.isdecimal() and int(target) < count:
        return np.array([int(target)], "int32")
    known = ", ".join(speakers[:20]) + (" ..." if len(speakers) > 20 else "")
    raise InputError(
        f"The target must be the name or number of one of the {count} speakers of this model"
        f"{': ' + known if known else ''}. "
        f"Received: {target}. A model with a speaker encoder converts to the voice of any recording."
    )


def _check_output(source, output):
    """Raise an error if output and source are not both files or both folders."""
    source, output = Path(source), Path(output)
    if source.is_dir():
        if output.suffix == ".wav" or output.is_file():
            raise InputError(f"{source} is a folder, so the output must be one. Received: {output}")
    elif output.suffix.lower() != ".wav" or output.is_dir():
        raise InputError(f"The output must be the name of a .wav file. Received: {output}")
    elif not source.is_file():
        raise InputError(
            f"{source} does not exist: the source must be a recording or a folder of recordings."
        )


def _outputs(source, output, names, inputs):
    """Return the files to write, none of which is an input."""
    if not Path(source).is_dir():
        return output_paths([output], inputs=inputs)
    files = [Path(name).with_suffix(".wav") for name in names]
    return output_paths(files, inputs=inputs, folder=output, sources=names)


def _write(path, waveform, rate):
    try:
        write_atomically(path, audio.wav_bytes(waveform, rate))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from None
    return path
