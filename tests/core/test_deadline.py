"""Deadlines, and their split between the folds of a training."""

import pytest

from kagglecxr.core import deadline
from kagglecxr.core.deadline import Deadline, TimeBudget, check_timeout
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
