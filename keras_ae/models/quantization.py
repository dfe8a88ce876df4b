"""Optimisers and warnings of `model.quantize`."""

import collections
import contextlib
import re
import warnings


def renewed_optimizer(optimizer, variables):
    """Return a copy of `optimizer` for `variables` alone, with its state of them.

    Quantised kernels are no longer trained. With their state in the file of a model, the loaded optimiser,
    which is built on the trained variables, would refuse the whole state.
    """
    if not optimizer.built:
        return optimizer
    renewed = optimizer.from_config(optimizer.get_config())
    renewed.build(variables)
    known = {variable.path: variable for variable in optimizer.variables}
    numbers = collections.Counter(variable.path for variable in optimizer.variables)
    for variable in renewed.variables:
        if numbers[variable.path] == 1 and known[variable.path].shape == variable.shape:
            variable.assign(known[variable.path].value)
    return renewed


@contextlib.contextmanager
def quiet_about_own_layers(model):
    """Suppress Keras' warning for each layer of this package that has nothing to quantise."""
    own = {type(part).__name__ for part in model._flatten_layers() if _is_own(part)}
    with warnings.catch_warnings():
        for name in own:
            warnings.filterwarnings("ignore", rf"Layer {re.escape(name)} does not have a `quantize` method")
        yield


def _is_own(part):
    return type(part).__module__.startswith("keras_ae.")
