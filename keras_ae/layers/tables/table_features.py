"""Features of the rows of a table: standardised numbers, one-hot categories, missing values."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.layers.tables._layout import TableLayout
from keras_ae.ops.core import Tensor
from keras_ae.tables import TableColumn, as_columns
from keras_ae.tables.values import LARGEST_FEATURE


@keras.saving.register_keras_serializable(package="keras_ae")
class TableFeatures(Float32Layer):
    """Features of the rows of a table, so that a model takes the table in its own units.

    ```
    numeric column:      (x - mean) / scale, between -1000 and 1000; 0 if missing
    with missing values: and 1 if missing, else 0
    categorical column:  one-hot of K categories; zeros if missing
    ```

    NaN is a missing value, and so are infinities and indices that are no category. The statistics are
    constants of the layer, saved with it.

    Args:
        columns: `tables.TableColumn`s or dicts of their fields, such as `tables.fit_columns(table)`.

    Input shape:
        `(batch, columns)`, numbers and indices of categories.

    Output shape:
        `(batch, features)`: the numeric columns, then the indicators of missing values, then the categories.

    Raises:
        InputError: the columns are not valid, or do not have the number of the inputs.

    Example:

    >>> layer = TableFeatures([{"name": "size", "mean": 2.0}, {"name": "colour", "categories": ["b", "r"]}])
    >>> layer(ops.array([[3.0, 1.0], [float("nan"), 0.0]])).numpy().tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]

    Reference:
        Nazabal et al., 2020, section 3.2, https://arxiv.org/abs/1807.03653.
    """

    def __init__(self, columns: Iterable[TableColumn | Mapping[str, Any]], **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = False
        self.columns = as_columns(columns)
        self._layout = TableLayout(self.columns)
        self._missing = [place for place in self._layout.numeric if self.columns[place].missing]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._layout.check_inputs(input_shape)
        super().build(input_shape)

    def call(self, x: Tensor) -> Tensor:
        x, parts = ops.cast(x, "float32"), []
        if self._layout.numeric:
            scaled, observed = self._layout.standardized(x)
            parts.append(ops.clip(scaled, -LARGEST_FEATURE, LARGEST_FEATURE))
        if self._missing:
            among = [self._layout.numeric.index(place) for place in self._missing]
            parts.append(1.0 - ops.cast(ops.take(observed, ops.array(among, "int32"), axis=1), "float32"))
        if self._layout.categorical:
            parts.append(self._layout.one_hot(x))
        return ops.cast(ops.concatenate(parts, axis=1), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self._layout.num_parameters + len(self._missing))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "columns": [column.to_dict() for column in self.columns]}
