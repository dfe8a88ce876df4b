"""Settings of a training from a file (`--config` of `keras-ae train`), and the recipe of `--resume`."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError
from keras_ae.training.command_line.parsing import given_options

OPTIONS = ("--runs", "--resume", "--init-from", "--config")  # of `train`, with a value each


def with_config(arguments: Sequence[str], recipes: Mapping[str, type]) -> list[str]:
    """Return the arguments of a command with the settings of its `--config` as options.

    The file is the `config.json` of a run, whose recipe is then the default, or a JSON object of settings.
    Options that are given as well replace those of the file.

    Args:
        arguments: arguments of the command line; they are returned as they are unless they are those of
            `train` with `--config`.
        recipes: `{name: recipe}`.

    Raises:
        InputError: the file cannot be read, belongs to another recipe, or has unknown settings.
    """
    path = _path_of("--config", arguments)
    if path is None:
        return list(arguments)
    given = given_options(arguments)
    if "resume" in given:
        raise InputError("--config and --resume must not be combined: a resumed run keeps its settings.")
    content = _content_of(path)
    is_run = isinstance(content.get("settings"), dict)
    settings: dict[str, Any] = dict(content["settings"] if is_run else content)
    name, rest = _recipe_of(arguments, content.get("recipe") if is_run else None, path, recipes)
    defaults = {field.name: field.default for field in dataclasses.fields(recipes[name])}
    if unknown := sorted(set(settings) - set(defaults)):
        raise InputError(
            f"{path} must contain settings of the recipe {name} only. Received: {', '.join(unknown)}. "
            f"See: keras-ae train {name} --help"
        )
    if is_run:
        settings |= _places(content, settings)
    options = [
        option
        for setting, value in settings.items()
        if setting not in given
        for option in _options_of(setting, value, defaults.get(setting), path)
    ]
    return ["train", name, *options, *rest]


def with_recipe(arguments: Sequence[str], recipes: Mapping[str, type]) -> list[str]:
    """Return the arguments of `train --resume RUN` with the recipe of the run, if they name no recipe.

    Raises:
        InputError: the path is no run directory, or that of a recipe that this version does not contain.
    """
    path = _path_of("--resume", arguments)
    if path is None or "--help" in arguments or _place_of_recipe(arguments) is not None:
        return list(arguments)
    try:
        name = json.loads((path / "config.json").read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"--resume must be a run directory, which keras-ae train printed. Received: {path}"
        ) from None
    if name not in recipes:
        raise InputError(f"The recipe of {path} must be one of {', '.join(recipes)}. Received: {name}")
    return ["train", name, *arguments[1:]]


def _path_of(option, arguments):
    """Return the path that is the value of an option of `train`; `None`: it is not given, or has no value."""
    if list(arguments[:1]) != ["train"]:
        return None
    for number, argument in enumerate(arguments):
        if argument.startswith(f"{option}="):
            return Path(argument.partition("=")[2])
        if argument == option and number + 1 < len(arguments):
            return Path(arguments[number + 1])
    return None


def _content_of(path):
    file = path / "config.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--config must be a readable file. Received: {file}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"--config must be a JSON file. Received: {file}: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"--config must be a JSON file with an object of settings. Received: {file}")
    return content


def _recipe_of(arguments, saved, path, recipes):
    """Return `(name of the recipe, the other arguments of `train`)`."""
    place = _place_of_recipe(arguments)
    named = None if place is None else arguments[place]
    if named is None and saved is None:
        raise InputError(
            f"RECIPE is required, because {path} does not contain the name of a recipe: "
            f"keras-ae train RECIPE --config {path}"
        )
    if named is not None and named not in recipes:
        raise InputError(f"RECIPE must be one of {', '.join(recipes)}. Received: {named}")
    if saved is not None and saved not in recipes:
        raise InputError(f"The recipe of {path} must be one of {', '.join(recipes)}. Received: {saved}")
    if named is not None and saved is not None and named != saved:
        raise InputError(f"RECIPE must be {saved}, that of {path}. Received: {named}")
    return named or saved, [one for number, one in enumerate(arguments) if number not in (0, place)]


def _place_of_recipe(arguments):
    """Return the position of the recipe: options of `train`, not of the recipe, may be before it."""
    number = 1
    while number < len(arguments) and arguments[number].startswith("-"):
        option, equals, _ = arguments[number].replace("_", "-").partition("=")
        if option not in OPTIONS:
            return None
        number += 1 if equals else 2
    return number if number < len(arguments) else None


def _places(content, settings):
    """Return the settings of a run that it stores next to the others: where its data and weights were."""
    found = {}
    known, data = content.get("data_path"), settings.get("data")
    # a relative path may exist in this folder as well, where it is that of other data
    if known and (Path(known).exists() or not (data and Path(data).exists())):
        found["data"] = known
    if content.get("init_from"):
        found["init_from"] = content["init_from"]
    return found


def _options_of(setting, value, default, path):
    """Return the arguments that give `setting` the value."""
    option = f"--{setting.replace('_', '-')}"
    value = tuple(value) if isinstance(value, list) else value
    if value == default and type(value) is type(default):
        return []
    if isinstance(default, bool) != isinstance(value, bool) or isinstance(value, dict):
        expected = "true or false" if isinstance(default, bool) else "a value of this option"
        raise InputError(f"{option} must be {expected} in {path}. Received: {json.dumps(value)}")
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    if isinstance(value, tuple):
        return [option, *map(str, value)]
    return [f"{option}={value}"]
