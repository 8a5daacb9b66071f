"""Exports models as one file, in the formats of several runtimes."""
