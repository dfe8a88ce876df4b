"""Recipes: a typed dataclass per model, with defaults that work."""

from keras_ae.training.recipes.adain_voice_conversion import AdaINVoiceConversionRecipe
from keras_ae.training.recipes.adversarial_voice_conversion import AdversarialVoiceConversionRecipe
from keras_ae.training.recipes.autoencoder import AutoEncoderRecipe
from keras_ae.training.recipes.beta_tc_vae import BetaTcVaeRecipe
from keras_ae.training.recipes.beta_vae import BetaVaeRecipe
from keras_ae.training.recipes.binary import BinaryRecipe
from keras_ae.training.recipes.cpc import CpcRecipe
from keras_ae.training.recipes.deep_infomax import DeepInfoMaxRecipe
from keras_ae.training.recipes.fsq import FsqRecipe
from keras_ae.training.recipes.gumbel import GumbelRecipe
from keras_ae.training.recipes.image_recipe import ImageRecipe
from keras_ae.training.recipes.lfq import LfqRecipe
from keras_ae.training.recipes.quick_thought import QuickThoughtRecipe
from keras_ae.training.recipes.recipe import Recipe
from keras_ae.training.recipes.residual_vqvae import ResidualVqVaeRecipe
from keras_ae.training.recipes.skip_thought import SkipThoughtRecipe
from keras_ae.training.recipes.speech_recipe import SpeechRecipe
from keras_ae.training.recipes.speech_vqvae import SpeechVqVaeRecipe
from keras_ae.training.recipes.text_recipe import TextRecipe
from keras_ae.training.recipes.vae import VaeRecipe
from keras_ae.training.recipes.vqvae import VqVaeRecipe
from keras_ae.training.recipes.vqvae2 import VqVae2Recipe
from keras_ae.training.recipes.vqvae_prior import VqVaePriorRecipe

RECIPES = {
    recipe.name: recipe
    for recipe in (
        AutoEncoderRecipe,
        VaeRecipe,
        BetaVaeRecipe,
        BetaTcVaeRecipe,
        VqVaeRecipe,
        ResidualVqVaeRecipe,
        FsqRecipe,
        LfqRecipe,
        DeepInfoMaxRecipe,
        CpcRecipe,
        SpeechVqVaeRecipe,
        AdaINVoiceConversionRecipe,
        AdversarialVoiceConversionRecipe,
        QuickThoughtRecipe,
        SkipThoughtRecipe,
        GumbelRecipe,
        BinaryRecipe,
        VqVae2Recipe,
        VqVaePriorRecipe,
    )
}

__all__ = [
    "RECIPES",
    "AdaINVoiceConversionRecipe",
    "AdversarialVoiceConversionRecipe",
    "AutoEncoderRecipe",
    "BetaTcVaeRecipe",
    "BetaVaeRecipe",
    "BinaryRecipe",
    "CpcRecipe",
    "FsqRecipe",
    "DeepInfoMaxRecipe",
    "GumbelRecipe",
    "ImageRecipe",
    "LfqRecipe",
    "QuickThoughtRecipe",
    "Recipe",
    "ResidualVqVaeRecipe",
    "SkipThoughtRecipe",
    "SpeechRecipe",
    "SpeechVqVaeRecipe",
    "TextRecipe",
    "VaeRecipe",
    "VqVae2Recipe",
    "VqVaePriorRecipe",
    "VqVaeRecipe",
]
