"""The version of the package, which its modules import from here."""

__version__ = "0.1.0"
