"""The package's version, alone in a module so that the build reads it without an import."""

__version__ = "0.2.0"
