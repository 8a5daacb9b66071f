"""Shows the client's uploads on a bar of the kit's own."""

import contextlib
import importlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from kagglecxr.core.progress import Bar, Reporter


@contextlib.contextmanager
def shown_uploads(total: int, reporter: Reporter) -> Iterator[None]:
    """A bar of the bytes that are uploaded within a block.

    The client counts them on a bar that it makes by a name in its module, all versions alike.

    Args:
        total: bytes of all files; what is sent twice counts once, what had arrived before not.
        reporter: shows it.
    """
    client: Any = importlib.import_module("kaggle.api.kaggle_api_extended")
    usual = client.tqdm
    with reporter.bar("Uploading", total, unit="bytes") as bar:
        client.tqdm = partial(_Counter, _Remaining(bar, total))
        try:
            yield
        finally:
            client.tqdm = usual


class _Remaining:
    """Never moves a bar past its end."""

    def __init__(self, bar: Bar, items: int) -> None:
        self._bar, self._items = bar, items

    def advance(self, items: int) -> None:
        moved = min(items, self._items)
        self._items -= moved
        self._bar.advance(moved)


class _Counter:
    """What the client takes for its own bar."""

    def __init__(self, remaining: _Remaining, **_: object) -> None:
        self.update = remaining.advance

    def __enter__(self) -> "_Counter":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to be closed."""
