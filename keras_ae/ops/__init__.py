"""Operations shared by layers and models."""

from keras_ae.ops.core import (
    argmax,
    assign_finite,
    exporting,
    finite_or_zero,
    finite_padding,
    finite_rows,
    gather_over_replicas,
    has_fixed_shapes,
    is_exporting,
    is_finite,
    num_replicas,
    straight_through,
    sum_over_replicas,
    where_counted,
)
from keras_ae.ops.search import RowBlock, in_row_blocks, nearest_code, row_blocks
from keras_ae.ops.sequences import zero_padding
from keras_ae.ops.terms import LossTerm, TermMean, batch_term, mean_term, scalars, weighted_mean

__all__ = [
    "LossTerm",
    "RowBlock",
    "TermMean",
    "argmax",
    "assign_finite",
    "batch_term",
    "exporting",
    "finite_or_zero",
    "finite_padding",
    "finite_rows",
    "gather_over_replicas",
    "has_fixed_shapes",
    "in_row_blocks",
    "is_exporting",
    "is_finite",
    "mean_term",
    "nearest_code",
    "num_replicas",
    "row_blocks",
    "scalars",
    "straight_through",
    "sum_over_replicas",
    "weighted_mean",
    "where_counted",
    "zero_padding",
]
