"""Pictures of speech: spectrograms above the phones and codes at the same times."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_ae.training.report.plots import FONT_SIZE, LIGHT, Theme, new_figure, style_axes, to_png

INCHES_A_SECOND = 3.4
WIDTH = (6.0, 16.0)  # minimum and maximum in inches
SPECTROGRAM, STRIP = 1.25, 0.32  # inches
PAUSE = ("", "_", "_:", "sil")  # names of phones for silence
TINTS = 12  # number of colours of the codes; codes of one colour are distinguished by their numbers
NARROW = 0.11  # width of a number in inches


def speech_timeline(
    spectrograms: Mapping[str, np.ndarray],
    seconds: float,
    *,
    phones: Sequence[tuple[float, str]] = (),
    codes: np.ndarray | None = None,
    title: str = "",
    theme: Theme = LIGHT,
) -> bytes:
    """Draw spectrograms of one utterance over a common time axis, with its phones and codes below.

    Args:
        spectrograms: `{label: (frames, bands)}`, each stretched to the whole duration; all use the colour
            scale of the first.
        seconds: duration of the utterance in seconds.
        phones: `(start in seconds, name)` in temporal order; each lasts until the next one.
        codes: int `(codes,)` of equal duration, or `None`. Equal neighbours are drawn as one.
        title: text above the picture.
        theme: colours.

    Returns:
        PNG bytes.

    Raises:
        ValueError: there is no spectrogram, or the duration is not positive.

    Example:

    >>> frames = np.random.default_rng(0).random((50, 20))
    >>> speech_timeline({"input": frames}, 0.5, phones=[(0.0, "a")], codes=np.arange(25) // 5)[1:4]
    b'PNG'
    """
    if not spectrograms or not seconds > 0:
        raise ValueError(
            "spectrograms must contain at least one spectrogram, and seconds must be positive. "
            f"Received: {len(spectrograms)} spectrograms, {seconds} seconds"
        )
    heights = [SPECTROGRAM] * len(spectrograms) + [STRIP] * (bool(len(phones)) + (codes is not None))
    width = float(np.clip(INCHES_A_SECOND * seconds, *WIDTH))
    figure = new_figure(width, sum(heights) + 0.9, theme, layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for axes in rows:
        style_axes(axes, theme, title="", x="", y="")
        axes.grid(False)
        axes.set(yticks=[], xlim=(0, seconds))
    rows[0].set_title(title, loc="left", fontsize=FONT_SIZE + 1.5, color=theme.ink, parse_math=False)
    rows[-1].set_xlabel("seconds", fontsize=FONT_SIZE, color=theme.muted)
    lowest, highest = np.percentile(next(iter(spectrograms.values())), [2, 99.5])
    for axes, (label, frames) in zip(rows, spectrograms.items(), strict=False):
        extent = (0, seconds, 0, frames.shape[1])
        shown = {"vmin": lowest, "vmax": highest, "cmap": "magma", "interpolation": "nearest"}
        axes.imshow(frames.T, origin="lower", aspect="auto", extent=extent, **shown)
        _label(axes, label, theme)
    strips = iter(rows[len(spectrograms) :])
    if len(phones):
        starts, names = zip(*phones, strict=True)
        _strip(next(strips), [*starts, seconds], names, "phones", width / seconds, theme)
    if codes is not None:
        _codes(next(strips), np.asarray(codes), seconds, width / seconds, theme)
    return to_png(figure)


def _codes(axes, codes, seconds, inches, theme):
    """Draw the strip of the codes, equal neighbours as one box."""
    borders = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1)) if len(codes) else np.zeros(0, int)
    edges = [*(borders * seconds / max(len(codes), 1)), seconds]
    _strip(axes, edges, [str(codes[i]) for i in borders], "codes", inches, theme, codes[borders] % TINTS)


def _strip(axes, edges, names, label, inches, theme, tints=None):
    """Draw boxes between the edges, with the names that fit into them."""
    colours = [(*_tint(tint), 0.45) for tint in tints] if tints is not None else None
    for i, name in enumerate(names):
        start, end = edges[i], edges[i + 1]
        pause = tints is None and name in PAUSE
        face = colours[i] if colours is not None else (theme.background if pause else theme.rule)
        axes.axvspan(start, end, facecolor=face, edgecolor=theme.background, linewidth=0.8)
        if not pause and (end - start) * inches > NARROW * max(1, 0.6 * len(name)):
            middle = (start + end) / 2
            style = {"ha": "center", "va": "center", "fontsize": FONT_SIZE - 1.5, "color": theme.ink}
            axes.text(middle, 0.5, name, clip_on=True, parse_math=False, **style)
    axes.set_ylim(0, 1)
    _label(axes, label, theme)


def _tint(number):
    """Return a colour of the colour wheel, `(red, green, blue)` in [0, 1]."""
    angle = 2 * np.pi * (number / TINTS + np.array([0, 1 / 3, 2 / 3]))
    return tuple(0.5 + 0.45 * np.cos(angle))


def _label(axes, label, theme):
    axes.set_ylabel(
        label, rotation=0, ha="right", va="center", fontsize=FONT_SIZE, color=theme.muted, parse_math=False
    )
