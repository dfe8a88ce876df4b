"""Command line of `keras_ae.training` and `keras_ae.export`; `keras_ae_command.py` starts it."""

import contextlib
import os
import platform
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

from keras_ae.errors import DataWarning, InputError, require
from keras_ae.training.recipes import RECIPES


def main(arguments: Sequence[str] | None = None, *, before_work: Callable[[], None] = lambda: None) -> int:
    """Run `keras-ae ARGUMENTS`; return 0 on success, 2 with a one-line message for invalid input.

    Args:
        arguments: arguments of the command line; `None`: those of the process.
        before_work: function called before any command that is not `light`.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(arguments, before_work)
    except SystemExit as end:  # after --help
        return int(end.code or 0)
    except (InputError, ImportError) as error:
        return _complain(error)
    except BrokenPipeError:  # such as `keras-ae recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else error)
    except KeyboardInterrupt as stop:
        return _complain(str(stop) or _stopped(arguments), code=130)
    except Exception as error:
        line = _line_of_tensorflow(error)
        if line is None:
            raise
        return _complain(line)


def _run(arguments, before_work):
    if arguments[:1] == ["--version"]:
        print(version_line())
        return 0
    _check_recipe(arguments)
    commands = all_commands()
    from keras_ae.training.command_line.config_file import with_config, with_recipe
    from keras_ae.training.command_line.parsing import CommandFailed, options_given, parse

    arguments = with_recipe(with_config(arguments, RECIPES), RECIPES)
    functions = {name: command.function for name, command in commands.items()}
    work = parse(functions, arguments, choices=RECIPES)
    if not commands[arguments[0]].light:
        before_work()
    with data_warnings_as_lines(), options_given(arguments):
        try:
            return work()
        except CommandFailed as failure:
            return _complain(failure, code=1)


def all_commands() -> dict:
    """Return `{name: Command}` of all commands, in the order of the help.

    Raises:
        ImportError: tyro is missing, which parses them.
    """
    require("tyro", extra="training")
    from keras_ae.training.command_line import encoding, exploring, measuring, training

    return {**training.COMMANDS, **measuring.COMMANDS, **encoding.COMMANDS, **exploring.COMMANDS}


def version_line() -> str:
    """Return the version of the package, and of those that it runs on, as one line."""
    import importlib.metadata

    own, others = importlib.metadata.version("keras-ae"), [f"Python {platform.python_version()}"]
    for name in ("keras", "tensorflow"):
        try:
            others.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            others.append(f"{name} not installed")
    return f"keras-ae {own} ({', '.join(others)})"


def _check_recipe(arguments):
    named = arguments[1:2] if arguments[:1] == ["train"] else []
    if named and not named[0].startswith("-") and named[0] not in RECIPES:
        raise InputError(f"RECIPE must be one of {', '.join(RECIPES)}. Received: {arguments[1]}")


def _stopped(arguments):
    """Describe what an interrupted command has kept, and how to run it again."""
    command = all_commands().get(next(iter(arguments), ""))
    kept = "Nothing was written." if command is None else command.kept
    return f"stopped. {kept} Run it again with: {shlex.join(['keras-ae', *map(str, arguments)])}"


def _complain(message, code=2):
    """Print `message` as a line of the program on stderr; return the exit code."""
    print(f"keras-ae: {message}", file=sys.stderr)
    return code


def _line_of_tensorflow(error):
    """Return one line for TensorFlow's errors of files and memory, `None` for other errors."""
    if not type(error).__module__.startswith("tensorflow") or not hasattr(error, "message"):
        return None
    message = " ".join(str(error.message).split())[:300]
    if type(error).__name__ == "PermissionDeniedError" or "No space left" in message:
        return message
    if type(error).__name__ == "ResourceExhaustedError":
        return f"the memory is full: lower --batch-size or the size of the model. TensorFlow says: {message}"
    return None


@contextlib.contextmanager
def data_warnings_as_lines() -> Iterator[None]:
    """Print each different `DataWarning` once, as one line on stderr without its location in the code.

    Other warnings are shown as usual.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        show, said = warnings.showwarning, set()

        def show_plainly(message, category, *place, **file):
            if not issubclass(category, DataWarning):
                show(message, category, *place, **file)
            elif str(message) not in said:
                said.add(str(message))
                _complain(message)

        warnings.showwarning = show_plainly
        yield


if __name__ == "__main__":  # keras_ae_command filters earlier lines of TensorFlow, too
    from keras_ae_command import main as command

    sys.exit(command())
