"""Commands of `keras-ae`."""
