"""Recipe of auto-encoders of the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.training.recipes.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from keras_ae import models
    from keras_ae.tables import TableColumn
    from keras_ae.training.datasets import BatchStream, TableData


@dataclass(frozen=True, kw_only=True)
class TabularRecipe(Recipe):
    """Auto-encoder of the rows of a table of numbers and categories, whose score detects anomalies.

    The standardisation is part of the model, and missing values are left out of its objective.
    """

    name: ClassVar[str] = "tabular"
    summary: ClassVar[str] = "a vector of a row of numbers and categories; scores of anomalies"
    monitor: ClassVar[str] = "val_loss"
    examples: ClassVar[str] = "rows"

    data: str = "breast-cancer"
    """Source of the table: "breast-cancer" (of scikit-learn), a .csv, .tsv, .parquet or .npz file, or a
    folder with one such file for each split."""
    label: str | None = None
    """Column with the label of each row, which is not an input of the model; None: that of the source, if
    it has one."""
    normal: tuple[str, ...] | None = None
    """Labels of the normal rows: only these are trained on, and test rows with other labels are anomalies;
    None: benign for breast-cancer, otherwise all rows are normal."""
    categorical: tuple[str, ...] = ()
    """Columns whose numbers are categories; columns of text always are."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, such as numbers of rows."""
    model: Literal["vae", "autoencoder"] = "vae"
    """Model: a variational auto-encoder, or an auto-encoder without a prior."""
    latent_dim: int = 4
    """Dimension of the embedding."""
    units: tuple[int, ...] = (16,)
    """Sizes of the hidden layers of the encoder; those of the decoder are in reverse order. Tables of many
    thousand rows allow more, such as 64 32."""
    observation_scale: float | None = None
    """Standard deviation of the Gaussian likelihood, in standard deviations of a column; None: learned for
    each column."""
    beta: float = 1.0
    """Weight of the KL of the variational auto-encoder, after its warm-up."""
    warm_up: float = 0.1
    """Share of the training steps over which the weight of the KL rises from 0."""
    noise: float = 0.1
    """Standard deviation of the noise added to the standardised values in training (denoising)."""
    dropout: float = 0.0
    """Fraction of the features that are set to 0 in training."""
    epochs: int = 400
    """Number of passes over the training rows."""
    batch_size: int = 64
    """Number of rows per step."""
    learning_rate: float = 1e-2
    """Initial learning rate of AdamW; it decays to 0 by a cosine."""
    baselines: bool = True
    """Whether to measure the baselines: principal components, an isolation forest and the mean row."""

    def __post_init__(self):
        super().__post_init__()
        if any(size < 1 for size in self.units):
            raise InputError(f"--units must be at least 1 each. Received: {' '.join(map(str, self.units))}")

    def load_data(self, columns: Sequence[TableColumn] | None = None) -> TableData:
        """Return the rows; `columns` are those of a trained model, `None`: those of the training rows."""
        from keras_ae.training.datasets import load_table

        return load_table(
            self.data,
            label=self.label,
            normal=self.normal,
            categorical=self.categorical,
            ignore=self.ignore,
            columns=columns,
        )

    def training_batches(self, data: TableData) -> BatchStream:
        from keras_ae.training.datasets import table_batches

        return table_batches(data.train, self.batch_size, self.seed)

    def validation_batches(self, data: TableData) -> Any:
        normal = data.validation.part(~data.anomalies(data.validation))
        if not len(normal):
            raise InputError("The validation rows must contain normal ones. Received: none; add more rows.")
        return normal.batches(self.batch_size)

    def describe(self, data: TableData) -> str:
        return f"rows with {len(data.columns)} columns"

    def pictures(self, model: keras.Model, data: TableData, directory: Any) -> list[keras.callbacks.Callback]:
        from keras_ae.training.callbacks import ScoreHistogram

        settings = {"every": max(1, self.epochs // 10), "log_dir": directory / "logs"}
        anomalies = data.anomalies(data.test) if data.normal else None
        return [ScoreHistogram(data.test.values(), anomalies, directory / "figures", **settings)]

    def build_model(
        self, data: TableData, training_steps: int
    ) -> models.AutoEncoder | models.VariationalAutoEncoder:
        import keras

        from keras_ae import layers, models, networks

        scale = "learned" if self.observation_scale is None else self.observation_scale
        likelihood = layers.TableLikelihood(data.columns, observation_scale=scale)
        decoder = networks.dense_decoder(data.columns, self.latent_dim, units=self.units[::-1])
        settings: dict[str, Any] = {"units": self.units, "noise": self.noise, "dropout": self.dropout}
        if self.model == "autoencoder":
            encoder = networks.dense_encoder(data.columns, self.latent_dim, **settings)
            return models.AutoEncoder(encoder, decoder, likelihood=likelihood)
        beta: Any = self.beta
        if self.warm_up:
            steps = max(1, round(self.warm_up * training_steps))
            beta = keras.optimizers.schedules.PolynomialDecay(0.0, steps, end_learning_rate=self.beta)
        encoder = networks.dense_encoder(data.columns, 4 * self.latent_dim, **settings)
        return models.VariationalAutoEncoder(
            encoder, decoder, self.latent_dim, beta=beta, likelihood=likelihood, seed=self.seed
        )

    def measure(self, model: Any, data: TableData) -> dict[str, Any]:
        from keras_ae.training.recipes.tables._measures import measure_table

        return measure_table(model, self, data)
