"""What tests of downloads share."""

from pathlib import Path

import pytest

from kagglecxr.remote.asking import Patience
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.downloads.placing import Place
from tests.remote.downloads.served import SLUG
from tests.remote.listening import Told

COMPETITION = Origin("competition", SLUG, "umons-covid19")
DATASET = Origin("dataset", "mary/lungs", "lungs")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "work" / "raw")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited before it tried again."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def manner(told: Told) -> Manner:
    """In which nobody waits, but for what falls silent."""
    return Manner(told, timeout=5.0, patience=Patience(sleep=lambda _: None))
