"""Every mistake a user can make, as one family of exceptions.

Each message is one sentence of three parts: what is wrong, what was received, what to do.
"""


class CxrError(Exception):
    """A mistake the user can mend; verbs print it as one sentence and exit with status 2."""


class SettingError(CxrError, ValueError):
    """A setting, in a TOML file or on the command line, that cannot be used."""


class UnknownNameError(CxrError, ValueError):
    """A name that no registry entry, preset or run has."""


class DataError(CxrError, ValueError):
    """Images, labels or masks that cannot be used as they are."""


class LeakError(DataError):
    """Images of one group on both sides of a split."""


class MissingError(CxrError, FileNotFoundError):
    """A file or folder that an earlier step, or the user, has to bring."""


class SubmissionError(CxrError, ValueError):
    """A submission file the leaderboard would refuse."""


class WeightsError(CxrError, ValueError):
    """A weights file that does not fit the model, or cannot be read."""


class CxrWarning(UserWarning):
    """What a user should know of a result that came about all the same; verbs print it."""


def shorten(names: list[str], most: int = 3) -> str:
    """The first few names of a list as text, and how many more there are.

    >>> shorten(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
