"""Means of parts of a sequence against a loop over positions, with padding, and their gradient."""

import numpy as np
import pytest
from keras import ops

from keras_ae.layers import SegmentMeans

X = np.random.default_rng(0).normal(size=(4, 11, 3)).astype("float32")
LENGTHS = np.array([11, 3, 8, 1])


def by_fine_steps(x, segments):
    """Each position repeated, so that segments fall between copies."""
    return np.repeat(x, segments, axis=0).reshape(segments, len(x), -1).mean(axis=1)


@pytest.mark.parametrize("segments", [1, 2, 8])
def test_real_positions_are_shared_out_in_equal_parts(segments):
    mask = np.arange(11) < LENGTHS[:, None]
    garbage = np.where(mask[..., None], X, np.nan).astype("float32")
    means = SegmentMeans(segments)(garbage, mask=ops.convert_to_tensor(mask))
    expected = [by_fine_steps(x[:length], segments) for x, length in zip(X, LENGTHS, strict=True)]
    np.testing.assert_allclose(means, expected, atol=1e-5)  # weights of float32 thirds


def test_without_a_mask_all_positions_are_real():
    np.testing.assert_allclose(SegmentMeans(4)(X), [by_fine_steps(x, 4) for x in X], atol=1e-5)


def test_padding_alone_is_zero_and_there_is_no_mask_after_it():
    layer = SegmentMeans(2)
    mask = ops.zeros((4, 11), "bool")
    assert not np.any(layer(X, mask=mask))
    assert layer.compute_mask(X, mask) is None
    with pytest.raises(ValueError, match="segments must be at least 1"):
        SegmentMeans(0)
