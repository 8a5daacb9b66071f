"""The command line of every verb: common options, messages, exit statuses.

Verbs import libraries inside their function, so that `--help` is instant.
"""

import errno
import functools
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter, Token

from kagglecxr.core.deadline import parse_duration
from kagglecxr.core.errors import CxrError, CxrWarning
from kagglecxr.core.progress import Terminal
from kagglecxr.core.workspace import Workspace
from kagglecxr.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DONE, INTERNAL_ERROR, USER_ERROR, INTERRUPTED = 0, 1, 2, 130

_DISK_FULL = (
    "The disk is full. Received: {error}. Free some space and run the same command again: finished "
    "work is kept."
)
_DISK_MESSAGES = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: _DISK_FULL,
    errno.EROFS: "The disk is read-only. Received: {error}. Choose another folder with --work.",
    errno.EACCES: "A file or folder may not be read or written. Received: {error}. Change its "
    "permissions, or choose another folder with --work.",
}


def _to_seconds(type_: object, tokens: Sequence[Token]) -> float:
    return parse_duration(tokens[0].value)


Duration = Annotated[float, Parameter(converter=_to_seconds)]
"""The type of an option that is a number of seconds, or 30m, 1h and the like."""


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """Options of every verb.

    Attributes:
        work: Folder for working files; defaults to work/<competition>.
        seed: Seed of all random numbers.
        quiet: Print only errors and the result.
    """

    work: Path | None = None
    seed: int = 0
    quiet: Annotated[bool, Parameter(negative="")] = False

    def workspace(self, competition: str, given: str) -> Workspace:
        """Returns the workspace of a competition, which the user has named by `given`."""
        return Workspace.of(competition, self.work, given)

    @functools.cached_property
    def terminal(self) -> Terminal:
        """The reporter that shows bars and notes."""
        return Terminal(self.quiet)

    def finish(self, result: str, next_command: str) -> None:
        """Prints the last line of a verb: what it wrote and the next command."""
        if not self.quiet:
            sys.stdout.write(f"{result} Next: {next_command}\n")


def changed_options(options: "DataclassInstance") -> dict[str, object]:
    """Returns the options of a dataclass that are not at their defaults, by name."""
    values = {option.name: getattr(options, option.name) for option in fields(options)}
    return {o.name: values[o.name] for o in fields(options) if values[o.name] != o.default}


def option_words(options: Mapping[str, object]) -> list[str]:
    """Returns a verb's options as words of a command line; None, False and empty ones are left out.

    >>> option_words({"recipe": None, "fold": 0, "set": ("a=1", "b=2"), "dry_run": True})
    ['--fold', '0', '--set', 'a=1', '--set', 'b=2', '--dry-run']
    """
    words = []
    for name, value in options.items():
        word = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(word)
        elif value is not None and value is not False and value != "":
            repeated = value if isinstance(value, tuple) else (value,)
            words += [part for one in repeated for part in (word, str(one))]
    return words


def make_app(name: str, description: str | None = None) -> App:
    """Returns a command-line application whose help comes from signatures and docstrings."""
    return App(
        name=name,
        help=description,
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )


def run_app(app: App, words: list[str]) -> int:
    """Runs an application and turns errors into messages and an exit status.

    Returns:
        0 on success, 2 on a user error, 1 on an internal error, 130 if interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Run the same command again to continue.\n")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 it is shown, not hidden
        message = _user_message(error, app.name[0])
        if message is None:
            traceback.print_exc()
            sys.stderr.write("This is a bug in kagglecxr; please report the lines above.\n")
            return INTERNAL_ERROR
        sys.stderr.write(f"{' '.join(message.split())}\n")
        return USER_ERROR
    return DONE


_SHOW_WARNING = warnings.showwarning


def _show_warning(
    message: Warning | str, category: type[Warning], *origin: Any, **more: Any
) -> None:
    """Shows a `CxrWarning` as its message, any other warning as Python does."""
    if issubclass(category, CxrWarning):
        sys.stderr.write(f"{message}\n")
    else:
        _SHOW_WARNING(message, category, *origin, **more)


def _user_message(error: Exception, program: str) -> str | None:
    """Returns the message of a user error; None for an internal error."""
    if isinstance(error, CycloptsError):
        return f"{error} See: {program} --help"
    if isinstance(error, CxrError):
        return str(error)
    if isinstance(error, OSError):
        # HDF5 and NumPy raise it without an errno when a write is incomplete.
        short = "No space left" in str(error) or "requested and" in str(error)
        known = _DISK_FULL if short else _DISK_MESSAGES.get(error.errno or 0)
        return known.format(error=error) if known else None
    return None


def run_verb(verb: Callable[..., None]) -> None:
    """Runs one verb as `python -m kagglecxr.<verb>` and exits with its status."""
    app = make_app(f"python -m kagglecxr.{verb.__name__}")
    app.default(verb)
    raise SystemExit(run_app(app, sys.argv[1:]))
