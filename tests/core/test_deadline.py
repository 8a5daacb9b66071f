"""Deadlines, and their split between the folds of a training."""

import pytest

from kagglecxr.core import deadline
from kagglecxr.core.deadline import Deadline, TimeBudget, check_timeout, parse_duration
from kagglecxr.core.errors import SettingError


def test_what_serves_all_folds_is_at_the_expense_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(deadline, "monotonic", lambda: now)
    budget = TimeBudget(Deadline.within(100.0), 4)
    now = 20.0
    assert budget.deadline.left() == 20.0
    now = 25.0
    assert budget.deadline.left() == 15.0


def test_a_time_limit_is_positive() -> None:
    check_timeout(None)
    check_timeout(0.5)
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(SettingError, match="positive number of seconds"):
            check_timeout(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45", 45.0),
        ("0.5", 0.5),
        ("90s", 90.0),
        ("30m", 1800.0),
        ("1.5h", 5400.0),
        ("1h 30m", 5400.0),
    ],
)
def test_a_duration_is_seconds_or_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "30 minutes", "1m1h", "5x"])
def test_what_is_no_duration_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(SettingError, match="30m"):
        parse_duration(text)
