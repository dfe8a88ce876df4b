"""What every image recipe has in common."""

import math
from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Literal

import keras

from keras_ae.errors import InputError
from keras_ae.training.measurement import measure

# what the settings of all recipes may be, by name
AT_LEAST_ONE = {"epochs", "batch_size", "filters", "latent_dim", "num_embeddings", "embedding_dim", "bits"}
AT_LEAST_ONE |= {"num_classes", "num_levels", "autoencoder_epochs", "code_bits"}
AT_LEAST_ONE |= {"dim", "depth", "num_attention_heads", "mi_units"}
POSITIVE = {"learning_rate", "temperature", "final_temperature"}
NOT_NEGATIVE = {"weight_decay", "noise", "downsampling", "seed", "beta", "warm_up", "kl_weight"}
NOT_NEGATIVE |= {"commitment_cost", "dropout", "total_correlation_weight", "alpha", "gamma"}
NOT_NEGATIVE |= {"quantizer_dropout", "saturation_cost", "entropy_weight", "diversity_weight"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Data, model and optimisation of one training; each field is an option of the command line."""

    name: ClassVar[str]
    summary: ClassVar[str]
    monitor: ClassVar[str] = "val_reconstruction_loss"  # lowest at the epoch whose weights are kept

    data: str = "digits"
    """"digits" (scikit-learn's), "sprites", a folder of images, an .npz file, or MNIST idx files."""
    image_size: tuple[int, int] | None = None
    """Height and width to which the images are resized."""
    epochs: int = 200
    """Passes over the training images."""
    batch_size: int = 64
    """Images of one step."""
    learning_rate: float = 3e-3
    """Of AdamW, at the start; it falls to 0 by a cosine."""
    weight_decay: float = 0.3
    """Of AdamW: each step takes learning rate x weight decay off the weights."""
    filters: int = 64
    """Channels inside of the convolutional encoder and decoder."""
    downsampling: int = 2
    """How often the encoder halves height and width."""
    noise: float = 0.05
    """Standard deviation of the noise added to the encoder's input in training (denoising)."""
    seed: int = 0
    """Of the initial weights, the order of the images and all sampling."""
    dtype_policy: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Arithmetic of the layers; the bottlenecks always compute in float32."""
    baselines: bool = True
    """Measure k-means, PCA and the mean image beside the model."""
    probe: bool = True
    """Measure how well a linear classifier reads the labels off the codes."""

    def __post_init__(self):
        for field in fields(self):
            value, option = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            # "not >=" also refuses what is not a number
            if field.name in AT_LEAST_ONE and not value >= 1:
                raise InputError(f"{option} is at least 1. Received: {value}")
            if field.name in POSITIVE and not 0 < value < math.inf:
                raise InputError(f"{option} is a positive number. Received: {value}")
            if field.name in NOT_NEGATIVE and not 0 <= value < math.inf:
                raise InputError(f"{option} is at least 0. Received: {value}")

    def build(
        self,
        image_shape: tuple[int, int, int],
        steps_per_epoch: int,
        base: keras.Model | None = None,
        num_classes: int | None = None,
    ) -> keras.Model:
        """The compiled model.

        `base` is the trained model that a recipe with `builds_on` builds on; it is also told
        the number of classes of labelled images.
        """
        keras.utils.set_random_seed(self.seed)
        given = () if base is None else (base, num_classes)
        model = self.build_model(image_shape, self.epochs * steps_per_epoch, *given)
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, self.epochs * steps_per_epoch)
        model.compile(keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay), jit_compile=False)
        return model

    def build_model(self, image_shape, training_steps) -> keras.Model:
        """The model; each recipe has its own."""
        raise TypeError(f"{type(self).__name__} must define build_model(image_shape, training_steps)")

    @property
    def labelled(self) -> bool:
        """Whether the model is given the labels of the images."""
        return False

    def builds_on(self) -> "Recipe | str | None":
        """What is there before: a recipe that is trained first, the path of a trained model, or nothing."""
        return None

    def measure(self, model, data) -> dict:
        """What the best model is worth on the test images of `data`: the content of `metrics.json`."""
        return measure(model, self, data)

    def network_settings(self):
        """Arguments that encoder and decoder share."""
        return {"downsampling": self.downsampling, "filters": self.filters}

    def settings(self) -> dict:
        """All fields, as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: dict):
        """The opposite of `settings`."""
        names = {field.name for field in fields(cls)}
        unknown = sorted(set(settings) - names)
        if unknown:
            raise InputError(
                f"The recipe {cls.name} has no setting {', '.join(unknown)}: "
                "was the run made by another version?"
            )
        # JSON has no tuples
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()})
