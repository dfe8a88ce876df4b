import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training.report.plots import LIGHT
from keras_ae.training.report.speech_plots import speech_timeline

FRAMES = np.linspace(0, 1, 50 * 20).reshape(50, 20)


def pixels(png):
    return tf.io.decode_png(png, channels=3).numpy().astype(int)


def test_a_second_is_as_wide_in_every_picture_of_that_length():
    one = pixels(speech_timeline({"input": FRAMES}, 2.0))
    more = pixels(
        speech_timeline({"input": FRAMES, "output": FRAMES}, 2.0, phones=[(0.0, "a")], codes=np.arange(9))
    )
    assert one.shape[1] == more.shape[1] and more.shape[0] > one.shape[0]


def boxes(codes):
    """Colours along the middle of the strip of codes, equal neighbours as one."""
    picture = pixels(speech_timeline({"input": FRAMES}, 1.0, codes=np.array(codes)))
    plain = pixels(speech_timeline({"input": FRAMES}, 1.0))
    row = picture[plain.shape[0] - 80 + 8]  # below the spectrogram, above the axis
    found = [colour for colour, after in zip(row[:-1], row[1:], strict=True) if (colour == after).all()]
    return {tuple(colour) for colour in found} - {(255, 255, 255)}


def test_codes_have_colours_of_their_own():
    assert len(boxes([3] * 10)) < len(boxes([3, 4, 5, 6, 7, 8]))


def test_phones_stand_at_their_time():
    """One phone from 0.5 s on is a box in the right half, and silence none."""
    quiet = pixels(speech_timeline({"input": FRAMES}, 1.0, phones=[(0.0, "_")]))
    half = pixels(speech_timeline({"input": FRAMES}, 1.0, phones=[(0.0, "_"), (0.5, "a")]))
    rule = [int(LIGHT.rule[i : i + 2], 16) for i in (1, 3, 5)]
    tinted = (half == rule).all(-1) & ~(quiet == rule).all(-1)
    columns = np.flatnonzero(tinted.sum(0) > 20)
    axes = np.flatnonzero((np.abs(quiet - 255).sum(-1) > 60).sum(0) > 100)  # the spectrogram
    assert columns.min() == pytest.approx((axes.min() + axes.max()) / 2, abs=6)
    assert columns.max() == pytest.approx(axes.max(), abs=6)


@pytest.mark.parametrize("spectrograms, seconds", [({}, 1.0), ({"input": FRAMES}, 0.0)])
def test_nothing_to_draw_is_refused(spectrograms, seconds):
    with pytest.raises(ValueError, match="at least one spectrogram, and seconds must be positive"):
        speech_timeline(spectrograms, seconds)
