"""Parsing of command-line arguments with tyro, with one-line errors."""

import contextlib
import functools
import io
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from keras_ae.errors import InputError, require

PLAINER = {  # messages of Python and their replacements
    r": invalid literal for int\(\) with base 10: ": " must be a whole number. Received: ",
    r": could not convert string to float: ": " must be a number. Received: ",
    r"^Error parsing (?:recipe: )?": "",
    r": no type matching (?:\{None\}\|)?\{INT INT\} could be instantiated from \[(.*?)\]": (
        r" must be two whole numbers, a height and a width. Received: \1"
    ),
    r": no type matching (?:\{None\}\|)?(\{.*?\}) could be instantiated from \[(.*?)\]": (
        r" must be \1. Received: \2"
    ),
}


def parse(verbs: Mapping[str, Callable], arguments: Sequence[str], names: Iterable[str] = ()) -> Callable:
    """Return the requested verb as a function without parameters.

    Args:
        verbs: `{name: function}`; the parameters of a function are its options.
        arguments: arguments of the command line.
        names: names of the sub-commands of the verbs.

    Raises:
        InputError: the arguments are invalid.
        SystemExit: with code 0, after help was shown.
    """
    tyro = require("tyro", extra="training")
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.CascadeSubcommandArgs)
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written):
            return tyro.extras.subcommand_cli_from_dict(
                {name: _postponed(verb) for name, verb in verbs.items()},
                prog="keras-ae",
                description="Auto-encoders beyond reconstruction: train, measure, export, encode.",
                args=arguments or ["--help"],
                config=config,
            )
    except SystemExit as end:
        if not end.code:
            raise
        known = itertools.takewhile({*verbs, *names}.__contains__, arguments)
        help_of = " ".join(["keras-ae", *known, "--help"])
        raise InputError(f"{one_line(written.getvalue())} See: {help_of}") from None


def given_options(arguments: Sequence[str]) -> set[str]:
    """Return the names of the given options, as names of function parameters.

    Example:

    >>> sorted(given_options(["train", "vae", "--batch-size", "8", "--no-probe", "--epochs=3"]))
    ['batch_size', 'epochs', 'no_probe', 'probe']
    """
    names = {part[2:].partition("=")[0].replace("-", "_") for part in arguments if part.startswith("--")}
    return names | {name.removeprefix("no_") for name in names}


def parse_shard(text: str) -> tuple[int, int]:
    """Convert `"i/n"` to `(i, n)`."""
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise InputError(f"--shard must be i/n with 0 <= i < n, such as 0/4. Received: --shard {text}")
    return int(index), int(count)


def one_line(box: str) -> str:
    """Return the main message of the box in which tyro reports an error.

    Example:

    >>> one_line("╭─ Unrecognized options ─╮\\n│ Unrecognized options: --x │\\n╰────╯")
    'Unrecognized options: --x.'
    """
    plain = re.sub(r"\x1b\[[\d;]*m|[╭╮╰╯│]", "", box)
    parts = (" ".join(part.split()) for part in re.split(r"─+|-{3,}|\n\s*\n", plain))
    title, *contents = [part for part in parts if part]
    message = contents[0] if contents else title
    if title == "Missing subcommand":
        message = f"{title}: {message}"
    for pattern, replacement in PLAINER.items():
        message = re.sub(pattern, replacement, message)
    suggestion = re.search(r"Perhaps you meant: (--[\w-]+)", "  ".join(contents))
    message = message.removesuffix(".").rstrip() + "."
    return f"{message} Perhaps you meant {suggestion[1]}." if suggestion else message


def _postponed(verb):
    @functools.wraps(verb)
    def call(*args, **kwargs):
        return functools.partial(verb, *args, **kwargs)

    return call
