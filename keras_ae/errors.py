"""Errors whose message is complete as it stands: the command line prints it alone."""


class InputError(ValueError):
    """Something the user gave cannot be used: what was expected, what came, what to do."""
