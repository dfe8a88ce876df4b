"""Checks of the data given to `fit`, `evaluate` and other methods, before the first step."""

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError, check_finite, check_integers, in_range, range_error
from keras_ae.models._input_rules import (
    InputRules,
    as_batch,
    check_structure,
    entries_of,
    refuse_unused_target,
)

FIRST = 3  # batches of a stream that are checked in each `fit` and `evaluate`


def is_stream(x) -> bool:
    """Return whether `x` yields batches: `tf.data`, `PyDataset`, a loader, a generator."""
    if isinstance(x, (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset)):
        return True
    if isinstance(x, (Mapping, list, tuple, str, bytes)) or x is None or hasattr(x, "shape"):
        return False
    return hasattr(x, "__iter__") and not hasattr(x, "to_numpy")


def checked_data(model, x, y=None, sample_weight=None, *, training=True):
    """Return checked `(x, y)` for Keras: arrays are checked whole, streams by their element specification.

    `FirstBatches` checks the values of a stream.

    Raises:
        InputError: `x`, `y` or `sample_weight` do not satisfy the rules of the model.
    """
    rules = model.declared_rules()
    needed = rules.trained_on if training else ()
    if is_stream(x):
        if isinstance(x, tf.data.Dataset):
            parts = keras.utils.unpack_x_y_sample_weight(x.element_spec)
            check_structure(rules, *parts, needed=needed)
            if training:
                refuse_unused_target(rules, *parts[1:])
            if training and model.distribute_strategy.num_replicas_in_sync > 1:
                # `FirstBatches` cannot read the batches of a distributed iterator.
                for batch in x.take(FIRST):
                    check_batch(model, batch, training)
        return x, y
    if training:
        refuse_unused_target(rules, y, sample_weight)
    x, y = as_batch(rules, x), _as_target(rules, y)
    check_structure(rules, x, y, sample_weight, needed=needed)
    if training:
        check_values(rules, x, y, sample_weight)
        model.check_batch(x, sample_weight)
    return x, y


def check_batch(model, batch, training=True):
    """Raise `InputError` unless a batch of a stream satisfies the rules of the model."""
    rules = model.declared_rules()
    parts = keras.utils.unpack_x_y_sample_weight(batch)
    check_structure(rules, *parts, needed=rules.trained_on if training else ())
    if training:
        refuse_unused_target(rules, *parts[1:])
    if not _sparse(batch):
        check_values(rules, *parts)
        if training:
            model.check_batch(parts[0], parts[2])


def target_for_keras(x, y, sample_weight):
    """Return the `y` for Keras, which drops the sample weights of arrays that come without a target."""
    if y is not None or sample_weight is None:
        return y
    # Sentences are given as word ids, which are only a placeholder here: they are not a target.
    return x.get("x", x.get("ids")) if isinstance(x, dict) else x


def refuse_class_weight(class_weight):
    """Raise `InputError` for a `class_weight`: no model of this package is a classifier."""
    if class_weight is not None:
        raise InputError(
            "class_weight must be None, since the target is a reconstruction without classes. "
            f"Received: class_weight={class_weight!r}. Weight examples by sample_weight, "
            "np.vectorize(class_weight.get)(labels)."
        )


class FirstBatches:
    """Check of the first batches of a stream, on their way to the training step.

    They are taken from the iterator, checked eagerly, and passed on to the step: no batch is lost, read
    twice, or moved.
    """

    def __init__(self):
        self.left = {"train": FIRST, "test": FIRST}

    def expect(self, mode, stream: bool):
        """Start a `fit` (mode "train") or an `evaluate` ("test"); only streams are checked by batches."""
        self.left[mode] = FIRST if stream else 0

    def guard(self, function, model, mode):
        """Return the train or test function of Keras, `function(iterator)`, with the check."""

        def checked(iterator):
            if self.left[mode] > 0:
                iterator = self._pass_on(iterator, model, mode)
            return function(iterator)

        return checked

    def _pass_on(self, iterator, model, mode):
        if isinstance(iterator, tf.distribute.DistributedIterator):
            return iterator
        spec = getattr(iterator, "element_spec", None)
        if spec is not None and not _plain(spec):
            return iterator
        batches = _taken(iterator, model.steps_per_execution)
        for batch in batches:
            check_batch(model, batch, training=True)
        self.left[mode] -= len(batches)
        if spec is None:
            return iter(batches)
        # The signature stays the same, so that the step is not traced again.
        return iter(tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec))


def _taken(iterator, count):
    """Return the next `count` batches, fewer at the end; raises `StopIteration` if there is none."""
    batches = [next(iterator)]
    while len(batches) < count:
        batch = next(iterator, None)
        if batch is None:
            break
        batches.append(batch)
    return batches


def _plain(spec):
    return all(isinstance(leaf, tf.TensorSpec) for leaf in tf.nest.flatten(spec))


def _sparse(batch):
    composite = (tf.SparseTensor, tf.RaggedTensor)
    return any(isinstance(leaf, composite) or hasattr(leaf, "tocoo") for leaf in tf.nest.flatten(batch))


def _as_target(rules, y):
    if y is None or isinstance(y, Mapping) or not rules.target:
        return y
    return as_batch(rules, y, "y")


CHUNK = 2**24  # number of values that are checked at a time
MOST = 2**27  # maximum number of checked values: larger arrays are sampled in evenly spaced rows


def check_values(rules, x, y=None, sample_weight=None):
    """Raise `InputError` where values are not finite, or the target is out of its range.

    Padding after `lengths` and examples of weight 0 are not checked.

    Args:
        rules: `InputRules`.
        x, y, sample_weight: arrays or eager tensors whose structure has been checked.
    """
    entries = entries_of(rules, x)
    lengths = _array(entries.get("lengths"))
    if lengths is not None:
        _check_lengths(lengths, entries[rules.values])
    weights = _array(sample_weight)
    if weights is not None:
        check_finite(weights, "sample_weight")
    for name, size in rules.sizes.items():
        if name in entries:
            check_integers(name, entries[name], size)
    target = y if y is not None and rules.target else entries[rules.values]
    for name, value in (*entries.items(), ("y", y if rules.target else None)):
        if value is None or not hasattr(value, "shape") or not hasattr(value, "dtype"):
            continue
        limits = _limits(rules, name, value is target)
        padded = lengths if name in (rules.values, "y") else None
        for rows in _parts(value):
            part = _array(value[rows])
            if rules.table is not None and name in (rules.values, "y"):
                if weights is not None:
                    part = np.where((weights.reshape(-1)[rows] != 0)[:, None], part, np.nan)
                rules.table.check_rows(part, name, rows.start)
            elif part.dtype.kind in "fiu" and part.size and not _fine(part, limits and limits[0]):
                _check_counted(name, part, limits, padded, weights, rows)


def check_method_values(rules, x):
    """Check the input of a method such as `encode`, except while a graph is traced.

    Floats may lie outside of the range of the target, as the input of a denoising model does; integers
    may not.
    """
    entries = entries_of(rules, x)
    symbolic = any(isinstance(value, keras.KerasTensor) for value in entries.values())
    if symbolic or not tf.executing_eagerly():
        return
    check_values(replace(rules, bounds=None), x)
    value = _array(entries[rules.values])
    integers = value.dtype.kind in "iu" and value.size
    if rules.bounds is not None and integers and not _fine(value, rules.bounds):
        raise _range_error(rules.values, value, *_limits(rules, rules.values, True))


def checked_array(name, value, shape=None):
    """Return an argument other than `x`, such as codes or an embedding, with lists as arrays.

    Raises:
        InputError: it is not an array of finite numbers, or not of `shape`, where that is given.
    """
    rules = InputRules({name: shape}, values=name)
    value = as_batch(rules, value, name)
    check_structure(rules, {name: value})
    check_method_values(rules, {name: value})
    return value


def _limits(rules, name, is_target):
    """Return `(bounds, setting that implies them, advice)` for an entry's values; `None` without bounds."""
    if is_target and rules.bounds is not None:
        return rules.bounds, rules.bounded_by, f"choose {rules.unbounded}"
    if name == rules.values and rules.value_range is not None:
        return rules.value_range, "model.preprocessing", "correct model.preprocessing"
    return None


def counted_lengths(values, lengths, sample_weight=None) -> np.ndarray:
    """Return the lengths of the examples of non-zero weight; without `lengths`, the length of `values`."""
    found = np.full(values.shape[0], values.shape[1]) if lengths is None else _array(lengths).reshape(-1)
    return found if sample_weight is None else found[_array(sample_weight).reshape(-1) != 0]


def _array(value):
    return None if value is None else np.asarray(value)


def _parts(value):
    """Return slices of the rows: all rows, or evenly spaced ones of a very large array."""
    rows = value.shape[0] if value.shape else 0
    per_row = max(1, int(np.prod(value.shape[1:], dtype="int64")))
    step = max(1, CHUNK // per_row)
    starts = np.arange(0, rows, step)
    if rows * per_row > MOST:
        starts = starts[np.linspace(0, len(starts) - 1, MOST // CHUNK).astype(int)]
    return [slice(int(start), int(start) + step) for start in starts]


def _fine(part, bounds):
    lowest, highest = part.min(), part.max()  # NaN if any value is NaN
    if bounds is None:
        return part.dtype.kind != "f" or bool(np.isfinite(lowest) and np.isfinite(highest))
    return in_range(lowest, highest, bounds, exact=part.dtype.kind in "iu")


def _check_counted(name, part, limits, lengths, weights, rows):
    """Check only the values that count; slower than `_fine`, and called only after `_fine` failed."""
    counted = np.ones(part.shape, bool)
    if weights is not None:
        counted &= (weights.reshape(-1)[rows] != 0).reshape(-1, *[1] * (part.ndim - 1))
    if lengths is not None and part.ndim > 1:
        real = np.arange(part.shape[1]) < lengths.reshape(-1)[rows][:, None]
        counted &= real.reshape(*real.shape, *[1] * (part.ndim - 2))
    check_finite(part, name, counted, first_row=rows.start)
    values = part[counted]
    if limits is not None and values.size and not _fine(values, limits[0]):
        raise _range_error(name, values, *limits)


def _range_error(name, values, bounds, bounded_by, way_out):
    (low, high), lowest, highest = bounds, values.min(), values.max()
    scale = f"Divide by {highest:g}" if lowest >= 0 and highest in (255, 65535) else "Scale the data"
    if low - 0.5 <= lowest and highest <= high + 0.5:
        scale = "Clip the data"
    return range_error(name, lowest, highest, bounds, source=bounded_by, advice=f"{scale}, or {way_out}.")


def _check_lengths(lengths, values):
    longest = int(lengths.max()) if lengths.size else 0
    size = values.shape[1] if len(values.shape) > 1 else None
    if lengths.size and (lengths.min() < 0 or (size is not None and longest > size)):
        raise InputError(
            f"lengths must lie in [0, {size}], the padded length. Received: lengths in "
            f"[{int(lengths.min())}, {longest}]. They count the positions of the input, such as samples."
        )
