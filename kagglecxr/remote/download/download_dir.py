"""The folders of a download and its manifest; data are moved into place once complete."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kagglecxr.core.files import read_json, write_json
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.source import KaggleSource


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
