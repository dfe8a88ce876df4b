"""Formats of numbers, settings and names on pages, which are also the filters of their templates."""

import json
import math
from collections.abc import Iterable, Sequence

ACRONYMS = {
    "auc",
    "dci",
    "elbo",
    "id",
    "kl",
    "mig",
    "mlp",
    "mse",
    "nll",
    "onnx",
    "pca",
    "psnr",
    "ssim",
    "tf",
    "url",
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LONGEST_LIST = 16  # maximum number of printed entries of a list


def format_number(value: float, digits: int = 4) -> str:
    """Return a measured number as text with `digits` significant digits.

    Example:

    >>> [format_number(value) for value in (1797, 0.0131, 57.25, 0.0, 3.2e-7)]
    ['1,797', '0.01310', '57.25', '0', '3.200 × 10⁻⁷']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    if value == int(value) and 1 < abs(value) < 1e7:  # a count or a length, not a measured 1.000
        return f"{int(value):,}".replace("-", "−")
    if abs(value) < 1e-3 or abs(value) >= 1e7:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace("-", "−")


def format_value(value: object) -> str:
    """Return the value of a setting as short text, close to what the user wrote.

    Example:

    >>> [format_value(value) for value in (0.001, True, None, [8, 8, 1], "adam")]
    ['0.001', 'yes', '–', '8, 8, 1', 'adam']
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return str(value) if abs(value) < 10_000 else f"{value:,}"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(format_value(entry) for entry in value[:LONGEST_LIST])
        return shown if len(value) <= LONGEST_LIST else f"{shown}, … ({len(value):,} entries)"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def format_name(name: str) -> str:
    """Return a key of a record in words.

    Example:

    >>> [format_name(name) for name in ("bits_per_image", "kl_loss", "codes.mse")]
    ['bits per image', 'KL loss', 'codes · MSE']
    """
    words = str(name).replace(".", " · ").replace("_", " ").split(" ")
    return " ".join(word.upper() if word in ACRONYMS else word for word in words)


def format_percent(value: float | None) -> str:
    """Return a fraction as a percentage.

    Example:

    >>> format_percent(0.8106), format_percent(None)
    ('81.1\\u202f%', '–')
    """
    # a narrow no-break space
    return "–" if value is None else f"{100 * value:.1f}\u202f%".replace("-", "−")


def format_decimals(value: float, decimals: int = 3) -> str:
    """Return a number with a fixed number of decimals.

    Example:

    >>> format_decimals(-0.12345)
    '−0.123'
    """
    return f"{value:.{decimals}f}".replace("-", "−")


def format_count(value: int) -> str:
    """Return a whole number with separators of thousands.

    Example:

    >>> format_count(12345)
    '12,345'
    """
    return f"{value:,}"


def format_lines(lines: Iterable[Sequence[str]], left: int | None = 1) -> list[str]:
    """Return the lines of a table as text in columns.

    Args:
        lines: texts of the cells of each line, all of one length.
        left: number of columns that are aligned to the left, the others to the right; `None`: all.

    Example:

    >>> format_lines([("", "digit"), ("accuracy", "0.9")])
    ['          digit', 'accuracy    0.9']
    """
    lines = [tuple(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if left is None or place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


# by their names in templates; `count` and `format` are filters of jinja2 itself
FILTERS = {
    "decimals": format_decimals,
    "number": format_number,
    "percent": format_percent,
    "thousands": format_count,
    "words": format_name,
}
