"""Commands and their arguments, which tyro parses, with one-line errors."""

import contextlib
import dataclasses
import difflib
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, get_args

import tyro
from tyro.conf import Positional, arg

from keras_ae.errors import InputError

DESCRIPTION = (
    "Auto-encoders beyond reconstruction: train, measure, export, encode. Versions: keras-ae --version"
)

# what an option of a type must be, for values that cannot be converted
EXPECTED = {
    int: "a whole number",
    float: "a number",
    tuple[int, ...]: "whole numbers",
    tuple[float, ...]: "numbers",
    tuple[float, float]: "two numbers, the lowest and the highest",
    tuple[int, int]: "two whole numbers, a height and a width",
}

RunPath = Annotated[Path, Positional, arg(metavar="RUN")]
RunPaths = Annotated[tuple[Path, ...], Positional, arg(metavar="RUN")]
RunOption = Annotated[Path | None, arg(metavar="RUN")]
FileOption = Annotated[Path | None, arg(metavar="FILE")]
DataPath = Annotated[Path, Positional, arg(metavar="DATA")]
OutputPath = Annotated[Path, Positional, arg(metavar="OUTPUT")]

Channels = Literal[1, 3]


@dataclasses.dataclass(frozen=True)
class Command:
    """Command of `keras-ae`.

    Attributes:
        function: function whose parameters are the arguments and options, whose docstring is the help, and
            which returns the exit code.
        kept: what remains if the command is interrupted, as a sentence.
        light: whether the command works without TensorFlow, which is otherwise imported before it.
    """

    function: Callable[..., int]
    kept: str = "Nothing was written."
    light: bool = False


class CommandFailed(Exception):
    """Failure of a command that is reported in one line, with exit code 1: its input was valid."""


def parse(
    functions: Mapping[str, Callable],
    arguments: Sequence[str],
    choices: Mapping[str, type] = MappingProxyType({}),
) -> Callable:
    """Return the requested function, with its arguments, as one without parameters.

    Args:
        functions: `{name of a command: function}`; its parameters are the arguments and options.
        arguments: arguments of the command line.
        choices: `{name: dataclass}`, sub-commands; the fields of a dataclass are its options.

    Raises:
        InputError: the arguments are invalid.
        SystemExit: with code 0, after help was shown; with code 2, after tyro reported an error of another
            kind than those of `_MESSAGES`.
    """
    known = list(itertools.takewhile({*functions, *choices}.__contains__, arguments))
    command = " ".join(["keras-ae", *known])

    def refuse(event):
        if type(event).__name__ == "UnrecognizedArgs":
            message = _unrecognized(event.tokens, known, {**functions, **choices})
        else:
            message = _MESSAGES.get(type(event).__name__, lambda *_: None)(event, command)
        if message is not None:
            raise InputError(f"{message.removesuffix('.')}. See: {command} --help")

    with _on_parse_error(refuse):
        return tyro.extras.subcommand_cli_from_dict(
            {name: _postponed(function) for name, function in functions.items()},
            prog="keras-ae",
            description=DESCRIPTION,
            args=arguments or ["--help"],
            config=(
                tyro.conf.OmitArgPrefixes,
                tyro.conf.OmitSubcommandPrefixes,
                tyro.conf.CascadeSubcommandArgs,
            ),
            registry=_conversions(),
        )


def given_options(arguments: Sequence[str]) -> set[str]:
    """Return the names of the given options, as names of function parameters.

    Example:

    >>> sorted(given_options(["train", "vae", "--batch-size", "8", "--no-probe", "--epochs=3"]))
    ['batch_size', 'epochs', 'no_probe', 'probe']
    """
    names = {part[2:].partition("=")[0].replace("-", "_") for part in arguments if part.startswith("--")}
    return names | {name.removeprefix("no_") for name in names}


_given: ContextVar[frozenset[str]] = ContextVar("given", default=frozenset())


@contextlib.contextmanager
def options_given(arguments: Sequence[str]) -> Iterator[None]:
    """Let `given_names` return the names of the options in `arguments` within the block."""
    token = _given.set(frozenset(given_options(arguments)))
    try:
        yield
    finally:
        _given.reset(token)


def given_names() -> frozenset[str]:
    """Return the names of the options that the user gave to the current command."""
    return _given.get()


def _postponed(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return functools.partial(function, *args, **kwargs)

    # the help is wrapped to the width of the terminal, not where the source is; tyro follows `__wrapped__`
    vars(call)["__signature__"] = inspect.signature(function)
    del vars(call)["__wrapped__"]
    call.__doc__ = re.sub(r"\n {8,}(?=\S)", " ", inspect.cleandoc(function.__doc__ or ""))
    return call


def _on_parse_error(hook):
    """Return the context in which tyro calls `hook` with each error of the arguments.

    tyro does not guarantee this hook: a version without it reports errors in its own format.
    """
    try:
        from tyro._errors import on_parse_error
    except ImportError:
        return contextlib.nullcontext()
    return on_parse_error(hook)


def _conversions():
    """Return rules by which tyro converts the types of `EXPECTED`, with messages of this package."""
    registry = tyro.constructors.ConstructorRegistry()
    own = []  # types in conversion here, which use the specification of tyro itself

    @registry.primitive_rule
    def explained(info):
        kinds = [kind for kind in get_args(info.type) if kind is not type(None)]
        is_optional = len(kinds) == 1 and type(None) in get_args(info.type)
        expected = EXPECTED.get(kinds[0] if is_optional else info.type)
        if expected is None or info.type in own:
            return None
        own.append(info.type)
        spec = tyro.constructors.ConstructorRegistry.get_primitive_spec(info)
        own.remove(info.type)
        return dataclasses.replace(spec, instance_from_str=_explaining(spec.instance_from_str, expected))

    return registry


def _explaining(convert, expected):
    def call(texts):
        try:
            return convert(texts)
        except ValueError:
            raise ValueError(f"must be {expected}. Received: {', '.join(map(repr, texts))}") from None

    return call


def _missing(event, command):
    names = [_name(found.arg) for found in event.missing_arguments]
    return f"Missing from {command}: {', '.join(names)}"


def _no_choice(event, command):
    return f"Missing from {command}: one of {{{', '.join(event.subcommand_spec.parser_from_name)}}}"


def _invalid_choice(event, command):
    # tyro does not keep the order of choices next to None
    choices = sorted({*event.choices} - {"None"}) if "None" in event.choices else event.choices
    listed = ", ".join(map(repr, choices))
    return f"{_name(event.argument)} must be one of {listed}. Received: {event.value!r}"


def _bad_value(event, command):
    if event.reason != "too_few_values":
        return None
    count = event.argument.lowered.nargs
    needed = "a value. Received: none" if count == 1 else f"{count} values. Received: fewer"
    return f"{_name(event.argument)} must have {needed}"


def _not_converted(event, command):
    message = " ".join(event.message.split())
    if event.argument is None:  # the check of a recipe, whose message names the option
        return message
    return f"{_name(event.argument)}{' ' if message.startswith('must ') else ': '}{message}"


_MESSAGES = {  # of events of tyro, by the names of their classes
    "BadValue": _bad_value,
    "InstantiationFailure": _not_converted,
    "InvalidChoice": _invalid_choice,
    "MissingArgs": _missing,
    "MissingSubcommand": _no_choice,
}


def _name(argument):
    """Return an option, or the name of a positional argument in the help, as the user types it."""
    lowered = argument.lowered
    return str(lowered.metavar) if argument.is_positional() else "/".join(lowered.name_or_flags)


def _unrecognized(tokens, known, owners):
    """Return the message about unrecognized options; `known` are those of `owners` that were requested."""
    given = [token.partition("=")[0].replace("_", "-") for token in tokens if token.startswith("--")]
    everywhere = {option for owner in owners.values() for option in _options(owner)}
    kind = "Unrecognized or misplaced" if everywhere.intersection(given) else "Unrecognized"
    valid = [option for name in known for option in _options(owners[name])]
    similar = dict.fromkeys(option for name in given for option in _similar(name, valid))
    hint = f". Perhaps you meant {', '.join(similar)}" if similar else ""
    return f"{kind} options: {', '.join(tokens)}{hint}"


def _options(owner):
    """Return the options of a function, whose positional arguments have no default, or of a dataclass."""
    parameters = inspect.signature(owner).parameters.values()
    options = [one for one in parameters if one.default is not one.empty]
    switches = [f"no_{one.name}" for one in options if isinstance(one.default, bool)]
    return [f"--{name.replace('_', '-')}" for name in [*(one.name for one in options), *switches]]


def _similar(given, options):
    if len(given) <= 3:
        return []
    close = difflib.get_close_matches(given, options, n=1, cutoff=0.8)
    return [*close, *sorted(option for option in options if given[2:] in option)][:1]
