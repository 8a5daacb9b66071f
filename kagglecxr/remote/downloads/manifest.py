"""What was downloaded: a file beside the data, by which a later run knows whether it is whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kagglecxr.core.files import read_json, write_json
from kagglecxr.remote.archives import FileFacts
from kagglecxr.remote.downloads.origin import Origin


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
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(facts.size for facts in self.files.values())

    def is_of(self, origin: Origin) -> bool:
        """Whether these are that origin's files."""
        return (self.kind, self.slug) == (origin.kind, origin.slug)

    def not_there(self, folder: Path) -> list[str]:
        """The files that are missing from a folder, or are of another size there."""
        return [name for name, facts in self.files.items() if _size(folder / name) != facts.size]


def _size(path: Path) -> int | None:
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
            str(name): FileFacts(int(facts["size"]), facts["crc32"] and int(facts["crc32"], 16))
            for name, facts in values["files"].items()
        }
        source = values["source"]
        return Manifest(source["kind"], source["slug"], bool(values["whole"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
