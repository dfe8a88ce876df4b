"""Entry point of the command `keras-ae`, also as `python -m keras_ae_command`.

The module lies outside of the package: the import of `keras_ae` registers the classes of saved models and
thus loads TensorFlow, which writes to stderr at once. The filter of stderr must start before.
"""

import importlib.util
import sys
from pathlib import Path


def main() -> int:
    """Run `keras-ae` with the arguments of the process; return its exit code."""
    quiet = _quiet()
    quiet.filter_stderr()
    with quiet.stopped_with_one_line():
        from keras_ae.training.cli import main as command
    return command()


def _quiet():
    """Return `keras_ae/quiet.py`, loaded without the package."""
    package = importlib.util.find_spec("keras_ae")
    path = Path(package.submodule_search_locations[0], "quiet.py")
    spec = importlib.util.spec_from_file_location("keras_ae_quiet", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
