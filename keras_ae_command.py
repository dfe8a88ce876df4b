"""Entry point of the command `keras-ae`, also as `python -m keras_ae` and `python -m keras_ae_command`.

The import of `keras_ae` registers the classes of saved models and thus loads TensorFlow, which takes seconds
and writes to stderr at once. This module lies outside of the package, so that it can postpone both: help,
the list of recipes and the messages about wrong options need neither.
"""

import sys

starting = False  # whether `keras_ae` postpones the import of its classes; see its `__init__.py`


def main() -> int:
    """Run `keras-ae` with the arguments of the process; return its exit code."""
    global starting
    starting = True
    from keras_ae import quiet

    with quiet.stopped_with_one_line():
        from keras_ae.training.cli import main as command
    return command(before_work=_load)


def _load():
    """Import what every work needs, with the lines of TensorFlow filtered from stderr."""
    import keras_ae

    keras_ae.quiet.filter_stderr()
    with keras_ae.quiet.stopped_with_one_line():
        keras_ae.register_classes()


if __name__ == "__main__":
    import keras_ae_command  # this module under the name by which the package finds it

    sys.exit(keras_ae_command.main())
