"""Checks of the data of `fit`, `evaluate` and `predict`, before and while the first batches are used."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.models.data_values import check_values
from keras_ae.models.input_rules import as_batch, check_structure, refuse_unused_target

FIRST = 3  # batches of a stream that are looked at in each `fit` and `evaluate`


def is_stream(x) -> bool:
    """Whether `x` yields batches by itself: `tf.data`, `PyDataset`, a loader, a generator."""
    if isinstance(x, (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset)):
        return True
    if isinstance(x, (Mapping, list, tuple, str, bytes)) or x is None or hasattr(x, "shape"):
        return False
    return hasattr(x, "__iter__") and not hasattr(x, "to_numpy")


def checked_data(model, x, y=None, sample_weight=None, *, training=True):
    """`(x, y)` for Keras, after a check of arrays as a whole, of streams by what they say of their elements.

    The values of a stream are checked by `FirstBatches`.

    Raises:
        InputError: `x`, `y` or `sample_weight` are not what the model takes.
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
                # iterators of several devices cannot be looked into
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
    """Raise `InputError` unless a batch of a stream is what the model takes."""
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
    """Raise `InputError` where classes are to be weighted: no model of this package is a classifier."""
    if class_weight is not None:
        raise InputError(
            "class_weight must be None: the target is a reconstruction, which has no classes. "
            f"Received: class_weight={class_weight!r}. Weight examples by sample_weight, "
            "np.vectorize(class_weight.get)(labels)."
        )


class FirstBatches:
    """Passes the first batches of a stream through a check, on their way to the training step.

    They are taken off the iterator, looked at eagerly, and handed on to the step with all that follow:
    no batch is lost, read twice, or taken in another order.
    """

    def __init__(self):
        self.left = {"train": FIRST, "test": FIRST}

    def expect(self, mode, stream: bool):
        """Before a `fit` ("train") or an `evaluate` ("test"): arrays are checked as a whole elsewhere."""
        self.left[mode] = FIRST if stream else 0

    def guard(self, function, model, mode):
        """The train or test function of Keras, `function(iterator)`, with the check."""

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
        # of the same signature, so that the step is not traced a second time
        return iter(tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec))


def _taken(iterator, count):
    """The next `count` batches, fewer at the end; `StopIteration` where there is none."""
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
