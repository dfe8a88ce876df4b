"""Dense encoders and decoders for tables and vectors, plain Keras models."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from keras_ae.errors import InputError
from keras_ae.layers.tables.table_features import TableFeatures
from keras_ae.layers.tables.table_likelihood import TableLikelihood
from keras_ae.tables import TableColumn, as_columns

Columns = int | Iterable[TableColumn | Mapping[str, Any]]


def dense_encoder(
    columns: Columns,
    output_dim: int,
    *,
    units: Sequence[int] = (64, 32),
    activation: str = "relu",
    noise: float = 0.0,
    dropout: float = 0.0,
    name: str = "encoder",
) -> keras.Model:
    """Return an encoder of vectors, or of the rows of a table.

    `(batch, columns)` -> `(batch, output_dim)`.

    With the columns of a table, the first layer is `layers.TableFeatures`: the encoder takes numbers in their
    own units, indices of categories, and NaN for missing values.

    Args:
        columns: number of features of a vector, or `tables.TableColumn`s, such as those of
            `tables.fit_columns(table)`.
        output_dim: size of the result.
        units: sizes of the hidden layers.
        activation: activation of the hidden layers.
        noise: standard deviation of Gaussian noise added to the features in training.
        dropout: fraction of the features that are set to 0 in training.
        name: name of the model.

    Example:

    >>> dense_encoder(30, 4).output_shape
    (None, 4)
    """
    table = None if isinstance(columns, int) else as_columns(columns)
    inputs = keras.Input((_width(columns) if table is None else len(table),), name="x")
    # not cast to half precision before the table is standardised
    x = inputs if table is None else TableFeatures(table, name="features")(inputs)
    x = layers.GaussianNoise(noise)(x) if noise else x
    x = layers.Dropout(dropout)(x) if dropout else x
    for size in units:
        x = layers.Dense(size, activation=activation)(x)
    return keras.Model(inputs, layers.Dense(output_dim)(x), name=name)


def dense_decoder(
    columns: Columns,
    input_dim: int,
    *,
    units: Sequence[int] = (32, 64),
    activation: str = "relu",
    name: str = "decoder",
) -> keras.Model:
    """Return a decoder to vectors, or to the parameters of `layers.TableLikelihood`.

    `(batch, input_dim)` -> `(batch, columns)`, or `(batch, numeric columns + categories)` for a table.

    Args:
        columns: as in `dense_encoder`.
        input_dim: size of the embedding.
        units, activation, name: as in `dense_encoder`.

    Example:

    >>> dense_decoder([{"name": "size"}, {"name": "colour", "categories": ["b", "r"]}], 4).output_shape
    (None, 3)
    """
    size = _width(columns) if isinstance(columns, int) else TableLikelihood(columns).num_parameters
    inputs = x = keras.Input((input_dim,), name="embedding")
    for width in units:
        x = layers.Dense(width, activation=activation)(x)
    outputs = layers.Activation("linear", dtype="float32", name="reconstruction")(layers.Dense(size)(x))
    return keras.Model(inputs, outputs, name=name)


def _width(columns):
    if columns < 1:
        raise InputError(
            f"columns must be at least 1, or the columns of a table. Received: columns={columns}"
        )
    return columns
