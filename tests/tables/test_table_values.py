"""Tables as arrays and back: kinds of columns, missing values, unknown categories, errors."""

import numpy as np
import pytest

from keras_ae.errors import DataWarning, InputError
from keras_ae.tables import TableColumn, as_columns, check_table, columns_in, fit_columns, table_of, values_of

TABLE = {
    "size": np.array([2.0, 4.0, np.nan, 6.0]),
    "colour": np.array(["red", " blue", "", "red"]),
    "count": np.array([3, 1, 3, 3]),
    "good": np.array([True, False, True, True]),
    "mixed": np.array([1, None, 2.5, float("nan")], object),
}


def test_columns_are_described_by_their_kinds_and_statistics():
    size, colour, count, good, mixed = fit_columns(TABLE, categorical=["count"])
    # mean and standard deviation of 2, 4, 6: sqrt((4 + 0 + 4) / 3)
    assert (size.mean, size.scale, size.missing) == (4.0, pytest.approx((8 / 3) ** 0.5), True)
    assert colour == TableColumn(name="colour", categories=("blue", "red"), missing=True)
    assert count.categories == ("1", "3") and good.categories == ("False", "True")
    assert (mixed.mean, mixed.scale, mixed.missing) == (1.75, 0.75, True)


def test_a_table_survives_the_way_to_an_array_and_back():
    columns = fit_columns(TABLE)
    values = values_of(TABLE, columns)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[:, 1], [1, 0, np.nan, 1])
    found = table_of(values, columns)
    assert found["colour"].tolist() == ["red", "blue", "", "red"]
    np.testing.assert_array_equal(found["size"], TABLE["size"].astype("float32"))
    np.testing.assert_array_equal(found["count"], TABLE["count"])


def test_columns_are_found_by_their_names_and_an_array_has_their_order():
    columns = as_columns([{"name": "b"}, {"name": "a"}])
    np.testing.assert_array_equal(
        values_of({"a": [1, 2], "c": [5, 6], "b": [3, 4]}, columns), [[3, 1], [4, 2]]
    )
    unnamed = fit_columns(np.array([[1.0, 2.0], [3.0, 5.0]]))
    assert [column.name for column in unnamed] == ["x0", "x1"]
    np.testing.assert_array_equal(values_of(np.array([[7, 8]]), unnamed), [[7, 8]])
    for rows in (np.array([[7, 8], [5, 6]]), [[7, 8], [5, 6]]):
        np.testing.assert_array_equal(values_of(rows, columns), [[7, 8], [5, 6]])
    mixed = [TableColumn(name="size"), TableColumn(name="colour", categories=("blue", "red"))]
    np.testing.assert_array_equal(values_of([[7.5, "red"], [6, ""]], mixed), [[7.5, 1], [6, np.nan]])


class Frame:
    """What pandas and polars have in common."""

    def __init__(self, table):
        self.table = table
        self.columns = list(table)

    def __getitem__(self, name):
        return Frame({name: self.table[name]})

    def to_numpy(self):
        (values,) = self.table.values()
        return values


def test_a_data_frame_is_a_table():
    assert columns_in(Frame(TABLE)).keys() == TABLE.keys()
    columns = fit_columns(TABLE)
    np.testing.assert_array_equal(values_of(Frame(TABLE), columns), values_of(TABLE, columns))


def test_an_unknown_category_counts_as_missing_and_is_named():
    colour = TableColumn(name="colour", categories=("blue", "red"))
    with pytest.warns(DataWarning, match="2 values of the column colour .* count as missing: green, pink"):
        values = values_of({"colour": ["pink", "red", "green"]}, [colour])
    np.testing.assert_array_equal(values, [[np.nan], [1], [np.nan]])


def test_whole_numbers_are_one_category_whatever_their_dtype():
    kind = fit_columns({"kind": [1, 2]}, categorical=["kind"])
    np.testing.assert_array_equal(values_of({"kind": [2.0, np.nan, 1.0]}, kind), [[1], [np.nan], [0]])
    np.testing.assert_array_equal(values_of({"kind": ["2", ""]}, kind), [[1], [np.nan]])


def test_a_column_that_does_not_vary_has_the_scale_1():
    # the second differs by less than float32 resolves
    for values in ([3.0, 3.0], [1e8, 1e8 + 1]):
        assert fit_columns({"x": values})[0].scale == 1.0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: fit_columns({"a": [1.0, np.inf]}), "column a must consist of finite numbers"),
        (lambda: fit_columns({"a": [np.nan]}), "column a must have values in the training rows"),
        (lambda: fit_columns({"a": np.array(["2026-01-01"], "M8[D]")}), "Convert dates"),
        (lambda: fit_columns({"a": [1]}, categorical=["b"]), "among a. Received: b"),
        (lambda: fit_columns({"a": [1], "b": [1, 2]}), "one value per row. Received: a .1,., b .2,."),
        (lambda: fit_columns(np.zeros(3)), r"array \(rows, columns\)"),
        (lambda: values_of({"a": [1]}, [TableColumn(name="b")]), "must have the columns b. .* without b"),
        (lambda: values_of(np.zeros((2, 3)), [TableColumn(name="a")]), r"\(rows, 1\), .*Received: 3 columns"),
        (
            lambda: values_of({"a": ["1", "x"]}, [TableColumn(name="a")]),
            "consist of numbers. Received: 'x' in row 1",
        ),
        (
            lambda: values_of({"a": [1e300]}, [TableColumn(name="a")]),
            "finite number, or NaN, in the column a",
        ),
        (lambda: TableColumn(name="a", scale=0.0), "scale of the column a must be positive"),
        (lambda: TableColumn(name="a", mean=float("nan")), "mean of the column a must be a finite number"),
        (lambda: TableColumn(name="a", categories=("b", "b")), "must be different names"),
        (lambda: TableColumn(name=""), "name of a column must be a string"),
        (
            lambda: as_columns([{"name": "a"}, {"name": "a"}]),
            "at least one column, with distinct names. Received: a twice",
        ),
        (lambda: as_columns([]), "Received: none"),
        (lambda: as_columns([{"title": "a"}]), "must be a TableColumn, or a dict with name"),
        (lambda: as_columns(3), "columns must be a list"),
        (lambda: check_table(np.zeros((2, 2)), [TableColumn(name="a")]), r"shape \(rows, 1\)"),
        (
            lambda: check_table(np.array([[0.5]]), [TableColumn(name="a", categories=("b", "c"))]),
            "from 0 to 1",
        ),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
