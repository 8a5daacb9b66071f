"""Progress bars and notes of library functions, on a terminal or silent."""

import contextlib
from collections.abc import Iterator
from typing import Literal, Protocol

from rich import progress as rich
from rich.console import Console

Unit = Literal["items", "bytes"]


class Bar(Protocol):
    """The progress bar of one step."""

    def advance(self, items: int = 1) -> None:
        """Adds finished items."""

    def describe(self, text: str) -> None:
        """Changes the text before the bar."""


class Reporter(Protocol):
    """Receives progress and notes of library functions."""

    def bar(
        self, what: str, total: int, *, unit: Unit = "items", done: int = 0
    ) -> contextlib.AbstractContextManager[Bar]:
        """Shows a bar for one step of `total` items or bytes, of which `done` are finished."""

    def note(self, text: str) -> None:
        """Shows one line to the user."""


class Silent:
    """A reporter, and a bar, that shows nothing: for library use."""

    @contextlib.contextmanager
    def bar(self, what: str, total: int, *, unit: Unit = "items", done: int = 0) -> Iterator[Bar]:
        """Returns a bar that shows nothing."""
        yield self

    def advance(self, items: int = 1) -> None:
        """Shows nothing."""

    def describe(self, text: str) -> None:
        """Shows nothing."""

    def note(self, text: str) -> None:
        """Shows nothing."""


class _TerminalBar:
    def __init__(self, progress: rich.Progress, what: str, total: int, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total, completed=done)

    def advance(self, items: int = 1) -> None:
        self._progress.advance(self._task, items)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, description=text)


class Terminal:
    """A reporter on stderr; bars with the remaining time only where it is a terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, what: str, total: int, *, unit: Unit = "items", done: int = 0) -> Iterator[Bar]:
        """Shows a bar that disappears when its step is done."""
        amounts: list[rich.ProgressColumn] = [rich.MofNCompleteColumn()]
        if unit == "bytes":
            amounts = [rich.DownloadColumn(), rich.TransferSpeedColumn()]
        if self.quiet or not self.console.is_terminal:
            # A disabled Progress of older versions of rich still prints an empty line.
            yield Silent()
            return
        columns = (
            rich.TextColumn("{task.description}", markup=False), rich.BarColumn(), *amounts,
            rich.TimeElapsedColumn(), rich.TextColumn("left"), rich.TimeRemainingColumn(),
        )  # fmt: skip
        with rich.Progress(*columns, console=self.console, transient=True) as progress:
            yield _TerminalBar(progress, what, total, done)

    def note(self, text: str) -> None:
        """Prints a line to stderr without markup, which a path may look like."""
        if not self.quiet:
            self.console.print(text, markup=False, emoji=False)
