"""Does something as soon as another package is imported, without importing it."""

import importlib.abc
import importlib.machinery
import logging
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def when_imported(package: str, then: Callable[[], None]) -> None:
    """Calls `then` now if a package is imported already, else at the end of its import.

    It is called once, by the thread that imports the package, which may be used in it. What it
    raises is logged: the import of the package succeeds all the same.

    Args:
        package: a top-level name.
        then: takes nothing.
    """
    if package in sys.modules:
        _call(package, then)
    else:
        sys.meta_path.insert(0, _Finder(package, then))


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the finders after it find a package, and follows it until it is imported."""

    def __init__(self, package: str, then: Callable[[], None]) -> None:
        self._package, self._then = package, then

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        finders = list(sys.meta_path)
        if name != self._package or self not in finders:
            return None
        # Those before were asked already, and one of them may wait for the same package.
        for finder in finders[finders.index(self) + 1 :]:
            # Finders of old have no such method.
            find = getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = find and find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._imported)
                return spec
        return None

    def _imported(self) -> None:
        # Only now: an import that failed may be tried again. Another thread may have been here.
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            _call(self._package, self._then)


class _Loader(importlib.abc.Loader):
    """Stands in for a package's loader until the package is executed."""

    def __init__(self, loader: Any, executed: Callable[[], None]) -> None:
        self._loader, self._executed = loader, executed

    def __getattr__(self, name: str) -> Any:
        # Some only look: importlib.util.find_spec(...).loader.get_source(...)
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The package shall see the loader it always had.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._executed()


def _call(package: str, then: Callable[[], None]) -> None:
    try:
        then()
    except Exception:
        logging.getLogger(__name__).exception("What was to follow the import of %s failed", package)
