"""The one exception that stands for "what you gave me can't be used"."""


class InputError(ValueError):
    """A file, an option or a value that can't be used as it is.

    The message is one sentence for the person who gave it: where, what was
    expected, what came, and how to mend it. The command line prints it without
    a traceback and exits with code 1.
    """
