"""The common look of all pictures of a run.

The colours are those of Okabe and Ito (2008), which remain apart for colour-blind
readers. Everything is set on the figure itself: no pyplot, no global backend, no
global style is touched.
"""

import io
from dataclasses import dataclass

from keras_ae.errors import require

DPI = 200
FONT_SIZE = 8


@dataclass(frozen=True)
class Theme:
    """Colours of a picture: paper, text, lesser text, rules, and the two series."""

    background: str
    ink: str
    muted: str
    rule: str
    series: tuple[str, str]


LIGHT = Theme("#ffffff", "#1c2127", "#59636e", "#e3e6ea", ("#0072b2", "#d55e00"))
DARK = Theme("#1b1f24", "#e8eaed", "#9aa4af", "#343a42", ("#56b4e9", "#e69f00"))


def new_figure(width: float, height: float, theme: Theme, **kwargs):
    """A figure of `width` x `height` inches with an Agg canvas of its own."""
    agg = require("matplotlib.backends.backend_agg", extra="training")
    figure = require("matplotlib.figure", extra="training").Figure(
        figsize=(width, height), dpi=DPI, facecolor=theme.background, **kwargs
    )
    agg.FigureCanvasAgg(figure)
    return figure


def style_axes(axes, theme: Theme, *, title: str, x: str, y: str):
    """Titles, axis labels and quiet rules."""
    axes.set_facecolor(theme.background)
    # text comes from file and layer names: a $ in it is a dollar sign, not mathematics
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


def to_png(figure) -> bytes:
    """The figure as PNG; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
