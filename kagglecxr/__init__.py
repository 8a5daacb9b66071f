"""kagglecxr: from a chest-X-ray competition to a place on its leaderboard."""

import importlib
import pkgutil

from kagglecxr.core.errors import CxrError
from kagglecxr.core.late_import import when_imported
from kagglecxr.version import __version__

__all__ = ["CxrError", "__version__"]


def _register_layers() -> None:
    """Imports the kit's layers, which register themselves: so Keras loads files they are in."""
    layers = importlib.import_module("kagglecxr.models.layers")
    for module in pkgutil.iter_modules(layers.__path__, f"{layers.__name__}."):
        importlib.import_module(module.name)


# Keras is heavy: who does not use it shall not wait for it, and who does needs no other import.
when_imported("keras", _register_layers)
