"""Initial weights of a run from another run."""

import itertools
from collections.abc import Callable
from pathlib import Path

import keras

from keras_ae.data_files import some_of
from keras_ae.errors import InputError
from keras_ae.layers.base import ScheduledVariable
from keras_ae.models.preprocessing import preprocessing_of
from keras_ae.tables import as_columns


def start_from(model: keras.Model, source: str | Path, load_model: Callable[[Path], keras.Model]) -> None:
    """Set the weights of `model` to those of the run or `.keras` file `source`.

    Layer state is included (codebooks and their statistics, means of normalisations). Schedules,
    optimiser and random numbers start as in any new training.

    Args:
        model: a built model.
        source: run directory or `.keras` file.
        load_model: function of a path that returns the model.

    Raises:
        InputError: the models differ in kind, shape, vocabulary or columns.
    """
    path = Path(source)
    other = load_model(path / "model.keras" if path.is_dir() else path)
    if type(other) is not type(model):
        raise InputError(
            f"--init-from must be a run of the same kind of model, {type(model).__name__}. "
            f"Received: {source}, a {type(other).__name__}"
        )
    _check_columns(model, other, source)
    _check_shapes(model, other, source)
    _check_words(model, other, source)
    kept = _of_schedules(model)
    for own, given in zip(model.weights, other.weights, strict=True):
        if id(own) not in kept:
            own.assign(given)


def _check_shapes(model, other, source):
    shapes = [[(weight.path, tuple(weight.shape)) for weight in one.weights] for one in (model, other)]
    if len(shapes[0]) != len(shapes[1]):
        raise InputError(
            f"--init-from must be a run with the same settings of the model. Received: {source} with "
            f"{len(shapes[1])} weights; this model has {len(shapes[0])}."
        )
    for (path, own), (_, given) in zip(*shapes, strict=True):
        if own != given:
            raise InputError(
                "--init-from must be a run whose weights have the same shapes. "
                f"Received: {source} with {given} for {path}, which is {own} here. Pass the settings of that "
                "run (its config.json), and data of the same size."
            )


def _check_words(model, other, source):
    own, given = (getattr(getattr(one, "vocabulary", None), "words", ()) for one in (model, other))
    if list(own) != list(given):
        raise InputError(
            f"--init-from must be a run with the same vocabulary. Received: {source}, whose ids denote "
            "other words. Train on the same text."
        )


def _check_columns(model, other, source):
    """Raise an error unless the columns of a table and their categories are the same, in the same order."""
    own, given = (_columns(one) for one in (model, other))
    for number, (here, there) in enumerate(itertools.zip_longest(own, given, fillvalue=("none", None))):
        if here[0] != there[0]:
            raise InputError(
                "--init-from must be a run with the same columns in the same order. Received: "
                f"{source}, whose column {number} (from 0) is {there[0]}; it is {here[0]} in this table."
            )
        if here[1] != there[1]:
            raise InputError(
                f"--init-from must be a run with the same kind and categories of the column {here[0]}. "
                f"Received: {source} with {_kind(there[1])}; this table has {_kind(here[1])}."
            )


def _columns(model):
    """Return `(name, categories)` of the columns of a model of a table; means and scales may differ."""
    known = preprocessing_of(model)
    columns = () if known is None or known.columns is None else as_columns(known.columns)
    return [(column.name, column.categories) for column in columns]


def _kind(categories):
    return "numbers" if categories is None else some_of(categories, 20)


def _of_schedules(model):
    """Return the variables that count training steps or follow a schedule."""
    variables = [model.training_step] if hasattr(model, "training_step") else []
    for layer in model._flatten_layers():
        if isinstance(layer, ScheduledVariable):
            variables += layer.variables
    return {id(variable) for variable in variables}
