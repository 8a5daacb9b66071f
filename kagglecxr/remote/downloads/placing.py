"""Where a download goes, and how it gets there at once: fetched beside, checked, renamed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.remote.downloads.manifest import Manifest, write_manifest


@dataclass(frozen=True)
class Place:
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

    def fill(self, manifest: Manifest) -> None:
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
