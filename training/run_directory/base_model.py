"""Base model of a recipe: trained first, or loaded from another run."""

import dataclasses
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError
from keras_ae.files import write_atomically
from keras_ae.training.recipes import Recipe

FOLDER = "autoencoder"  # in the run directory


def with_data_of_base(recipe: Recipe, open_run: Any) -> Recipe:
    """Return `recipe` with the data of the run of its base model, unless it specifies its own data.

    Both then have the same training, validation and test images.
    """
    base = recipe.builds_on()
    default = next(field.default for field in dataclasses.fields(recipe) if field.name == "data")
    if not isinstance(base, str) or not Path(base).is_dir() or recipe.data != default:
        return recipe
    other = open_run(base).recipe()
    same = ("data", "image_size", "scale", "channels", "skip_broken")
    return dataclasses.replace(recipe, **{name: getattr(other, name) for name in same})


def untrained_base(recipe: Recipe, data: Any, steps_per_epoch: int, load_model: Any) -> Any:
    """Return an untrained model like the base model, to check settings before anything is trained."""
    base = recipe.builds_on()
    if base is None:
        return None
    if isinstance(base, Recipe):
        return base.build(data, steps_per_epoch)
    model = _load(_file(base), load_model)
    if getattr(model, "sample_shape", None) != tuple(data.image_shape):
        raise InputError(
            f"The images for {base} must have the shape {getattr(model, 'sample_shape', 'unknown')}. "
            f"Received: {tuple(data.image_shape)} images. "
            "Pass its training data with --data and --image-size."
        )
    return model


def trained_base(recipe: Recipe, directory: str | Path, train: Any, load_model: Any) -> Any:
    """Return the base model, stored in the run directory so that the run is self-contained.

    Args:
        recipe: the recipe of the run.
        directory: the run directory.
        train: function of a recipe and a folder that trains the recipe there or continues its training.
        load_model: function of a path that returns the model.
    """
    base, folder = recipe.builds_on(), Path(directory) / FOLDER
    if base is None:
        return None
    if isinstance(base, Recipe):
        if not (folder / "metrics.json").is_file():  # written after the training
            train(base, folder)
    elif not (folder / "model.keras").is_file():
        folder.mkdir(exist_ok=True)
        write_atomically(folder / "model.keras", _file(base).read_bytes())
    return _load(folder / "model.keras", load_model)


def _file(base):
    path = Path(base)
    return path / "model.keras" if path.is_dir() else path


def _load(path, load_model):
    model = load_model(path)
    return getattr(model, "auto_encoder", model)  # the model of a run that already has a prior
