"""Plots of a run, in one style.

The colours are those of Okabe and Ito (2008), which remain distinct for colour-blind
readers. All settings apply to the figure itself: pyplot is not used, and the global backend and
style are not changed.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_ae.errors import require
from keras_ae.pages.formats import format_name

DPI = 200
FONT_SIZE = 8


@dataclass(frozen=True)
class Theme:
    """Colours of a picture: background, text, secondary text, grid lines, and the two series."""

    background: str
    ink: str
    muted: str
    rule: str
    series: tuple[str, str]


LIGHT = Theme("#ffffff", "#1c2127", "#59636e", "#e3e6ea", ("#0072b2", "#d55e00"))
DARK = Theme("#1b1f24", "#e8eaed", "#9aa4af", "#343a42", ("#56b4e9", "#e69f00"))


def new_figure(width: float, height: float, theme: Theme, **kwargs: Any) -> Any:
    """Create a figure of `width` x `height` inches with its own Agg canvas."""
    agg = require("matplotlib.backends.backend_agg", extra="training")
    figure = require("matplotlib.figure", extra="training").Figure(
        figsize=(width, height), dpi=DPI, facecolor=theme.background, **kwargs
    )
    agg.FigureCanvasAgg(figure)
    return figure


def style_axes(axes: Any, theme: Theme, *, title: str, x: str, y: str) -> None:
    """Set title, axis labels and unobtrusive grid lines."""
    axes.set_facecolor(theme.background)
    # text contains file and layer names: a $ in it is a dollar sign, not mathematics
    axes.set_title(
        title, loc="left", fontsize=FONT_SIZE + 1.5, color=theme.ink, weight="bold", parse_math=False
    )
    axes.set_xlabel(x, fontsize=FONT_SIZE, color=theme.muted, parse_math=False)
    axes.set_ylabel(y, fontsize=FONT_SIZE, color=theme.muted, parse_math=False)
    axes.tick_params(which="both", length=0, labelsize=FONT_SIZE, labelcolor=theme.muted)
    axes.grid(axis="y", color=theme.rule, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.muted)


def to_png(figure: Any) -> bytes:
    """Render the figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


CELL = 112  # approximate size in pixels to which a picture in a grid is enlarged
GAP = 12  # pixels between pictures
GRID_FONT_SIZE = 11  # a grid is wide and therefore displayed smaller than a chart
LOG_RANGE = 30.0  # a curve with a larger ratio of values has a logarithmic axis
UNITS = {  # by the ending of the name; the first match is used
    **{f"{sentence}_perplexity": "words" for sentence in ("previous", "this", "next")},
    "perplexity": "effective codes",
    "usage": "fraction of codes",
    "used_codes": "codes",
    "dead_codes": "codes",
    "kl_loss": "nats",
    "mse": "squared error",
    "accuracy": "fraction",
    "learning_rate": "learning rate",
}


def image_grid(
    rows: Sequence[np.ndarray],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    title: str = "",
    theme: Theme = LIGHT,
) -> bytes:
    """Draw rows of pictures, each enlarged by an integer factor so that its pixels remain square.

    Args:
        rows: arrays `(images, height, width)` or `(images, height, width, channels)`
            in [0, 1], with 1 or 3 channels; values outside are clipped. Rows may
            have different lengths.
        row_labels: text left of each row.
        column_labels: text above each column.
        title: text above the grid.
        theme: colours.

    Returns:
        PNG bytes.

    Raises:
        ValueError: there are no rows, or an array has another shape.

    Example:

    >>> png = image_grid([np.zeros((3, 8, 8)), np.ones((3, 8, 8))], row_labels=["black", "white"])
    >>> png[1:4]
    b'PNG'
    """
    rows = [_as_pictures(row) for row in rows]
    if not rows:
        raise ValueError("rows must contain at least one row. Received: rows=[]")
    factor = max(1, round(CELL / max(rows[0].shape[1:3])))
    height, width = (factor * side for side in rows[0].shape[1:3])
    left = 20 * max(map(len, row_labels), default=0) + 24
    top = 24 + 60 * bool(title) + 46 * bool(column_labels)
    right = left + max(map(len, rows)) * (width + GAP) + GAP
    bottom = top + len(rows) * (height + GAP) + GAP
    figure = new_figure(right / DPI, bottom / DPI, theme)
    axes = figure.add_axes((0, 0, 1, 1))  # one unit is one pixel
    axes.axis("off")
    for index, row in enumerate(rows):
        y = top + index * (height + GAP)
        for column, picture in enumerate(row):
            x = left + column * (width + GAP)
            _picture(axes, picture, (x, x + width, y + height, y))
        label = row_labels[index] if index < len(row_labels) else ""
        _text(axes, left - 14, y + height / 2, label, theme.muted, ha="right", va="center")
    for column, label in enumerate(column_labels):
        x = left + column * (width + GAP) + width / 2
        _text(axes, x, top - 10, label, theme.muted, ha="center", va="bottom")
    _text(axes, left, 24, title, theme.ink, ha="left", va="top", weight="bold")
    axes.set(xlim=(0, right), ylim=(bottom, 0), aspect="auto")
    return to_png(figure)


def history_panels(history: Mapping[str, Sequence[float]]) -> dict[str, list[str]]:
    """Return `{panel: columns}`: each quantity with its `val_` counterpart: `loss` first, rates last.

    Example:

    >>> history_panels({"epoch": [0], "usage": [1.0], "val_loss": [2.0], "loss": [3.0]})
    {'loss': ['loss', 'val_loss'], 'usage': ['usage']}
    """
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history if name != "epoch"))
    if any(name.endswith("usage") for name in names):  # these show the same curve in other units
        names = [name for name in names if not name.endswith(("used_codes", "dead_codes"))]
    of_codes, of_rates = ("usage", "perplexity"), "learning_rate"
    names.sort(key=lambda name: (name != "loss", name.endswith(of_rates), name.endswith(of_codes)))
    return {name: [column for column in (name, f"val_{name}") if column in history] for name in names}


def history_curves(
    history: Mapping[str, Sequence[float]], *, panels: Sequence[str] | None = None, theme: Theme = LIGHT
) -> bytes:
    """Draw learning curves as small multiples, training solid and validation dashed.

    Args:
        history: `{name: values}`, one value per epoch, as in `keras.callbacks.History`,
            or with a column `epoch`, counted from 0 or 1. NaN: no value.
        panels: keys of `history_panels(history)` to draw; `None`: all.
        theme: colours.

    Returns:
        PNG bytes.

    Raises:
        ValueError: there is nothing to draw.

    Example:

    >>> history_curves({"loss": [3.0, 2.0], "val_loss": [3.5, 2.5]})[1:4]
    b'PNG'
    """
    columns = history_panels(history)
    panels = list(columns) if panels is None else list(panels)
    if not panels:
        raise ValueError(
            f"history must contain a column other than `epoch`. Received: columns {sorted(history)}"
        )
    across = min(3, len(panels))
    down = math.ceil(len(panels) / across)
    figure = new_figure(3.5 * across, 2.4 * down, theme, layout="constrained")
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(down, across, index + 1)
        style_axes(axes, theme, title=format_name(panel), x="epoch", y=unit_of(panel))
        _curves(axes, history, columns[panel], theme)
    return to_png(figure)


def code_histogram(counts: np.ndarray, *, title: str = "", theme: Theme = LIGHT) -> bytes:
    """Draw the sorted frequencies of the codes, with the level of uniform use.

    There is one line per head; if the heads are bits (`K = 2`), the share of ones of each bit is drawn.

    Args:
        counts: `(heads, K)` or `(K,)`, number of times each code was chosen.
        title: text above the chart.
        theme: colours.

    Returns:
        PNG bytes.

    Example:

    >>> code_histogram(np.array([5, 0, 3, 8]), title="4 codes")[1:4]
    b'PNG'
    """
    counts = np.atleast_2d(np.asarray(counts, "float64"))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(5.6, 2.7, theme, layout="constrained")
    axes = figure.add_subplot()
    if counts.shape[1] == 2 and len(counts) > 1:
        style_axes(axes, theme, title=title, x="bit", y="share of ones")
        axes.bar(np.arange(len(counts)), shares[:, 1], color=theme.series[0], width=0.8)
        axes.set_ylim(0, 1)
    else:
        style_axes(axes, theme, title=title, x="codes, most frequent first", y="share of vectors")
        _sorted_shares(axes, shares, theme)
    _level(axes, 1 / counts.shape[1], "equal use", theme)
    return to_png(figure)


def _sorted_shares(axes, shares, theme):
    one_head = len(shares) == 1
    edges = np.arange(shares.shape[1] + 1) + 0.5
    for share in shares:
        heights = np.sort(share)[::-1]
        axes.stairs(heights, edges, fill=one_head, color=theme.series[0], alpha=1 if one_head else 0.6)
    axes.set_xlim(0.5, shares.shape[1] + 0.5)
    axes.set_ylim(0, 1.08 * max(shares.max(), 1 / shares.shape[1]))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _level(axes, y, label, theme):
    axes.axhline(y, color=theme.series[1], linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        label,
        (1.0, y),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=FONT_SIZE - 1,
        color=theme.muted,
    )


def _curves(axes, history, columns, theme):
    epochs = np.asarray(history.get("epoch", range(len(history[columns[0]]))), "float64")
    epochs = epochs + (np.nanmin(epochs) == 0)  # Keras counts from 0, the axis from 1
    finite = []
    for column in columns:
        curve = np.asarray(history[column], "float64")
        finite.extend(curve[np.isfinite(curve)])
        validation = column.startswith("val_")
        axes.plot(
            epochs,
            curve,
            color=theme.series[validation],
            linestyle=(0, (4, 2)) if validation else "-",
            linewidth=1.6,
            marker="o" if len(curve) < 3 else None,
            markersize=4,
            label="validation" if validation else "training",
        )
    if finite and min(finite) > 0 and max(finite) / min(finite) > LOG_RANGE:
        axes.set_yscale("log")
        axes.set_ylabel(f"{axes.get_ylabel()}, log scale")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(require("matplotlib.ticker", extra="training").NullFormatter())
    if len(columns) > 1:
        axes.legend(frameon=False, fontsize=FONT_SIZE - 0.5, labelcolor=theme.muted, handlelength=1.8)
    axes.xaxis.get_major_locator().set_params(integer=True)


def unit_of(panel: str) -> str:
    """Return the unit of the values of a panel."""
    for ending, unit in UNITS.items():
        if panel.endswith(ending):
            return unit
    return format_name(panel)


def _as_pictures(images):
    images = np.asarray(images, "float32")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "A row must have the shape (images, height, width[, channels]) with 1 or 3 channels. "
            f"Received: shape {images.shape}"
        )
    images = np.clip(np.nan_to_num(images), 0, 1)
    return images[..., 0] if images.shape[-1] == 1 else images


def _picture(axes, picture, extent):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")


def _text(axes, x, y, text, color, **kwargs):
    axes.text(x, y, text, fontsize=GRID_FONT_SIZE, color=color, parse_math=False, **kwargs)
