"""The commands of `keras-ae`."""
