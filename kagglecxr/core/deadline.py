"""Deadlines and time budgets."""

import re
from dataclasses import dataclass
from functools import cached_property
from time import monotonic

from kagglecxr.core.errors import SettingError

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")
_UNITS = (3600, 60, 1)
"""Seconds of the parts of a duration."""


@dataclass(frozen=True)
class Deadline:
    """The time by which work must be finished, in seconds of the monotonic clock."""

    at: float

    @classmethod
    def within(cls, seconds: float) -> "Deadline":
        """The deadline so many seconds from now."""
        return cls(monotonic() + seconds)

    def share(self, parts: int) -> "Deadline":
        """The deadline of the first of several remaining parts that get equal time."""
        return Deadline(monotonic() + self.left() / parts)

    def left(self) -> float:
        """Remaining seconds; negative once the deadline has passed."""
        return self.at - monotonic()


@dataclass(frozen=True)
class TimeBudget:
    """The time of one of the `parts` folds still to be trained until the `whole` deadline.

    The share is computed when `deadline` is first read, just before the fold's first epoch, so that
    features computed once for all folds are charged to all of them.
    """

    whole: Deadline
    parts: int = 1

    @cached_property
    def deadline(self) -> Deadline:
        """The deadline of this fold."""
        return self.whole.share(self.parts)


def parse_duration(text: str) -> float:
    """Returns the seconds of a number of seconds, or of hours, minutes and seconds.

    Raises:
        SettingError: it is none.

    >>> parse_duration("90"), parse_duration("30m"), parse_duration("1h30m")
    (90.0, 1800.0, 5400.0)
    """
    try:
        return float(text)
    except ValueError:
        match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise SettingError(
            f"A duration is a number of seconds, or hours, minutes and seconds. Received: {text}. "
            "Write, for example, 30m, 1h or 1h30m."
        )
    return sum(float(part or 0) * unit for part, unit in zip(match.groups(), _UNITS, strict=True))


def check_timeout(seconds: float | None) -> None:
    """Checks a time limit; None is no limit.

    Raises:
        SettingError: the limit is not positive.
    """
    if seconds is not None and not seconds > 0:
        raise SettingError(
            f"--timeout is a positive number of seconds. Received: {seconds}. Use a greater "
            "number, or leave it out."
        )
