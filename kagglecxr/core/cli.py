"""What every verb shares: its common options, its one-line ending, its exit status.

Verbs import what they need inside their function, so that `--help` never waits for a library.
"""

import errno
import functools
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import App, CycloptsError, Parameter

from kagglecxr.core.errors import CxrError, CxrWarning
from kagglecxr.core.progress import Terminal
from kagglecxr.core.workspace import Workspace
from kagglecxr.version import __version__

DONE, INTERNAL_ERROR, USER_ERROR = 0, 1, 2
INTERRUPTED = 130

_DISK_FULL = (
    "The disk is full. Received: {error}. Make room and run the same command again: finished work "
    "is kept."
)
_DISK_MESSAGES = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EROFS: "The disk is read-only. Received: {error}. Name another folder with --work.",
    errno.EACCES: "A file or folder may not be read or written. Received: {error}. Change its "
    "permissions, or name another folder with --work.",
}


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """Options of every verb.

    Attributes:
        work: Folder for working files; work/<competition> unless told.
        seed: The one seed from which all chance is derived.
        quiet: Print nothing but errors and the result.
    """

    work: Path | None = None
    seed: int = 0
    quiet: Annotated[bool, Parameter(negative="")] = False

    def workspace(self, competition: str) -> Workspace:
        """The workspace of a competition."""
        return Workspace.of(competition, self.work)

    @functools.cached_property
    def terminal(self) -> Terminal:
        """Where bars and notes go."""
        return Terminal(self.quiet)

    def end(self, written: str, following: str) -> None:
        """The last line of a verb: what it wrote and what comes next."""
        if not self.quiet:
            sys.stdout.write(f"{written} Next: {following}\n")


def make_app(name: str, description: str | None = None) -> App:
    """A command-line application that reads help from signatures and docstrings."""
    return App(
        name=name,
        help=description,
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )


def run_app(app: App, words: list[str]) -> int:
    """Runs an application on command-line words; errors become sentences and a status.

    Returns:
        0 done, 2 the user must act, 1 a fault of ours, 130 interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Run the same command again to go on.\n")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 the last line of defence: it tells, it does not hide
        sentence = _user_message(error, app.name[0])
        sentence = sentence and " ".join(sentence.split())
        if sentence is None:
            traceback.print_exc()
            sentence = "This is a fault of kagglecxr, not yours; the lines above say where."
            sys.stderr.write(f"{sentence}\n")
            return INTERNAL_ERROR
        sys.stderr.write(f"{sentence}\n")
        return USER_ERROR
    return DONE


_SHOW_WARNING = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Shows a warning for the user as one sentence, any other as Python does."""
    if issubclass(category, CxrWarning):
        sys.stderr.write(f"{message}\n")
    else:
        _SHOW_WARNING(message, category, filename, lineno, file, line)


def _user_message(error: Exception, program: str) -> str | None:
    """What a user can do about an error; None where it is no user's."""
    if isinstance(error, CycloptsError):
        return f"{error} See: {program} --help"
    if isinstance(error, CxrError):
        return str(error)
    if isinstance(error, OSError):
        # HDF5 and NumPy raise it without a number when a write comes back short.
        short = "No space left" in str(error) or "requested and" in str(error)
        known = _DISK_FULL if short else _DISK_MESSAGES.get(error.errno or 0)
        return known.format(error=error) if known else None
    return None


def run_verb(verb: Callable[..., None]) -> None:
    """Runs one verb as `python -m kagglecxr.<verb>` and leaves with its exit status."""
    app = make_app(f"python -m kagglecxr.{verb.__name__}")
    app.default(verb)
    raise SystemExit(run_app(app, sys.argv[1:]))
