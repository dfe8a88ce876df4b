"""Places of the numbers and categories of a table in the arrays of its layers."""

from keras import ops

from keras_ae.errors import InputError
from keras_ae.ops.core import Tensor, is_finite
from keras_ae.tables import TableColumn


class TableLayout:
    """Places of the columns of a table in its rows, and in the parameters of their distributions.

    Args:
        columns: the columns.

    Attributes:
        numeric, categorical: places of the columns of each kind.
        means, scales: statistics of the numeric columns.
        num_parameters: total number of numeric columns and categories. The parameters of a row are those of
            the numeric columns, then the logits of the categorical ones.
        groups: `[(places among the columns, places of their logits)]` of the categorical columns with the
            same number of categories.

    Example:

    >>> layout = TableLayout((TableColumn(name="colour", categories=("b", "r")), TableColumn(name="size")))
    >>> layout.numeric, layout.categorical, layout.num_parameters
    ([1], [0], 3)
    """

    def __init__(self, columns: tuple[TableColumn, ...]):
        self.columns = columns
        places = range(len(columns))
        self.numeric = [place for place in places if not columns[place].is_categorical]
        self.categorical = [place for place in places if columns[place].is_categorical]
        self.means = [columns[place].mean for place in self.numeric]
        self.scales = [columns[place].scale for place in self.numeric]
        self.sizes = [columns[place].size for place in self.categorical]
        self.num_parameters = len(self.numeric) + sum(self.sizes)
        self.groups = self._groups()

    def _groups(self):
        groups: dict[int, tuple[list[int], list[list[int]]]] = {}
        first = len(self.numeric)
        for place, size in zip(self.categorical, self.sizes, strict=True):
            places, logits = groups.setdefault(size, ([], []))
            places.append(place)
            logits.append(list(range(first, first + size)))
            first += size
        return list(groups.values())

    def check_inputs(self, shape: tuple[int | None, ...]) -> None:
        """Raise `InputError` unless `shape` is that of a batch of rows."""
        if len(shape) != 2 or shape[1] not in (None, len(self.columns)):
            raise InputError(
                f"The rows of a table must have the shape (batch, {len(self.columns)}), one number for each "
                f"column. Received: {tuple(shape)}"
            )

    def standardized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the standardised numeric columns, 0 where missing, and whether each value is observed."""
        own = ops.take(x, ops.array(self.numeric, "int32"), axis=1)
        observed = is_finite(own)
        means = ops.array([self.means], "float32")
        # selected before the arithmetic: the gradient of NaN is NaN
        own = ops.where(observed, own, means)
        return (own - means) / ops.array([self.scales], "float32"), observed

    def one_hot(self, x: Tensor) -> Tensor:
        """Return the one-hot categories of all categorical columns, `(batch, categories)`."""
        places: list[int] = sum(([place] * self.columns[place].size for place in self.categorical), [])
        indices = [float(index) for size in self.sizes for index in range(size)]
        repeated = ops.take(x, ops.array(places, "int32"), axis=1)
        return ops.cast(repeated == ops.array([indices], "float32"), "float32")

    def logits(self, parameters: Tensor) -> list[Tensor]:
        """Return the logits of each of the `groups`, `(batch, columns, categories)`."""
        found = []
        for places, logits in self.groups:
            flat = ops.take(parameters, ops.array(sum(logits, []), "int32"), axis=1)
            found.append(ops.reshape(flat, (-1, len(places), len(logits[0]))))
        return found

    def in_order(self, parts: list[Tensor]) -> Tensor:
        """Return values of the numeric columns and of each of the `groups` in the order of the columns."""
        given = [*self.numeric, *(place for places, _ in self.groups for place in places)]
        together = ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        order = sorted(range(len(given)), key=given.__getitem__)
        if order == list(range(len(given))):
            return together
        return ops.take(together, ops.array(order, "int32"), axis=1)
