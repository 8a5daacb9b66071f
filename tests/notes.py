"""A reporter that keeps what it is told."""

from kagglecxr.core.progress import Silent


class Notes(Silent):
    """Keeps its notes, in their order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        """Keeps a note."""
        self.told.append(text)
