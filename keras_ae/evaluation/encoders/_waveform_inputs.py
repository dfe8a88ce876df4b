"""Conversion of waveforms to the inputs of an encoder that was made elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders._sequence_inputs import Part, sequence_inputs


class WaveformInputs:
    """Conversion of waveforms `{"x": (batch, samples), "lengths":}` to the inputs of an encoder.

    Args:
        inputs: `{name: (shape, dtype)}` of the encoder; samples are on axis 1, or on axis 2 behind an axis of
            one channel.
        sample_rate: sample rate in Hz.

    Raises:
        InputError: the encoder has other inputs than values, a mask and lengths.
    """

    modality = "speech"

    def __init__(self, inputs: Mapping[str, tuple], sample_rate: int):
        self.sample_rate = sample_rate
        self.names = sequence_inputs(inputs, "waveforms")
        shape, dtype = inputs[self.names.x]
        one_channel = len(shape) == 3 and 1 in shape[1:]
        if dtype is None or np.dtype(dtype).kind != "f" or not (len(shape) == 2 or one_channel):
            raise InputError(
                "sample_rate must be used only with an encoder of waveforms, (batch, samples), (batch, 1, "
                f"samples) or (batch, samples, 1) floats. Received: the input {self.names.x} {shape}"
            )

    def parts(self, batch: Any) -> Iterator[Part]:
        """Yield `(rows, {name: input}, real positions)` of waveforms."""
        if isinstance(batch, Mapping):
            x, lengths = np.asarray(batch["x"]), np.asarray(batch["lengths"])
        else:
            x = np.asarray(batch)
            lengths = np.full(len(x), x.shape[1] if x.ndim > 1 else 0)
        if x.ndim != 2:
            raise InputError(
                f"waveforms must be (examples, samples), with their lengths. Received: shape {x.shape}"
            )
        yield from self.names.parts(x.astype("float32"), lengths)

    def describe(self) -> dict[str, Any]:
        """Return the conversion, serialisable as JSON, with a sentence."""
        fixed, found = self.names.positions, {"modality": self.modality, "sample_rate": self.sample_rate}
        if fixed is not None:
            found["samples"] = fixed
            how = f"are cut or padded with zeros to {fixed:,} samples"
        elif self.names.mask is not None or self.names.lengths is not None:
            how = f"are padded, with {self.names.mask or self.names.lengths} for their real samples"
        else:
            how = "are passed without padding"
        text = f"Waveforms at {self.sample_rate:,} Hz {how}; their level is unchanged."
        return {**found, "text": text}
