"""Checks of the data of `fit`, `evaluate` and `predict`."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.models.data_values import check_values
from keras_ae.models.input_rules import as_batch, check_structure, refuse_unused_target

FIRST = 3  # batches of a stream that are checked in each `fit` and `evaluate`


def is_stream(x) -> bool:
    """Return whether `x` yields batches: `tf.data`, `PyDataset`, a loader, a generator."""
    if isinstance(x, (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset)):
        return True
    if isinstance(x, (Mapping, list, tuple, str, bytes)) or x is None or hasattr(x, "shape"):
        return False
    return hasattr(x, "__iter__") and not hasattr(x, "to_numpy")


def checked_data(model, x, y=None, sample_weight=None, *, training=True):
    """Return `(x, y)` for Keras, checked: arrays as a whole, streams by their element specification.

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
                # the batches of a distributed iterator cannot be read here
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
        """Begin a `fit` (mode "train") or an `evaluate` ("test"); only streams are checked by batches."""
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
        # with the same signature, so that the step is not traced again
        return iter(tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec))


def _taken(iterator, count):
    """The next `count` batches, fewer at the end; raises `StopIteration` if there is none."""
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
