"""Warning about data that were passed over or look wrong."""


class DataWarning(UserWarning):
    """Names data that a reader left out, or kept although they are suspicious.

    The command line prints it as one line.
    """
