"""Settings of the recipes: what is stored comes back, and equal bits are equal bits."""

import json
import math
from types import SimpleNamespace

import pytest

from keras_ae import InputError
from keras_ae.training.recipes import RECIPES, FsqRecipe, ImageRecipe, TabularRecipe, TextRecipe
from keras_ae.training.recipes.images._measures import bottleneck_levels


@pytest.mark.parametrize("name", RECIPES)
def test_settings_come_back_from_json(name):
    sized = {"crop_seconds": 0.5}
    for kind, settings in (
        (ImageRecipe, {"image_size": (8, 6)}),
        (TextRecipe, {"transfer_tasks": ("mr", "trec")}),
        (TabularRecipe, {"units": (8, 4), "normal": ("usual",)}),
    ):
        sized = settings if issubclass(RECIPES[name], kind) else sized
    recipe = RECIPES[name](**sized)
    assert RECIPES[name].from_settings(json.loads(json.dumps(recipe.settings()))) == recipe


@pytest.mark.parametrize("name", ["vqvae", "residual-vqvae", "fsq", "lfq", "gumbel", "binary"])
def test_discrete_recipes_have_the_same_length_of_code(name):
    data = SimpleNamespace(image_shape=(8, 8, 1), description={})
    model = RECIPES[name](filters=4).build(data, steps_per_epoch=1)
    bits = sum(math.prod(shape) * math.log2(layer.num_values) for _, layer, shape in bottleneck_levels(model))
    assert bits == 2 * 2 * 6


@pytest.mark.parametrize("levels", [(1, 4), (), (2,) * 40])
def test_levels_that_make_no_code_are_refused(levels):
    with pytest.raises(InputError, match="--levels.*Received"):
        FsqRecipe(levels=levels)
