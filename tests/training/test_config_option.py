"""`keras-ae train --config FILE`: the settings of a run or of a file, and what is refused in one line."""

import json
from inspect import signature

import pytest

from keras_ae.training import run as run_module
from keras_ae.training.cli import main
from keras_ae.training.command_line.config_file import OPTIONS
from keras_ae.training.command_line.training import train_command
from keras_ae.training.recipes import CpcRecipe, TabularRecipe, VaeRecipe, VqVaeRecipe


@pytest.fixture
def repeat(monkeypatch, tmp_path):
    """`keras-ae train` with a file of the given content, up to the training; returns `(recipe, options)`."""
    path, found = tmp_path / "config.json", []

    def stop(recipe, **options):
        found.append((recipe, options))
        raise KeyboardInterrupt("here")

    monkeypatch.setattr(run_module, "train", stop)

    def call(content, *arguments, recipe=()):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        code = main(["train", *recipe, "--config", str(path), *arguments])
        return found.pop() if found else code

    return call


def record(recipe, **others):
    """The part of a run's config.json that is read, as JSON stores it."""
    return {"recipe": recipe.name, "settings": json.loads(json.dumps(recipe.settings())), **others}


@pytest.mark.parametrize(
    "recipe",
    [
        VqVaeRecipe(image_size=(8, 8), probe=False, learning_rate=1e-5, channels=1, distance="cosine"),
        CpcRecipe(crop_seconds=None, negatives=("batch",), negatives_of_each=(3,), sample_rate=8000),
        VaeRecipe(),
    ],
    ids=lambda recipe: recipe.name,
)
def test_a_run_is_repeated_with_all_its_settings(repeat, recipe):
    assert repeat(record(recipe))[0] == recipe


def test_options_replace_those_of_the_file(repeat, tmp_path):
    saved = VqVaeRecipe(epochs=7, filters=4, probe=False)
    recipe, options = repeat(record(saved, init_from="/runs/a"), "--epochs", "3", "--probe")
    assert recipe == VqVaeRecipe(epochs=3, filters=4)
    assert str(options["init_from"]) == "/runs/a"


def test_data_that_are_not_found_from_here_are_those_of_the_run(repeat, tmp_path):
    saved = record(VqVaeRecipe(data="images"), data_path=str(tmp_path / "images"))
    assert repeat(saved)[0].data == str(tmp_path / "images")
    assert repeat(saved, "--data", "others")[0].data == "others"


def test_data_of_the_same_name_in_this_folder_are_not_those_of_the_run(repeat, tmp_path, monkeypatch):
    for place in ("here", "there"):
        (tmp_path / place / "images").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    known = tmp_path / "there" / "images"
    saved = record(VqVaeRecipe(data="images"), data_path=str(known))
    assert repeat(saved)[0].data == str(known)
    assert repeat(saved, "--data", "images")[0].data == "images"
    known.rmdir()
    assert repeat(saved)[0].data == "images"


def test_options_of_train_may_be_before_the_recipe(repeat, capsys):
    for before in (["--runs", "vae"], ["--runs=vae"], ["--init_from", "vae"]):
        recipe, options = repeat({"epochs": 3}, recipe=[*before, "vqvae"])
        assert recipe == VqVaeRecipe(epochs=3) and "vae" in map(str, options.values())
    assert repeat(record(VaeRecipe()), "--runs", "x", "vae", "--epochs", "3")[0] == VaeRecipe(epochs=3)
    model = ["--model", "vae"]  # the value of an option of the recipe is none
    assert repeat(record(TabularRecipe(model="autoencoder")), *model)[0] == TabularRecipe(model="vae")
    assert repeat(record(VaeRecipe()), "--runs", "x", "tabluar") == 2
    assert "RECIPE must be one of autoencoder, vae, " in capsys.readouterr().err
    assert {f"--{name.replace('_', '-')}" for name in signature(train_command).parameters} == {
        "--recipe",
        *OPTIONS,
    }


def test_a_file_of_settings_alone_needs_the_recipe(repeat, capsys):
    assert repeat({"epochs": 3, "warm_up": 0}, recipe=["vae"])[0] == VaeRecipe(epochs=3, warm_up=0.0)
    assert repeat({"epochs": 3}) == 2
    assert "RECIPE is required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        ({"epoch": 3, "b": 1}, [], "must contain settings of the recipe vae only. Received: b, epoch. See: "),
        ({"epochs": "ten"}, [], "--epochs must be a whole number. Received: 'ten'."),
        ({"epochs": 0}, [], "--epochs must be at least 1. Received: 0."),
        ({"probe": "yes"}, [], "--probe must be true or false in "),
        ({"epochs": {"a": 1}}, [], "--epochs must be a value of this option in "),
        ({"likelihood": "nope"}, [], "--likelihood must be one of 'bernoulli', 'gaussian'."),
        ({"recipe": "vqvae", "settings": {}}, [], "RECIPE must be vqvae, that of "),
        ({"recipe": "nope", "settings": {}}, [], "must be one of autoencoder, vae, "),
        ([1], [], "--config must be a JSON file with an object of settings. Received: "),
        ("{", [], "--config must be a JSON file. Received: "),
        ({}, ["--resume", "run"], "--config and --resume must not be combined"),
    ],
    ids=str,
)
def test_what_cannot_be_repeated_is_one_line(repeat, capsys, content, arguments, expected):
    assert repeat(content, *arguments, recipe=["vae"]) == 2
    error = capsys.readouterr().err
    assert expected in error and error.startswith("keras-ae: ") and error.count("\n") == 1


def test_a_missing_file_is_named(tmp_path, capsys):
    assert main(["train", "vae", f"--config={tmp_path / 'x'}"]) == 2
    assert f"Received: {tmp_path / 'x'}: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--resume", "RUN"], ["--resume=RUN", "--epochs", "9"]])
def test_a_resumed_run_names_its_recipe(tmp_path, monkeypatch, arguments):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(record(VaeRecipe())))
    found = []
    monkeypatch.setattr(
        run_module, "train", lambda recipe, **options: found.append((recipe, options)) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        main(["train", *(one.replace("RUN", str(tmp_path / "run")) for one in arguments)])
    ((recipe, options),) = found
    assert type(recipe) is VaeRecipe and recipe.epochs == (9 if "--epochs" in arguments else VaeRecipe.epochs)
    assert options["resume"] == tmp_path / "run"
    assert options["given"] == {one[2:].partition("=")[0] for one in arguments if one.startswith("--")}


@pytest.mark.parametrize(
    "content, words",
    [
        (None, "--resume must be a run directory, which keras-ae train printed. Received: "),
        ("[]", "--resume must be a run directory, which keras-ae train printed. Received: "),
        ('{"recipe": "other"}', "The recipe of "),
    ],
)
def test_a_resumed_run_without_a_recipe_is_refused(tmp_path, capsys, content, words):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert main(["train", "--resume", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"keras-ae: {words}")
