"""Warnings about data as lines of the command line."""

import contextlib
import sys
import warnings

from keras_ae.errors import DataWarning


@contextlib.contextmanager
def data_warnings_as_lines():
    """Print each different `DataWarning` once, as one line on stderr without place and source.

    Other warnings are shown as ever.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        show, said = warnings.showwarning, set()

        def show_plainly(message, category, *place, **file):
            if not issubclass(category, DataWarning):
                show(message, category, *place, **file)
            elif str(message) not in said:
                said.add(str(message))
                print(f"keras-ae: {message}", file=sys.stderr)

        warnings.showwarning = show_plainly
        yield
