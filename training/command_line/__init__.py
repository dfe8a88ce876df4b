"""Commands of `keras-ae` with their arguments, options and help.

The modules import nothing that needs TensorFlow, so that help and messages about wrong options are shown at
once. Each command imports its implementation, of `keras_ae.training.commands`, when it is called.
"""
