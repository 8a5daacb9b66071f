"""The folders of a download and its manifest, put in place atomically."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kagglecxr.core.files import read_json, write_json
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.source import KaggleSource


@dataclass(frozen=True)
class DownloadDir:
    """The folder of some data, and what lies beside it.

    Attributes:
        folder: the data's, whole or absent.
    """

    folder: Path

    @property
    def manifest(self) -> Path:
        """What is in the folder; written last."""
        name = "download" if self.folder.name == "raw" else f"download-{self.folder.name}"
        return self.folder.with_name(f"{name}.json")

    @property
    def beside(self) -> Path:
        """What is not finished; nothing else reads it."""
        return self.folder.with_name(f".downloading-{self.folder.name}")

    @property
    def part(self) -> Path:
        """What the client writes into."""
        return self.beside / "part"

    @property
    def archive(self) -> Path:
        """The whole archive."""
        return self.beside / "archive"

    @property
    def listed(self) -> Path:
        """Kaggle's list of the files in it."""
        return self.beside / "listed.json"

    @property
    def unpacked(self) -> Path:
        """What is in the archive, to become the folder."""
        return self.beside / "files"

    @property
    def _checked(self) -> Path:
        return self.beside / "download.json"

    def fill(self, manifest: "Manifest") -> None:
        """Makes what is unpacked, and was checked, the folder; what was the folder is deleted."""
        write_manifest(self._checked, manifest)
        self.go_on()

    def go_on(self) -> None:
        """Ends a `fill` that was cut off, if one was."""
        if not self._checked.is_file():
            return
        if self.unpacked.is_dir():
            if self.folder.exists():
                shutil.rmtree(self.beside / "replaced", ignore_errors=True)
                self.folder.rename(self.beside / "replaced")
            self.unpacked.rename(self.folder)
        self._checked.replace(self.manifest)
        self.clear()

    def clear(self) -> None:
        """Deletes what is not finished."""
        shutil.rmtree(self.beside, ignore_errors=True)


@dataclass(frozen=True)
class Manifest:
    """The files of a download.

    Attributes:
        kind: a competition's or a dataset's.
        slug: whose.
        is_whole: all files were fetched, not some that were named.
        files: by their names below the data's folder.
    """

    kind: str
    slug: str
    is_whole: bool
    files: Mapping[str, FileStat] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(facts.size for facts in self.files.values())

    def is_of(self, origin: KaggleSource) -> bool:
        """Whether these are that origin's files."""
        return (self.kind, self.slug) == (origin.kind, origin.slug)

    def not_there(self, folder: Path) -> list[str]:
        """The files that are missing from a folder, or are of another size there."""
        return [
            name for name, facts in self.files.items() if _file_size(folder / name) != facts.size
        ]


def _file_size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes it, whole or not at all."""
    files: dict[str, Any] = {
        name: {"size": facts.size, "crc32": None if facts.crc32 is None else f"{facts.crc32:08x}"}
        for name, facts in manifest.files.items()
    }
    source = {"kind": manifest.kind, "slug": manifest.slug}
    write_json(path, {"source": source, "whole": manifest.is_whole, "files": files})


def read_manifest(path: Path) -> Manifest | None:
    """Reads it; None where there is none, or none that this version could have written."""
    try:
        values = read_json(path)
        files = {
            str(name): FileStat(int(facts["size"]), facts["crc32"] and int(facts["crc32"], 16))
            for name, facts in values["files"].items()
        }
        source = values["source"]
        return Manifest(source["kind"], source["slug"], bool(values["whole"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
