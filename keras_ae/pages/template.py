"""Rendering of pages from templates."""

import base64
from importlib import resources
from typing import Any

from keras_ae.errors import require
from keras_ae.pages.formats import FILTERS


def render(template: str, extra: str, **values: Any) -> str:
    """Return the page of a template, with every value escaped.

    Args:
        template: `package/file.html`, such as `keras_ae.pages/base.html`; a template extends
            and imports others by such names.
        extra: name of the extra that installs jinja2, for the error if it is missing.
        **values: values of the template's variables.
    """
    return _environment(extra).get_template(template).render(**values)


def data_uri(png: bytes) -> str:
    """Return a picture as a data URI, to be embedded in a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _environment(extra) -> Any:
    """Return the environment of all pages: templates are read from packages, `FILTERS` format numbers."""
    jinja = require("jinja2", extra=extra)
    environment = jinja.Environment(
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja.FunctionLoader(_read),
    )
    environment.filters |= FILTERS
    return environment


def _read(name):
    package, _, file = name.partition("/")
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")
