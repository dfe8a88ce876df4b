"""Warning about data that were passed over or look wrong."""


class DataWarning(UserWarning):
    """Data that a reader left out, or kept although they are suspicious; the command line prints it as one line."""
