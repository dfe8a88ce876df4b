"""A conversion moved by what the voice misses of the target."""

from keras import ops

from keras_ae.layers.speech.global_variance import band_moments

SMALL, LARGEST = 0.05, 2.0  # beside the deviation of a band; the most that it is widened


def matched(frames, mask, own, target, target_mask):
    """`frames`, said in the voice of a target, with mean and deviation of each band as the target has them.

    ```
    y     = mean(frames) + scale (frames - mean(frames)) + shift           for each band, over real frames
    shift = mean(target) - mean(own),    scale = (sd(target) + 0.05) / (sd(own) + 0.05) in [1/2, 2]
    ```

    `own` are the target's words, said in its voice by the same decoder. The words are in both and cancel
    out; what is left is what the voice vector does not tell of the target and its microphone. Mean and
    deviation of the target itself would bring its words along, which is why one utterance does not do for a
    plain shift. Of voices that were heard in training it is next to nothing.

    Args:
        frames: `(batch, frames, mels)` under `mask` `(batch, frames)`.
        own, target: `(batch, target frames, mels)` under `target_mask`.

    Returns:
        as `frames`.
    """
    mean, _ = band_moments(frames, mask)
    own_mean, own_variance = band_moments(own, target_mask)
    target_mean, target_variance = band_moments(target, target_mask)
    scale = (ops.sqrt(target_variance) + SMALL) / (ops.sqrt(own_variance) + SMALL)
    scale = ops.clip(scale, 1.0 / LARGEST, LARGEST)[:, None]
    moved = mean[:, None] + scale * (ops.cast(frames, "float32") - mean[:, None])
    return ops.cast(moved + (target_mean - own_mean)[:, None], frames.dtype)
