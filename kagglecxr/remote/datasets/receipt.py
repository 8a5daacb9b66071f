"""What was sent as a dataset, kept beside its folder so that it is sent once."""

from dataclasses import asdict, dataclass
from pathlib import Path

from kagglecxr.core.files import file_digest, read_json, write_json
from kagglecxr.remote.datasets.metadata import FILE


@dataclass(frozen=True)
class Receipt:
    """A dataset's version by its content.

    Attributes:
        ref: `owner/slug`.
        version: its number; where it has not arrived, what that will be at least.
        sha256: of each file that was sent, and of the metadata.
        arrived: Kaggle has all of it.
    """

    ref: str
    version: int
    sha256: dict[str, str]
    arrived: bool

    def covers(self, content: "Receipt") -> bool:
        """Whether this was sent as what the dataset is at now: the same content, that version."""
        is_version = content.version == self.version
        if not self.arrived:
            is_version = content.version >= self.version
        return is_version and (self.ref, self.sha256) == (content.ref, content.sha256)


def content_digests(folder: Path, files: list[Path]) -> dict[str, str]:
    """The hash of each file and of the metadata, by name."""
    return {path.name: file_digest(path) for path in [*files, folder / FILE]}


def read_receipt(folder: Path) -> Receipt | None:
    """The receipt of what was last sent of a folder; None where there is none to be read."""
    try:
        return Receipt(**read_json(_place(folder)))
    except (OSError, ValueError, TypeError):
        return None


def write_receipt(folder: Path, receipt: Receipt) -> None:
    """Writes the receipt beside the folder, since all that is in the folder is sent."""
    write_json(_place(folder), asdict(receipt))


def _place(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sent.json")
