"""Base class of all recipes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from keras_ae.errors import InputError
from keras_ae.numpy_scalars import plain
from keras_ae.training.recipes.option_names import as_options

if TYPE_CHECKING:
    import keras

# valid ranges of the settings of all recipes, by name
AT_LEAST_ONE = {"epochs", "batch_size", "filters", "latent_dim", "num_embeddings", "embedding_dim", "bits"}
AT_LEAST_ONE |= {"num_classes", "num_levels", "autoencoder_epochs", "code_bits"}
AT_LEAST_ONE |= {"dim", "depth", "num_attention_heads", "mi_units", "context_dim", "steps", "first_step"}
AT_LEAST_ONE |= {"num_negatives", "sample_rate", "content_dim", "speaker_dim", "max_words", "min_count"}
AT_LEAST_ONE |= {"decoder_units", "num_sampled", "sub_batches", "vocabulary_size"}
AT_LEAST_ONE |= {"bank", "speaker_filters", "decoder_filters", "num_mels", "adversary_updates"}
AT_LEAST_ONE |= {"discriminator_updates", "num_samples"}
POSITIVE = {"scale", "learning_rate", "temperature", "final_temperature", "crop_seconds"}
POSITIVE |= {"observation_scale"}
NOT_NEGATIVE = {"weight_decay", "noise", "downsampling", "seed", "beta", "warm_up", "kl_weight"}
NOT_NEGATIVE |= {"commitment_cost", "total_correlation_weight", "alpha", "gamma", "jitter"}
NOT_NEGATIVE |= {"quantizer_dropout", "saturation_cost", "entropy_weight", "diversity_weight", "tilt"}
NOT_NEGATIVE |= {"reconstruction_weight", "independence_weight", "consistency_weight", "linear_weight"}
NOT_NEGATIVE |= {"adversarial_weight", "correlation_weight", "cepstra", "halvings", "adversary_epochs"}
NOT_NEGATIVE |= {"decoder_epochs", "residual_epochs", "mmd_weight", "free_bits"}
SHARES = {"warm_up", "ramp", "quantizer_dropout"}
BELOW_ONE = {"dropout", "word_dropout", "adversary_dropout", "ema_decay", "warp", "content_warp"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Data, model and optimisation of one training; each field is an option of the command line.

    A recipe for another kind of data is a subclass like `ImageRecipe` and `SpeechRecipe`: it defines
    how the data are read and batched, what is drawn, and what is measured.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    # the weights of the epoch with the lowest value are kept; None: those of the last epoch
    monitor: ClassVar[str | None] = "val_loss"
    examples: ClassVar[str] = "examples"  # name of the items of the data, in the plural

    data: str
    """Source of the data."""
    epochs: int = 100
    """Number of passes over the training data."""
    batch_size: int = 64
    """Number of examples per step."""
    learning_rate: float = 1e-3
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""
    weight_decay: float = 0.01
    """Weight decay of AdamW: each step shrinks the weights by learning rate x weight decay."""
    seed: int = 0
    """Seed of the initial weights, the order of the data and all sampling."""
    dtype_policy: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Dtype policy of the layers; the bottlenecks always compute in float32."""

    def __post_init__(self):
        for field in fields(self):
            value, option = plain(getattr(self, field.name)), f"--{field.name.replace('_', '-')}"
            object.__setattr__(self, field.name, value)  # the dataclass is frozen
            if value is None:
                continue
            # "not >=" also rejects NaN
            if field.name in AT_LEAST_ONE and not value >= 1:
                raise InputError(f"{option} must be at least 1. Received: {value}")
            if field.name in POSITIVE and not 0 < value < math.inf:
                raise InputError(f"{option} must be a positive number. Received: {value}")
            if field.name in NOT_NEGATIVE and not 0 <= value < math.inf:
                raise InputError(f"{option} must be at least 0. Received: {value}")
            if field.name in SHARES and not 0 <= value <= 1:
                raise InputError(f"{option} must be from 0 to 1. Received: {value}")
            if field.name in BELOW_ONE and not 0 <= value < 1:
                raise InputError(f"{option} must be at least 0 and below 1. Received: {value}")

    def in_options(self, text: str) -> str:
        """Replace Python arguments in `text` by the options of the command line.

        Example:

        >>> from keras_ae.training.recipes import VqVaeRecipe
        >>> VqVaeRecipe().in_options("num_embeddings must be at least 2. Received: num_embeddings=1")
        '--num-embeddings must be at least 2. Received: --num-embeddings=1'
        """
        return as_options(text, [field.name for field in fields(self)])

    # Methods that depend on the kind of data

    def load_data(self) -> Any:
        """Return the training, validation and test data."""
        raise TypeError(f"{type(self).__name__} must define load_data()")

    def training_batches(self, data: Any) -> Any:
        """Return an `EpochStream` of the training data."""
        raise TypeError(f"{type(self).__name__} must define training_batches(data)")

    def validation_batches(self, data: Any) -> Any:
        """Return a `tf.data.Dataset` of the validation data."""
        raise TypeError(f"{type(self).__name__} must define validation_batches(data)")

    def preprocessing(self, description: dict) -> dict | None:
        """Return the conversion of raw data to inputs, stored in the model; `None`: the model defines it.

        `description` is the description of the data, which `config.json` also contains.
        """
        return None

    def amount_of_epoch(self, data: Any) -> tuple[float, str]:
        """Return the amount of the training data and its unit, by which progress shows a rate per second."""
        return len(data.train), self.examples

    def describe(self, data: Any) -> str:
        """Describe in words the data that a model must fit, such as "(8, 8, 1) images"."""
        raise TypeError(f"{type(self).__name__} must define describe(data)")

    def pictures(self, model: keras.Model, data: Any, directory: Path) -> list[keras.callbacks.Callback]:
        """Return callbacks that draw pictures or write examples into the run `directory`."""
        return []

    def measure(self, model: Any, data: Any) -> dict[str, Any]:
        """Evaluate the best model on the test data; return the content of `metrics.json`."""
        raise TypeError(f"{type(self).__name__} must define measure(model, data)")

    # The model

    def build(self, data: Any, steps_per_epoch: int, base: keras.Model | None = None) -> keras.Model:
        """Return the compiled model for `data`.

        `base` is the trained model that a recipe with `builds_on` builds on.
        """
        import keras

        keras.utils.set_random_seed(self.seed)
        given = () if base is None else (base,)
        model = self.build_model(data, self.epochs * steps_per_epoch, *given)
        model.preprocessing = self.preprocessing(data.description)
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, self.epochs * steps_per_epoch)
        model.compile(self.optimizer(schedule), jit_compile=False)
        return model

    def optimizer(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule
    ) -> keras.optimizers.Optimizer:
        """Return the optimiser; `schedule` is its learning rate."""
        import keras

        return keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay)

    def build_model(self, data: Any, training_steps: int) -> keras.Model:
        """Return the model; each recipe implements this method."""
        raise TypeError(f"{type(self).__name__} must define build_model(data, training_steps)")

    def builds_on(self) -> Recipe | str | None:
        """Return the recipe to train first, the path of a trained model, or `None`."""
        return None

    # Settings

    def settings(self) -> dict:
        """Return all fields, serialisable as JSON."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the recipe with these `settings`."""
        names = {field.name for field in fields(cls)}
        unknown = sorted(set(settings) - names)
        if unknown:
            raise InputError(
                f"The recipe {cls.name} has no setting {', '.join(unknown)}: "
                "was the run made by another version?"
            )
        # JSON has no tuples
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
        return cls(**values)
