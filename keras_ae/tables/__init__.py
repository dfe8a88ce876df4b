"""Tables of numbers and categories: descriptions of their columns, and conversion to arrays."""

from keras_ae.tables.table_column import TableColumn, as_columns
from keras_ae.tables.values import check_table, columns_in, fit_columns, table_features, table_of, values_of

__all__ = [
    "TableColumn",
    "as_columns",
    "check_table",
    "columns_in",
    "fit_columns",
    "table_features",
    "table_of",
    "values_of",
]
