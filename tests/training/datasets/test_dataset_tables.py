"""Tables from csv, Parquet and npz files and from folders: kinds of columns, splits, labels, errors."""

import numpy as np
import pytest

from keras_ae.errors import DataWarning, InputError
from keras_ae.tables import TableColumn
from keras_ae.training.datasets import load_table, table_batches
from keras_ae.training.datasets.tables.loading import read_labelled_table, read_table

CSV = "id;size;colour;ok;grade\n" + "".join(
    f"{i};{'' if i % 5 == 0 else i * 1.5};{'?' if i % 7 == 0 else ('red', 'blue')[i % 2]};"
    f"{'true' if i % 3 else 'false'};{'good' if i % 4 else 'bad'}\n"
    for i in range(40)
)


@pytest.fixture
def csv(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "things.csv"
    path.write_text(CSV)
    return path


def test_a_csv_file_is_read_with_its_kinds_and_missing_values(csv):
    data = load_table(csv, ignore=["id"], categorical=["ok"], label="grade")
    assert [(column.name, column.categories) for column in data.columns] == [
        ("size", None),
        ("colour", ("blue", "red")),
        ("ok", ("False", "True")),
    ]
    assert data.class_names == ("bad", "good") and data.normal == ()
    sizes = [len(split) for split in (data.train, data.validation, data.test)]
    assert sizes == [29, 3, 8]  # a fifth of 40, a tenth of the other 32
    rows = np.concatenate([split.rows for split in (data.train, data.validation, data.test)])
    assert sorted(rows) == list(range(40))
    whole = data.train.store.array
    np.testing.assert_array_equal(np.isnan(whole[:, 0]), np.arange(40) % 5 == 0)
    np.testing.assert_array_equal(np.isnan(whole[:, 1]), np.arange(40) % 7 == 0)
    train = whole[data.train.rows, 0]
    assert data.columns[0].mean == pytest.approx(np.nanmean(train))
    assert data.columns[0].scale == pytest.approx(np.nanstd(train), rel=1e-5)
    assert data.description["missing_values"] == 8 + 6


def test_only_normal_rows_are_trained_on(csv):
    data = load_table(csv, label="grade", normal=["good"])
    assert not data.anomalies(data.train).any()
    np.testing.assert_array_equal(data.anomalies(data.test), data.test.rows % 4 == 0)
    every = load_table(csv, label="grade")
    np.testing.assert_array_equal(every.test.rows, data.test.rows)
    assert len(data.train) == (every.train.rows % 4 != 0).sum()


def test_parquet_and_npz_files_give_the_table_of_the_csv_file(csv, tmp_path):
    arrow, reader = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow.csv")
    table = reader.read_csv(csv, parse_options=reader.ParseOptions(delimiter=";"))
    arrow.write_table(table, tmp_path / "things.parquet")
    columns = load_table(csv).columns
    expected = read_table(csv, columns)
    size = np.array([np.nan if i % 5 == 0 else i * 1.5 for i in range(40)])
    colour = np.array(["" if i % 7 == 0 else ("red", "blue")[i % 2] for i in range(40)])
    grade = np.where(np.arange(40) % 4, "good", "bad")
    parts = {"id": np.arange(40), "ok": np.arange(40) % 3 > 0, "size": size, "colour": colour, "grade": grade}
    np.savez(tmp_path / "things.npz", **parts)
    with pytest.warns(DataWarning, match="6 values of the column colour"):  # "?" is a category in Parquet
        np.testing.assert_array_equal(read_table(tmp_path / "things.parquet", columns), expected)
    np.testing.assert_array_equal(read_table(tmp_path / "things.npz", columns), expected)


def test_labels_are_those_that_are_named_or_else_of_the_source(tmp_path):
    x, size = np.array([[1.0, 2.0], [3.0, 4.0]]), [TableColumn(name="size")]
    np.savez(tmp_path / "a.npz", x=x, y=[7, 8], columns=["size", "other"])
    values, labels = read_labelled_table(tmp_path / "a.npz", size)
    assert values.tolist() == [[1.0], [3.0]] and labels.tolist() == ["7", "8"]
    assert read_labelled_table(tmp_path / "a.npz", size, usual_label="other")[1].tolist() == ["2", "4"]
    assert read_labelled_table(tmp_path / "a.npz", size, usual_label="none")[1].tolist() == ["7", "8"]
    np.savez(tmp_path / "b.npz", size=[1.0, 2.0], kind=np.array(["a", ""]))
    assert read_labelled_table(tmp_path / "b.npz", size, "kind")[1].tolist() == ["a", ""]
    assert read_labelled_table(tmp_path / "b.npz", size, usual_label="none")[1] is None
    with pytest.raises(InputError, match="label must be a column of npz file .*, among size, kind"):
        read_labelled_table(tmp_path / "b.npz", size, "none")


def test_neither_the_named_labels_nor_those_of_the_source_are_inputs(tmp_path):
    x = np.arange(40.0).reshape(20, 2)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(20) % 2, columns=["size", "kind"])
    data = load_table(tmp_path / "a.npz", label="kind")
    assert [column.name for column in data.columns] == ["size"] and len(data.class_names) == 20
    also = load_table(tmp_path / "a.npz", label="kind", ignore=["label"])  # naming it is not an error
    assert also.columns == data.columns
    found = load_table("breast-cancer", label="mean area")
    assert not {"diagnosis", "mean area"} & {column.name for column in found.columns}
    assert len(found.columns) == 29 and found.normal == ()  # "benign" is a diagnosis


def test_the_arrays_of_an_npz_file_may_be_splits(tmp_path):
    x = np.arange(24.0).reshape(12, 2)
    arrays = {"x_train": x[:8], "y_train": np.arange(8) % 2, "x_test": x[8:], "y_test": [0, 1, 1, 0]}
    np.savez(tmp_path / "split.npz", **arrays, columns=["left", "right"])
    data = load_table(tmp_path / "split.npz", validation_fraction=0.25, normal=["0"])
    assert [column.name for column in data.columns] == ["left", "right"]
    assert data.description["test_split"] == "official"
    np.testing.assert_array_equal(data.test.values(), x[8:])
    np.testing.assert_array_equal(data.anomalies(data.test), [False, True, True, False])
    assert len(data.validation) == 2 and set(data.train.rows) <= {0, 2, 4, 6}


def test_the_files_of_a_folder_may_be_splits(tmp_path):
    pytest.importorskip("pyarrow")
    for name, rows in (("train", "1\n2\n4\n"), ("valid", "3\n"), ("test", "x\n5\n")):
        (tmp_path / f"{name}.csv").write_text(f"a\n{rows.replace('x', '7')}")
    data = load_table(tmp_path)
    assert [split.values().ravel().tolist() for split in (data.train, data.validation, data.test)] == [
        [1, 2, 4],
        [3],
        [7, 5],
    ]


def test_batches_are_a_function_of_seed_and_epoch_and_start_anywhere():
    data = load_table("breast-cancer")
    stream = table_batches(data.train, 64, seed=3)
    stream.epoch, stream.start_step = 2, 1
    order = np.random.default_rng((3, 2)).permutation(len(data.train))[64:]
    found = np.concatenate(list(stream.dataset.as_numpy_iterator()))
    np.testing.assert_array_equal(found, data.train.values(order))


def test_a_column_that_does_not_vary_is_named(tmp_path):
    np.savez(tmp_path / "flat.npz", a=np.arange(20.0), b=np.ones(20))
    with pytest.warns(DataWarning, match="1 column does not vary in the training rows: b"):
        assert load_table(tmp_path / "flat.npz").columns[1].scale == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "class"}, "label must be a column of .* among id, size"),
        ({"normal": ["good"]}, "must have labels to train on normal rows"),
        (
            {"label": "grade", "normal": ["fine"]},
            "among bad, good. Received: fine",
        ),
        ({"label": "size"}, "Labels must not be missing. Received: 8 missing in the column size"),
        ({"ignore": ["x"]}, "ignore must contain columns"),
        ({"categorical": ["x"]}, "categorical must contain names of columns"),
        ({"ignore": ["id", "size", "colour", "ok", "grade"]}, "must have columns other than the label"),
        ({"test_fraction": 1.0}, "test_fraction must be at least 0 and below 1"),
    ],
)
def test_options_that_do_not_fit_the_table_are_refused(csv, options, message):
    with pytest.raises(InputError, match=message):
        load_table(csv, **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "x,x\n1,2\n", "different names. Received: x twice"),
        ("a.csv", "x,y\n1\n", "is not a readable table"),
        ("a.csv", "x,y\n", "must contain rows below"),
        ("a.parquet", "PAR1", "is not a readable table"),
        ("a.xlsx", "x", 'must be "breast-cancer".*Received: a file ending in .xlsx'),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, message):
    pytest.importorskip("pyarrow")
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        load_table(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3), "b": np.ones(4)}, "one array .rows,. for each column. Received: a .3,., b .4,."),
        ({"x": np.ones(3)}, "must have the shape .rows, columns."),
        ({"x": np.ones((3, 2)), "y": np.ones(2)}, "one label for each row. Received: 2 of y and 3 rows of x"),
        ({"x": np.ones((3, 2)), "columns": ["a"]}, "one name for each column of x. Received: 1 names and 2"),
    ],
)
def test_npz_files_of_other_shapes_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load_table(tmp_path / "a.npz")


def test_a_missing_source_and_a_folder_of_several_tables_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist: the source must be"):
        load_table(tmp_path / "none.csv")
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n")
    with pytest.raises(InputError, match="must contain one table.*Received: a.csv, b.csv"):
        load_table(tmp_path)
