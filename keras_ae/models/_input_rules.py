"""Rules for the inputs of a model: names, shapes and ranges, and the checks of names and shapes."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError

# Classes and functions of keras.losses whose target is a probability.
PROBABILITY_LOSSES = {
    *("BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "KLDivergence"),
    *("binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "kl_divergence"),
}


@dataclass(frozen=True)
class InputRules:
    """Rules for `x` and `y` in `fit`, `evaluate`, `predict` and the methods of a model.

    Attributes:
        shapes: `{name: shape}` of the entries of `x` as a dictionary, the batch first. `None` in a shape is
            a free axis, `None` in place of a shape allows any shape. Other names are rejected.
        values: name of the main entry: `x` as an array means this entry.
        trained_on: entries that `fit` and `evaluate` require in addition to `values`.
        target: whether `y` is the target of the reconstruction, with the shape of the values.
        ignores_y: whether the model does not use `y`. It is then rejected, unless it is a placeholder
            before `sample_weight`.
        bounds: `(lowest, highest)` of the target's values, or `None`.
        bounded_by: the setting that implies these bounds, such as `likelihood="bernoulli"`.
        unbounded: the setting to choose instead, such as `likelihood="gaussian"`.
        sizes: `{name: n}` of entries that are integers from 0 to `n - 1`, such as speakers and labels;
            `None`: any integers.
        made_by: function that returns such inputs, for messages.
        value_range: `(lowest, highest)` of the values, from `model.preprocessing`, or `None`.
        dtype: dtype of the values.
        table: `layers.TableLikelihood` of values that are the rows of a table: NaN is then a missing value,
            and a table with named columns is converted by it.
    """

    shapes: Mapping[str, tuple | None] = field(default_factory=lambda: {"x": None})
    values: str = "x"
    trained_on: tuple[str, ...] = ()
    target: bool = False
    ignores_y: bool = False
    bounds: tuple[float, float] | None = None
    bounded_by: str = ""
    unbounded: str = ""
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    made_by: str = ""
    value_range: tuple[float, float] | None = None
    dtype: str = "float32"
    table: Any = None

    def signature(self) -> list:
        """Return the signature of the model's call for Keras' export: the values and the required entries."""
        dtypes = {self.values: self.dtype, **dict.fromkeys(self.trained_on, "int32")}
        specs = {
            name: keras.InputSpec(shape=self.shapes[name], dtype=dtype) for name, dtype in dtypes.items()
        }
        return [specs if self.trained_on else specs[self.values]]

    def description(self, entry: str = "x") -> str:
        """Return a description in words of `x`, or of one of its entries."""
        name = entry if entry in self.shapes else self.values
        shape = self.shapes.get(name)
        array = "an array" if shape is None else f"an array of the shape {shape_text(shape)}"
        if len(self.shapes) == 1 or name != self.values or entry == "y":
            return array
        names = ", ".join(f'"{name}":' for name in self.shapes)
        return f"{array}, or {{{names}}}" if not self.trained_on else f"{{{names}}}"


def loss_bounds(loss) -> dict:
    """Return `bounds`, `bounded_by` and `unbounded` of `InputRules` for a reconstruction loss."""
    found = keras.losses.get(loss) if isinstance(loss, str) else loss
    name = type(found).__name__ if isinstance(found, keras.losses.Loss) else getattr(found, "__name__", "")
    if name not in PROBABILITY_LOSSES:
        return {}
    shown = repr(loss) if isinstance(loss, str) else name
    settings = {"bounded_by": f"reconstruction_loss={shown}", "unbounded": 'reconstruction_loss="mse"'}
    return {"bounds": (0.0, 1.0), **settings}


def likelihood_bounds(likelihood) -> dict:
    """Return `bounds`, `bounded_by` and `unbounded` of `InputRules` for a likelihood of `keras_ae.losses`."""
    if likelihood != "bernoulli":
        return {}
    settings = {"bounded_by": 'likelihood="bernoulli"', "unbounded": 'likelihood="gaussian"'}
    return {"bounds": (0.0, 1.0), **settings}


def entries_of(rules, x) -> dict:
    """Return `{name: array}` of `x`, without entries that are `None`."""
    entries = x if isinstance(x, Mapping) else {rules.values: x}
    return {name: value for name, value in entries.items() if value is not None}


def check_structure(rules, x, y=None, sample_weight=None, *, needed=()):
    """Raise `InputError` unless names, dtypes and shapes satisfy `rules`.

    Args:
        rules: `InputRules`.
        x, y, sample_weight: arrays, tensors, symbolic tensors or `tf.TensorSpec`s, or dictionaries of them.
        needed: names of entries that are required in addition to the values.
    """
    entries = entries_of(rules, x)
    _check_names(rules, x, entries, needed)
    for name, value in entries.items():
        check_numbers(name, value)
        _check_shape(name, value, rules.shapes.get(name), rules)
    values = entries[rules.values]
    _check_equal_batches(entries)
    if y is not None and rules.target:
        _check_target(rules, values, y)
    if sample_weight is not None:
        _check_weights(values, sample_weight)


def refuse_unused_target(rules, y, sample_weight=None):
    """Raise `InputError` for a `y` that the model would ignore, unless it is a placeholder before weights."""
    if not rules.ignores_y or y is None or sample_weight is not None:
        return
    others = [name for name in rules.shapes if name in ("labels", "speaker")]
    by_name = "".join(f', or give it by name: fit({{"{rules.values}": x, "{name}": y}})' for name in others)
    raise InputError(
        f"y must be None, since the model has no target. Received: y={_kind(y)}. "
        f"Pass x alone, with tf.data dataset.map(lambda x, y: x){by_name}."
    )


def _check_names(rules, x, entries, needed):
    unknown = sorted(map(str, set(entries) - set(rules.shapes)))
    missing = [name for name in (rules.values, *needed) if name not in entries]
    if not unknown and not missing:
        return
    received = f"a dictionary with {_names(sorted(map(str, entries)))}" if entries else "an empty dictionary"
    if not isinstance(x, Mapping):
        received = "x=None" if x is None else _kind(x)
    faults = [f"unknown {_names(unknown)}"] if unknown else []
    faults += [f"without {_names(missing)}"] if missing else []
    raise InputError(
        f"x must be {rules.description()}. Received: {received}, {', '.join(faults)}."
        + _hint_of_names(rules, unknown, missing)
    )


def _hint_of_names(rules, unknown, missing):
    close = difflib.get_close_matches(unknown[0], rules.shapes, 1) if unknown else []
    if close:
        return f' Did you mean "{close[0]}"?'
    if missing:
        return f" {rules.made_by} returns such inputs." if rules.made_by else ""
    return " Leave out what the model does not use."


def check_numbers(name, value):
    """Raise `InputError` unless `value` consists of numbers."""
    dtype = getattr(value, "dtype", None)
    text = str(getattr(dtype, "name", dtype))
    if dtype is not None and (text.startswith(("str", "bytes")) or getattr(dtype, "kind", "f") in "USO"):
        raise InputError(f"{name} must consist of numbers. Received: {name} of dtype {text}.")


def shape_of(value) -> tuple | None:
    """Return the shape of an array, tensor or spec, `None` for unknown axes; `None` without a known rank."""
    shape = getattr(value, "shape", None)
    if shape is None or (isinstance(shape, tf.TensorShape) and shape.rank is None):
        return None
    return tuple(None if size is None else int(size) for size in shape)


def shape_text(shape) -> str:
    """Return a shape as text, `(batch, 8, 8, 1)`."""
    sizes = ["batch", *("any" if size is None else str(size) for size in shape[1:])]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def fits(shape, expected) -> bool:
    """Return whether a shape is as expected, where both are known."""
    return len(shape) == len(expected) and all(
        a == b or a is None or b is None for a, b in zip(shape, expected, strict=True)
    )


def _check_shape(name, value, expected, rules):
    shape = shape_of(value)
    if shape is None or expected is None or fits(shape, (None, *expected[1:])):
        return
    if name != rules.values and fits(shape, (None, *expected[1:], 1)):  # one value per example, as a column
        return
    raise InputError(
        f"{name} must have the shape {shape_text(expected)}. Received: shape {shape}. "
        + _remedy(name, shape, expected)
    )


def _remedy(name, shape, expected):
    sample = expected[1:]
    if fits(shape, sample):
        return f"One example needs a batch axis: {name}[None]; a tf.data.Dataset needs batch(n)."
    if sample and fits(shape, expected[:-1]) and sample[-1] in (1, None):
        return f"The channel axis is missing: {name}[..., None]."
    if len(sample) == 3 and fits(shape, (None, sample[-1], *sample[:-1])):
        return f"Channels come last: np.moveaxis({name}, 1, -1)."
    return "The batch is the first axis."


def _check_equal_batches(entries):
    sizes = {name: shape[0] for name, shape in ((n, shape_of(v)) for n, v in entries.items()) if shape}
    sizes = {name: size for name, size in sizes.items() if size is not None}
    if len(set(sizes.values())) > 1:
        raise InputError(
            "The entries of x must have one row per example. "
            f"Received: {', '.join(f'{size} of {name}' for name, size in sizes.items())}."
        )


def _check_target(rules, values, y):
    if isinstance(y, Mapping):
        raise InputError(
            f"y is the target of the reconstruction and must be an array. Received: {_kind(y)}. "
            "Pass further inputs of the model in x."
        )
    check_numbers("y", y)
    expected, shape = shape_of(values), shape_of(y)
    if expected is None or shape is None:
        return
    own = rules.shapes.get(rules.values)
    if own is not None:  # fills in axes whose size the data do not specify
        expected = tuple(a if a is not None else b for a, b in zip(expected, (None, *own[1:]), strict=True))
    if fits(shape, expected):
        return
    others = [name for name in rules.shapes if name not in (rules.values, "lengths")]
    by_name = "".join(f', or give them by name: fit({{"x": x, "{name}": y}})' for name in others[:1])
    raise InputError(
        "y is the target of the reconstruction and must have the shape of "
        f"{rules.values}, {shape_text(expected)}. Received: y of shape {shape_text(shape)}. "
        f"Labels are not a target: pass x alone, with tf.data dataset.map(lambda x, y: x){by_name}."
    )


def _check_weights(values, sample_weight):
    shape, expected = shape_of(sample_weight), shape_of(values)
    if shape is None or expected is None:
        return
    known = shape[0] is not None and expected[0] is not None if shape else False
    if not fits(shape, (None,)) and not fits(shape, (None, 1)) or (known and shape[0] != expected[0]):
        rows = "batch" if expected[0] is None else expected[0]
        raise InputError(
            f"sample_weight must have the shape ({rows},), one weight for each example. "
            f"Received: shape {shape}. Pass lengths to exclude padding."
        )


def _names(names):
    return ", ".join(f'"{name}"' for name in names)


def _kind(value):
    shape = shape_of(value)
    return f"{type(value).__name__} of shape {shape}" if shape is not None else type(value).__name__


def as_batch(rules, x, name="x"):
    """Return a batch with lists and tables as arrays.

    Raises:
        InputError: `x` is not a batch of numbers.
    """
    if isinstance(x, Mapping):
        known = {key: value for key, value in x.items() if value is not None and key in rules.shapes}
        return {**x, **{key: as_batch(rules, value, key) for key, value in known.items()}}
    if x is None or isinstance(x, (str, bytes)):
        received = "None" if x is None else type(x).__name__
        raise InputError(f"{name} must be {rules.description(name)}. Received: {name}={received}.")
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)) or hasattr(x, "__next__"):
        raise InputError(
            f"{name} must be one batch: {rules.description(name)}. Received: {type(x).__name__}. "
            "Encode all batches with keras_ae.evaluation.encode_batches(model, data)."
        )
    if is_table(x):
        return table_values(x, name) if rules.table is None else rules.table.rows_of(x)
    if isinstance(x, (list, tuple)):
        return _stacked(rules, x, name)
    return x


def is_table(x) -> bool:
    """Return whether `x` is a table of named columns, such as a pandas DataFrame."""
    return hasattr(x, "columns") and hasattr(x, "to_numpy")


def table_values(x, name="x") -> np.ndarray:
    """Return the values of a table.

    Raises:
        InputError: a column does not contain numbers.
    """
    values = x.to_numpy()
    if values.dtype.kind in "OUS":
        columns = list(map(str, x.columns))
        raise InputError(
            f"{name} must consist of numbers. Received: a table with the columns {columns}, not all "
            "numeric. Select columns first."
        )
    return values


def _stacked(rules, x, name):
    """Return a list as an array: `[array]` is that array, a list of examples is a batch."""
    expected = rules.shapes.get(rules.values if name == "y" else name)
    if len(x) == 1 and expected is not None and len(shape_of(x[0]) or ()) == len(expected):
        return x[0]
    if any(isinstance(part, keras.KerasTensor) for part in x):
        return x
    try:
        array = np.asarray(x)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind == "f" and array.dtype.itemsize == 8:
        array = array.astype(keras.config.floatx())  # Python floats become float64 in NumPy
    if array.dtype.kind in "OUS":
        raise InputError(
            f"{name} must be {rules.description(name)}. Received: a {type(x).__name__} of {len(x)} parts "
            "that do not form an array of numbers. Pad sequences to one length and pass their lengths."
        )
    return array
