"""Exceptions for user errors.

Each message says what is wrong, what was received and what to do.
"""


class CxrError(Exception):
    """An error that the user can fix; verbs print its message and exit with status 2."""


class SettingError(CxrError, ValueError):
    """An invalid setting in a TOML file or on the command line."""


class UnknownNameError(CxrError, ValueError):
    """An unknown name of a registry entry, preset or run."""


class DataError(CxrError, ValueError):
    """Images, labels or masks that cannot be used."""


class LeakError(DataError):
    """Images of one group on both sides of a split."""


class MissingError(CxrError, FileNotFoundError):
    """A missing file or folder that an earlier step or the user must provide."""


class SubmissionError(CxrError, ValueError):
    """A submission file that the leaderboard would reject."""


class WeightsError(CxrError, ValueError):
    """A weights file that does not fit the model or cannot be read."""


class CxrWarning(UserWarning):
    """A warning for the user about a result that was produced nevertheless; verbs print it."""


def shorten(names: list[str], most: int = 3) -> str:
    """Returns the first few names of a list as text, and the number of the others.

    >>> shorten(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
