"""Pages from templates that lie beside the code."""

import base64
from importlib import resources

from keras_ae.errors import require


def render(template: str, extra: str, **values) -> str:
    """The page of a template, every value escaped.

    Args:
        template: `package/file.html`, such as `keras_ae.pages/base.html`; a template extends
            and imports others by such names.
        extra: which brings jinja2, for the error where it is missing.
        **values: what the template shows.
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
    """A picture as it stands in the page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _read(name):
    package, _, file = name.partition("/")
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")
