"""Normalisation of frames by statistics of the training data, stored with the model."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class FrameNormalization(Float32Layer):
    """Standardisation of each channel by mean and deviation over the real frames of a data set.

    ```
    y = (x - mean) / max(sqrt(variance), epsilon),   0 where padded
    mean_c     = sum_i x_ic / n
    variance_c = sum_i (x_ic - mean_c)^2 / n
    ```

    `i` runs over all `n` real frames passed to `adapt`: those of the training data, never those of the
    validation or test data. The statistics are weights that no optimiser changes; before `adapt` they are
    0 and 1, as in `keras.layers.Normalization`, which takes no mask. An example is normalised alone as in
    any batch. `denormalize` is the inverse. Float32 under every dtype policy.

    Args:
        epsilon: least deviation, in units of the input: a constant channel becomes 0 instead of noise.

    Call arguments:
        x: `(batch, frames, channels)`.
        mask: `(batch, frames)`, 1 = real.

    Output shape:
        as `x`, in the compute dtype.

    Raises:
        ValueError: for an unknown number of channels.

    Example:

    >>> layer = FrameNormalization()
    >>> layer.adapt([{"x": np.array([[[1.0], [3.0], [99.0]]]), "lengths": np.array([2])}])
    >>> layer(np.array([[[1.0], [5.0]]])).numpy().tolist()
    [[[-1.0], [3.0]]]
    """

    def __init__(self, *, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if input_shape[-1] is None:
            raise ValueError(
                f"The input of FrameNormalization '{self.name}' must have a known number of channels. "
                f"Received: shape {tuple(input_shape)}"
            )
        options = {"shape": (input_shape[-1],), "dtype": "float32", "autocast": False, "trainable": False}
        self.mean = self.add_weight(initializer="zeros", name="mean", **options)
        self.variance = self.add_weight(initializer="ones", name="variance", **options)

    def adapt(self, batches: Any, front_end: keras.Layer | None = None) -> None:
        """Replace the statistics by those of the real frames of `batches`, in one pass.

        Args:
            batches: an iterable of batches, or a single batch: `x`, `(x, mask)` or `{"x":[,
                "lengths":]}`, where `x` is `(batch, frames, channels)`.
            front_end: a layer or model that computes frames, with their mask, from the values in
                `batches`, such as `LogMelSpectrogram` for waveforms; `None`: the batches contain frames.

        Raises:
            ValueError: if there is no real frame, frames are not finite, or the front end loses the mask.
        """
        total = _Moments()
        for batch in [batches] if _is_one_batch(batches) else batches:
            frames = _real_frames(batch, front_end)
            if not self.built:
                self.build((None, None, frames.shape[-1]))
            total.add(frames)
        if not total.count or not np.isfinite(total.squares).all():
            raise ValueError(
                "FrameNormalization.adapt: the frames must be finite, and at least one of them must be real. "
                f"Received: {total.count} real frames, mean {total.mean}"
            )
        self.mean.assign(total.mean)
        self.variance.assign(total.squares / total.count)

    def call(self, x: Any, mask: Any | None = None) -> Any:
        y = (ops.cast(x, "float32") - ops.convert_to_tensor(self.mean)) / self._deviation()
        return ops.cast(zero_padding(y, mask), self.compute_dtype)

    def denormalize(self, y: Any) -> Any:
        """Return the frames that `call` maps to `y`: `mean + y * deviation`, float32."""
        return ops.cast(y, "float32") * self._deviation() + ops.convert_to_tensor(self.mean)

    def _deviation(self):
        return ops.maximum(ops.sqrt(ops.convert_to_tensor(self.variance)), self.epsilon)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


class _Moments:
    """Running count, mean and sum of squared deviations, float64 (Chan et al., 1979)."""

    def __init__(self):
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, frames):
        if not len(frames):
            return
        mean = frames.mean(axis=0)
        shift, count = mean - self.mean, self.count + len(frames)
        self.squares += np.square(frames - mean).sum(axis=0)
        self.squares += np.square(shift) * (self.count * len(frames) / count)
        self.mean += shift * (len(frames) / count)
        self.count = count


def _is_one_batch(batches):
    return isinstance(batches, (dict, tuple)) or (hasattr(batches, "shape") and hasattr(batches, "ndim"))


def _real_frames(batch, front_end):
    """Return `(real frames, channels)` float64 of one batch."""
    x, mask = batch if isinstance(batch, tuple) else (batch, None)
    if isinstance(batch, dict):
        x, lengths = batch["x"], batch.get("lengths")
        if lengths is not None:
            mask = np.arange(x.shape[1]) < np.asarray(lengths)[:, None]
    if front_end is not None:
        x, mask = _frames_of(front_end, x, mask)
    x = np.asarray(x, "float64")
    return x.reshape(-1, x.shape[-1]) if mask is None else x[np.asarray(mask).astype(bool)]


def _frames_of(front_end, x, mask):
    if mask is None:
        return front_end(x), None
    frames = front_end(x, mask=ops.convert_to_tensor(mask))
    if getattr(frames, "_keras_mask", None) is None:
        raise ValueError(
            f"FrameNormalization.adapt: the front end {front_end.name!r} must keep the mask. "
            "Received: frames without a mask"
        )
    return frames, frames._keras_mask
