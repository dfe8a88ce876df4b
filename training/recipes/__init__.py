"""Recipes: a typed dataclass per model, with defaults that work."""

from keras_ae.training.recipes.images.autoencoder import AutoEncoderRecipe
from keras_ae.training.recipes.images.beta_tc_vae import BetaTcVaeRecipe
from keras_ae.training.recipes.images.beta_vae import BetaVaeRecipe
from keras_ae.training.recipes.images.binary import BinaryRecipe
from keras_ae.training.recipes.images.deep_infomax import DeepInfoMaxRecipe
from keras_ae.training.recipes.images.fsq import FsqRecipe
from keras_ae.training.recipes.images.gumbel import GumbelRecipe
from keras_ae.training.recipes.images.image_recipe import ImageRecipe
from keras_ae.training.recipes.images.lfq import LfqRecipe
from keras_ae.training.recipes.images.residual_vqvae import ResidualVqVaeRecipe
from keras_ae.training.recipes.images.vae import VaeRecipe
from keras_ae.training.recipes.images.vqvae import VqVaeRecipe
from keras_ae.training.recipes.images.vqvae2 import VqVae2Recipe
from keras_ae.training.recipes.images.vqvae_prior import VqVaePriorRecipe
from keras_ae.training.recipes.recipe import Recipe
from keras_ae.training.recipes.speech.adain_voice_conversion import AdaINVoiceConversionRecipe
from keras_ae.training.recipes.speech.adversarial_voice_conversion import AdversarialVoiceConversionRecipe
from keras_ae.training.recipes.speech.cpc import CpcRecipe
from keras_ae.training.recipes.speech.speech_recipe import SpeechRecipe
from keras_ae.training.recipes.speech.speech_vqvae import SpeechVqVaeRecipe
from keras_ae.training.recipes.tables.tabular import TabularRecipe
from keras_ae.training.recipes.text.quick_thought import QuickThoughtRecipe
from keras_ae.training.recipes.text.skip_thought import SkipThoughtRecipe
from keras_ae.training.recipes.text.text_recipe import TextRecipe

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
        TabularRecipe,
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
    "TabularRecipe",
    "TextRecipe",
    "VaeRecipe",
    "VqVae2Recipe",
    "VqVaePriorRecipe",
    "VqVaeRecipe",
]
