"""Likelihood of the rows of a table: Gaussian and categorical columns."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ae.errors import InputError
from keras_ae.layers.base import Float32Layer
from keras_ae.layers.tables._layout import TableLayout
from keras_ae.ops.core import Tensor, argmax, is_finite
from keras_ae.tables import TableColumn, as_columns, check_table, values_of

LEAST_SCALE = 0.01  # of a learned scale: a column that follows from others would otherwise have no bound


@keras.saving.register_keras_serializable(package="keras_ae")
class TableLikelihood(Float32Layer):
    """Likelihood `p(x | parameters)` of the rows of a table, with independent columns.

    ```
    log p(x | parameters) = sum_numeric log N((x_j - mean_j) / scale_j; m_j, s_j^2)
                            + sum_categorical log softmax(logits_j)[x_j]
    ```

    The sums are over the observed values: NaN, infinities and indices that are no category are missing. The
    density of a numeric column is that of its standardised values, so that all columns count alike,
    whatever their units. `m_j` and `logits_j` are the parameters, an output of the decoder in the order of
    `Output shape` of `TableFeatures`. The layer maps them to the reconstruction, in the units of the table.

    Args:
        columns: `tables.TableColumn`s or dicts of their fields, such as `tables.fit_columns(table)`.
        observation_scale: standard deviation `s` of the standardised values, or `"learned"`: one weight for
            each numeric column, `s_j = 0.01 + softplus(w_j)`, which starts at 1.

    Call arguments:
        parameters: `(batch, numeric columns + categories)`.

    Output shape:
        `(batch, columns)`: means of the numeric columns, indices of the most probable categories.

    Raises:
        InputError: the columns or the scale are not valid; the parameters do not have this shape.

    Example:

    >>> layer = TableLikelihood([{"name": "size", "mean": 2.0}, {"name": "colour", "categories": ["b", "r"]}])
    >>> layer(ops.array([[1.0, 0.0, 3.0]])).numpy().tolist()
    [[3.0, 1.0]]

    Reference:
        Nazabal et al., 2020, https://arxiv.org/abs/1807.03653; learned scale: Rybkin et al., 2021,
        https://arxiv.org/abs/2006.13202.
    """

    def __init__(
        self,
        columns: Iterable[TableColumn | Mapping[str, Any]],
        *,
        observation_scale: float | str = "learned",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = False
        self.columns = as_columns(columns)
        number = isinstance(observation_scale, (int, float)) and 0 < observation_scale < math.inf
        if observation_scale != "learned" and not number:
            raise InputError(
                "observation_scale must be 'learned' or a positive number. "
                f"Received: observation_scale={observation_scale!r}"
            )
        self.observation_scale = observation_scale
        self._layout = TableLayout(self.columns)
        self._raw_scale: Any = None

    @property
    def num_parameters(self) -> int:
        """Number of parameters of a row, the size of the decoder's output."""
        return self._layout.num_parameters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 2 or input_shape[1] not in (None, self.num_parameters):
            raise InputError(
                f"The decoder's output must have the shape (batch, {self.num_parameters}), one mean for each "
                f"numeric column and one logit for each category. Received: {tuple(input_shape)}. "
                "networks.dense_decoder(columns, ...) returns such a decoder."
            )
        if self.observation_scale == "learned" and self._layout.numeric:
            start = math.log(math.expm1(1.0 - LEAST_SCALE))
            self._raw_scale = self.add_weight(
                shape=(len(self._layout.numeric),),
                initializer=keras.initializers.Constant(start),
                dtype="float32",
                autocast=False,
                name="raw_scale",
            )
        super().build(input_shape)

    @property
    def scales(self) -> Tensor:
        """Standard deviations `s_j` of the standardised numeric columns, float32 `(numeric columns,)`."""
        if self._raw_scale is None:
            scale = 1.0 if self.observation_scale == "learned" else self.observation_scale
            return ops.full((len(self._layout.numeric),), scale, "float32")
        return LEAST_SCALE + ops.softplus(ops.convert_to_tensor(self._raw_scale))

    def call(self, parameters: Tensor) -> Tensor:
        parameters, parts = ops.cast(parameters, "float32"), []
        if self._layout.numeric:
            scales = ops.array([self._layout.scales], "float32")
            parts.append(self._means(parameters) * scales + ops.array([self._layout.means], "float32"))
        parts += [ops.cast(argmax(logits), "float32") for logits in self._layout.logits(parameters)]
        return self._layout.in_order(parts)

    def log_prob(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Return `log p` of each value, 0 where it is missing: float32 `(batch, columns)`."""
        x, parameters = ops.cast(x, "float32"), ops.cast(parameters, "float32")
        parts = []
        if self._layout.numeric:
            values, observed = self._layout.standardized(x)
            scales = self.scales[None]
            log_density = -0.5 * ops.square((values - self._means(parameters)) / scales)
            log_density -= ops.log(scales) + 0.5 * math.log(2.0 * math.pi)
            parts.append(ops.where(observed, log_density, 0.0))
        for one_hot, logits in zip(self._one_hot(x), self._layout.logits(parameters), strict=True):
            parts.append(ops.sum(ops.where(one_hot, ops.log_softmax(logits, axis=-1), 0.0), axis=-1))
        return self._layout.in_order(parts)

    def distribution(self, parameters: Tensor) -> "RowDistribution":
        """Return `p(x | parameters)` with the methods `log_prob(x)` and `mean()`."""
        return RowDistribution(self, parameters)

    def observed(self, x: Tensor) -> Tensor:
        """Return whether each value is observed, bool `(batch, columns)`."""
        x = ops.cast(x, "float32")
        parts = []
        if self._layout.numeric:
            parts.append(is_finite(ops.take(x, ops.array(self._layout.numeric, "int32"), axis=1)))
        parts += [ops.any(one_hot, axis=-1) for one_hot in self._one_hot(x)]
        return self._layout.in_order(parts)

    def errors(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """Return the error of each value, 0 where it is missing: float32 `(batch, columns)`.

        It is the squared error in standard deviations of a numeric column, and 1 for a wrong category.
        """
        x, reconstruction = ops.cast(x, "float32"), ops.cast(reconstruction, "float32")
        scales = [1.0 if column.is_categorical else column.scale for column in self.columns]
        differences = ops.where(is_finite(x), x, reconstruction) - reconstruction
        differences = differences / ops.array([scales], "float32")
        wrong = ops.cast(differences != 0, "float32")
        categorical = ops.array([[column.is_categorical for column in self.columns]], "bool")
        errors = ops.where(categorical, wrong, ops.square(differences))
        return ops.where(self.observed(x), errors, 0.0)

    def rows_of(self, table: Any) -> np.ndarray:
        """Return a table with named columns as rows, see `tables.values_of`: float32 `(rows, columns)`."""
        return values_of(table, self.columns)

    def check_rows(self, rows: np.ndarray, name: str = "x", first_row: int = 0) -> None:
        """Raise `InputError` unless the rows are valid, see `tables.check_table`."""
        check_table(rows, self.columns, name, first_row)

    def _means(self, parameters):
        return parameters[:, : len(self._layout.numeric)]

    def _one_hot(self, x):
        """Return the one-hot categories of each group, bool `(batch, columns, categories)`."""
        found = []
        for places, logits in self._layout.groups:
            own = ops.take(x, ops.array(places, "int32"), axis=1)
            indices = ops.arange(len(logits[0]), dtype="float32")
            found.append(own[:, :, None] == indices[None, None])
        return found

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], len(self.columns))

    def compute_output_spec(self, parameters: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(parameters.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "columns": [column.to_dict() for column in self.columns],
            "observation_scale": self.observation_scale,
        }


class RowDistribution(NamedTuple):
    """Distribution of the rows of a table, as far as the interface of TensorFlow Probability is used."""

    likelihood: TableLikelihood
    parameters: Any

    def log_prob(self, x: Tensor) -> Tensor:
        """Return `TableLikelihood.log_prob`, `(batch, columns)`."""
        return self.likelihood.log_prob(x, self.parameters)

    def mean(self) -> Tensor:
        """Return the reconstruction, `(batch, columns)`."""
        return self.likelihood(self.parameters)
