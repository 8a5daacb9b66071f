"""What tests of downloads share."""

from pathlib import Path

import pytest

from kagglecxr.remote.download.download_dir import DownloadDir
from kagglecxr.remote.download.source import KaggleSource
from tests.remote.download.hosted_data import SLUG
from tests.remote.recording import FakeClock, RecordingReporter

COMPETITION = KaggleSource("competition", SLUG, "umons-covid19")
DATASET = KaggleSource("dataset", "mary/lungs", "lungs")


@pytest.fixture
def target(tmp_path: Path) -> DownloadDir:
    return DownloadDir(tmp_path / "work" / "raw")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited before it tried again."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def reporter(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> RecordingReporter:
    """Keeps the notes of a download that waits for nothing but for what falls silent."""
    monkeypatch.setattr("kagglecxr.remote.client.TIMEOUT", 5.0)
    return RecordingReporter()
