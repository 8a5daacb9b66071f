"""kagglecxr: from a chest-X-ray competition to a place on its leaderboard."""

from kagglecxr.core.errors import CxrError
from kagglecxr.core.late_import import when_imported
from kagglecxr.version import __version__

__all__ = ["CxrError", "__version__"]


def _register_layers() -> None:
    """Makes the kit's layers known to Keras, so that it loads files with them in it."""
    import kagglecxr.models.layers  # noqa: F401


# Keras is heavy: who does not use it shall not wait for it, and who does needs no other import.
when_imported("keras", _register_layers)
