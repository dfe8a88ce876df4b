"""Rendering of pages from templates, and formats of numbers, settings and names."""

import base64
import json
import math
from importlib import resources

from keras_ae.errors import require


def render(template: str, extra: str, **values) -> str:
    """Return the page of a template, with every value escaped.

    Args:
        template: `package/file.html`, such as `keras_ae.pages/base.html`; a template extends
            and imports others by such names.
        extra: name of the extra that installs jinja2, for the error if it is missing.
        **values: values of the template's variables.
    """
    jinja = require("jinja2", extra=extra)
    environment = jinja.Environment(
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja.FunctionLoader(_read),
    )
    return environment.get_template(template).render(**values)


def data_uri(png: bytes) -> str:
    """Return a picture as a data URI, to be embedded in a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _read(name):
    package, _, file = name.partition("/")
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")


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


def flatten(mapping: dict, prefix: str = "") -> dict:
    """Return nested dicts as one dict, with keys joined by dots.

    Example:

    >>> flatten({"a": 1, "b": {"c": 2, "d": {}}})
    {'a': 1, 'b.c': 2}
    """
    flat = {}
    for name, value in mapping.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
