"""Registries: named entries of one kind, such as steps, losses or models."""

import difflib
import fnmatch
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from kagglecxr.core.errors import UnknownNameError, shorten

Entry = TypeVar("Entry")


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Returns the three known names most similar to `name`, best first; capitals do not count."""

    def likeness(known: str) -> tuple[bool, float, str]:
        alike = difflib.SequenceMatcher(None, known.lower(), name.lower()).ratio()
        return known == name, alike, known

    return sorted(names, key=likeness, reverse=True)[:3]


def unknown_name_error(kind: str, name: str, names: Iterable[str]) -> UnknownNameError:
    """Returns the error for an unknown name, which gives the nearest three."""
    found = nearest(name, names)
    advice = f"The nearest are {shorten(found)}." if found else "There are none; leave it out."
    return UnknownNameError(f"There is no {kind} of that name. Received: {name!r}. {advice}")


class Registry(Generic[Entry]):
    """Named entries of one kind, added by a decorator and looked up by `[]`.

    >>> steps = Registry[Callable[[int], int]]("step")
    >>> @steps.add
    ... def double(value: int) -> int:
    ...     return 2 * value
    >>> steps["double"](4)
    8
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry) -> Entry:
        """Registers a function, or anything with a `__name__`, under its own name."""
        return self.add_as(str(entry.__name__))(entry)  # type: ignore[attr-defined]

    def add_as(self, name: str) -> Callable[[Entry], Entry]:
        """Returns a decorator that registers an entry under the given name."""

        def register(entry: Entry) -> Entry:
            if name in self._entries:
                raise KeyError(f"Two entries of the {self.kind} registry are called {name!r}.")
            self._entries[name] = entry
            return entry

        return register

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            raise unknown_name_error(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self, pattern: str = "*") -> list[str]:
        """Returns the registered names that match a shell pattern, sorted."""
        return sorted(fnmatch.filter(self._entries, pattern))
