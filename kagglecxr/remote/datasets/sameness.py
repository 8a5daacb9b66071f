"""Files that stay untouched when they would be written anew with the same bytes."""

import contextlib
import filecmp
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def kept_if_same(path: Path) -> Iterator[Path]:
    """A path to write to that becomes `path`, unless that one holds the same bytes already.

    What is kept keeps its time too, by which the client knows an upload that it may resume. It is
    written outside the folder: whatever a killed process leaves there would be sent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=path.parent.parent) as beside:
        written = Path(beside, path.name)
        yield written
        if not (path.is_file() and filecmp.cmp(written, path, shallow=False)):
            written.replace(path)
