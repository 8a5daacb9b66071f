"""Deadlines and time budgets."""

from dataclasses import dataclass
from functools import cached_property
from time import monotonic

from kagglecxr.core.errors import SettingError


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
