"""kagglecxr: from a chest X-ray competition to its leaderboard."""

from kagglecxr.core.errors import CxrError
from kagglecxr.version import __version__

__all__ = ["CxrError", "__version__"]
