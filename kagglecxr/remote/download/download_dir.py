"""The folders of a download, its manifest, and the transfer of one file, which is resumed."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.download.source import KaggleSource
from kagglecxr.remote.errors import KaggleError, RequestContext


@dataclass(frozen=True)
class Manifest:
    """The files of a download, by which a later run knows whether it is complete.

    Attributes:
        is_whole: all files were downloaded, not only some that were named.
        files: by their names below the data's folder.
    """

    kind: str
    slug: str
    is_whole: bool
    files: Mapping[str, FileStat] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(stat.size for stat in self.files.values())

    def is_of(self, source: KaggleSource) -> bool:
        """Whether these are that source's files."""
        return (self.kind, self.slug) == (source.kind, source.slug)

    def missing_from(self, folder: Path) -> list[str]:
        """The files that a folder lacks, or has with another size."""

        def is_there(path: Path, size: int) -> bool:
            return path.is_file() and path.stat().st_size == size

        return [name for name, stat in self.files.items() if not is_there(folder / name, stat.size)]


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes a manifest atomically."""
    files = {
        name: {"size": stat.size, "crc32": None if stat.crc32 is None else f"{stat.crc32:08x}"}
        for name, stat in manifest.files.items()
    }
    source = {"kind": manifest.kind, "slug": manifest.slug}
    write_json(path, {"source": source, "whole": manifest.is_whole, "files": files})


def read_manifest(path: Path) -> Manifest | None:
    """Reads a manifest; None where there is none that this version could have written."""
    try:
        values = read_json(path)
        files = {
            str(name): FileStat(int(stat["size"]), stat["crc32"] and int(stat["crc32"], 16))
            for name, stat in values["files"].items()
        }
        source = values["source"]
        return Manifest(source["kind"], source["slug"], bool(values["whole"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


class DownloadDir:
    """A folder of downloaded data, its manifest, and where an unfinished download is kept.

    Attributes:
        folder: the data; complete or absent.
        manifest: lists the files in the folder; written last.
        unfinished: holds everything that is not in place yet.
        part: the folder that the client writes into.
        archive: the complete archive.
        listing: Kaggle's list of the files in the archive.
        unpacked: the content of the archive, which becomes the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = "download" if folder.name == "raw" else f"download-{folder.name}"
        self.manifest = folder.with_name(f"{name}.json")
        self.unfinished = folder.with_name(f".downloading-{folder.name}")
        self.part = self.unfinished / "part"
        self.archive = self.unfinished / "archive"
        self.listing = self.unfinished / "listed.json"
        self.unpacked = self.unfinished / "files"
        self._verified = self.unfinished / "download.json"

    def commit(self, manifest: Manifest) -> None:
        """Replaces the folder by what is unpacked and verified."""
        write_manifest(self._verified, manifest)
        self.finish_commit()

    def finish_commit(self) -> None:
        """Completes a `commit` that was interrupted, if there was one."""
        if not self._verified.is_file():
            return
        if self.unpacked.is_dir():
            if self.folder.exists():
                shutil.rmtree(self.unfinished / "replaced", ignore_errors=True)
                self.folder.rename(self.unfinished / "replaced")
            self.unpacked.rename(self.folder)
        self._verified.replace(self.manifest)
        self.clear()

    def clear(self) -> None:
        """Deletes everything that is not in place yet."""
        shutil.rmtree(self.unfinished, ignore_errors=True)


_MARKER = ".kaggle-partial"
_PROGRESS_INTERVAL = 0.2


def downloaded_bytes(folder: Path) -> int:
    """How much of the file in a transfer's folder is there."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    """The file in a transfer's folder, without the client's note by which it resumes."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != _MARKER]


def download_one(
    context: RequestContext,
    call: Callable[[Any, Path], None],
    folder: Path,
    check_size: Callable[[int], None],
    reporter: Reporter,
) -> Path:
    """Downloads one file completely; what an earlier process has downloaded of it is kept.

    Args:
        context: what is requested, for the error sentence.
        call: has the client, its first argument, write one file into the folder, its second.
        folder: holds nothing but this file, or a part of it.
        check_size: called with the file's bytes before any is written; refuses by raising.
        reporter: shows the bytes, and notes pauses and interruptions.

    Raises:
        KaggleError: Kaggle refused, could not be reached, or interrupted the download again and
            again without sending any more of it.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def transfer(api: Any) -> None:
        with contextlib.ExitStack() as progress:

            def begin(file: Path, size: int) -> None:
                check_size(size)
                for other in _files(folder):
                    if other != file:
                        other.unlink()
                progress.enter_context(_shown(context.what, file, size, reporter))

            api.on_download = begin
            call(api, folder)

    while True:
        before = downloaded_bytes(folder)
        try:
            call_with_retry(context, transfer, reporter)
            break
        except KaggleError:
            # The client's own retries all use one signed address, which expires.
            if downloaded_bytes(folder) <= before:
                raise
        reporter.note(
            f"{context.what} was interrupted; going on at {downloaded_bytes(folder):,} bytes."
        )
    files = _files(folder)
    if len(files) != 1:
        raise KaggleError(
            f"The Kaggle client did not write one file. Received: {len(files)} files for "
            f"{context.what}. Run: pip install --upgrade kaggle"
        )
    return files[0]


@contextlib.contextmanager
def _shown(what: str, file: Path, total: int, reporter: Reporter) -> Iterator[None]:
    """Shows a bar of a growing file: the client reports no progress."""
    ended = threading.Event()

    def size() -> int:
        return file.stat().st_size if file.is_file() else 0

    def show() -> None:
        shown = size()
        with reporter.bar(f"Downloading {what}", total, unit="bytes", done=shown) as bar:
            is_over = False
            while not is_over:
                is_over = ended.wait(_PROGRESS_INTERVAL)
                grown = size()
                bar.advance(grown - shown)
                shown = grown

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
