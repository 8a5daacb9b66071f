"""A submission to a competition on the fake Kaggle, in a time that passes only by waiting."""

from pathlib import Path

import pytest

from kagglecxr.leaderboard.send_once import SubmissionRequest
from kagglecxr.leaderboard.submission import file_submission
from tests.leaderboard.kaggle_competition import SLUG, KaggleCompetition
from tests.remote.conftest import clock, fake_kaggle, own_client, strayed
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.recording import FakeClock

__all__ = ["clock", "fake_kaggle", "own_client", "strayed"]


@pytest.fixture
def competition(
    fake_kaggle: FakeKaggle,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> KaggleCompetition:
    monkeypatch.setattr("kagglecxr.leaderboard.send_once.utc_now", clock.now)
    monkeypatch.setattr("kagglecxr.leaderboard.kaggle.monotonic", lambda: clock.now().timestamp())
    competition = KaggleCompetition()
    competition.serve(fake_kaggle)
    return competition


@pytest.fixture
def wanted(tmp_path: Path) -> SubmissionRequest:
    """A file to submit, with a message and an out-of-fold score."""
    path = tmp_path / "umons-a.csv"
    path.write_bytes(b"id,label\na,normal\nb,covid-19\n")
    ledger = tmp_path / "submissions" / "ledger.csv"
    return SubmissionRequest("umons", SLUG, file_submission(path), ledger, "first try", "0.900000")
