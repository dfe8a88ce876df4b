"""`python -m keras_ae`: the command `keras-ae`."""

import sys

from keras_ae_command import main

if __name__ == "__main__":
    sys.exit(main())
