"""Warning about data that are left out or suspicious."""


class DataWarning(UserWarning):
    """Warning that names data which a reader left out, or kept although they are suspicious.

    The command line prints it as one line.
    """
