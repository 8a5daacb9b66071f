"""What tests of downloads share."""

from pathlib import Path

import pytest

from kagglecxr.remote.client import RetryPolicy
from kagglecxr.remote.download.download_dir import DownloadDir
from kagglecxr.remote.download.source import DownloadContext, KaggleSource
from tests.remote.download.hosted_data import SLUG
from tests.remote.recording import RecordingReporter

COMPETITION = KaggleSource("competition", SLUG, "umons-covid19")
DATASET = KaggleSource("dataset", "mary/lungs", "lungs")


@pytest.fixture
def place(tmp_path: Path) -> DownloadDir:
    return DownloadDir(tmp_path / "work" / "raw")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited before it tried again."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def told() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def manner(told: RecordingReporter) -> DownloadContext:
    """In which nobody waits, but for what falls silent."""
    return DownloadContext(told, timeout=5.0, patience=RetryPolicy(sleep=lambda _: None))
