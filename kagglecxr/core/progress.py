"""How a long step says how far it is, without knowing to whom."""

import contextlib
from collections.abc import Iterator
from typing import Literal, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Unit = Literal["items", "bytes"]


class Bar(Protocol):
    """One step's count of finished items."""

    def advance(self, items: int = 1) -> None:
        """Counts items as finished."""

    def describe(self, text: str) -> None:
        """Says what the step is at."""


class Reporter(Protocol):
    """Where library functions say what goes on."""

    def bar(
        self, what: str, total: int, *, unit: Unit = "items", done: int = 0
    ) -> contextlib.AbstractContextManager[Bar]:
        """A bar for one step of `total` items or bytes, of which `done` were finished before."""

    def note(self, text: str) -> None:
        """One line the user should read."""


class _SilentBar:
    def advance(self, items: int = 1) -> None:
        """Nothing is shown."""

    def describe(self, text: str) -> None:
        """Nothing is shown."""


class Silent:
    """Says nothing: for library use and tests."""

    @contextlib.contextmanager
    def bar(self, what: str, total: int, *, unit: Unit = "items", done: int = 0) -> Iterator[Bar]:
        """A bar that shows nothing."""
        yield _SilentBar()

    def note(self, text: str) -> None:
        """Nothing is shown."""


class _TerminalBar:
    def __init__(self, progress: Progress, what: str, total: int, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total, completed=done)

    def advance(self, items: int = 1) -> None:
        """Moves the bar."""
        self._progress.advance(self._task, items)

    def describe(self, text: str) -> None:
        """Changes the text before the bar."""
        self._progress.update(self._task, description=text)


class Terminal:
    """Bars with the time left on stderr, only where it is a terminal; notes on stderr."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def bar(self, what: str, total: int, *, unit: Unit = "items", done: int = 0) -> Iterator[Bar]:
        """A bar that vanishes when its step is done."""
        amounts: list[ProgressColumn] = [MofNCompleteColumn()]
        if unit == "bytes":
            amounts = [DownloadColumn(), TransferSpeedColumn()]
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *amounts,
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        ]
        if self.quiet or not self.console.is_terminal:
            # A disabled Progress of older rich versions still ends with an empty line.
            yield _SilentBar()
            return
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield _TerminalBar(progress, what, total, done)

    def note(self, text: str) -> None:
        """A line on stderr, shown letter by letter: a path may look like markup."""
        if not self.quiet:
            self.console.print(text, markup=False, emoji=False)
