"""A reporter that keeps its notes and a clock that passes only by sleeping."""

from datetime import UTC, datetime, timedelta

from kagglecxr.core.progress import Silent


class RecordingReporter(Silent):
    """Keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class FakeClock:
    """A time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 10, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
