"""Publishes a folder as a Kaggle dataset: a new one, a new version, or nothing if unchanged."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kagglecxr.core.files import digest, file_digest, read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import PollPolicy
from kagglecxr.remote.datasets.credential_scan import upload_files
from kagglecxr.remote.datasets.kaggle_dataset import (
    FAILED,
    READY,
    DatasetMetadata,
    DatasetRefusedError,
    KaggleDataset,
)
from kagglecxr.remote.errors import RUN_AGAIN, KaggleError
from kagglecxr.version import __version__

_PROCESSING_TIME = 1800.0
"""Seconds that Kaggle gets to process the files."""


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset that has all files of a folder; unchanged if nothing had to be sent."""

    ref: str
    version: int
    url: str
    is_new: bool
    unchanged: bool


@dataclass(frozen=True)
class UploadState:
    """What was last sent of a folder, kept next to it as `<folder>.sent.json`.

    Attributes:
        version: its number; until Kaggle has processed the files, the lowest that it can get.
        sha256: of each file that was sent, and of the metadata.
        is_ready: whether Kaggle has processed the files.
    """

    ref: str
    version: int
    sha256: dict[str, str]
    is_ready: bool

    @classmethod
    def read(cls, folder: Path) -> "UploadState | None":
        """The state of a folder; None if there is no readable one."""
        try:
            return cls(**read_json(_state_path(folder)))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Writes the state next to the folder, since all files in the folder are sent."""
        write_json(_state_path(folder), asdict(self))

    def has_sent(self, current: "UploadState") -> bool:
        """Whether the dataset's current version has the content of the current folder."""
        is_version = (
            current.version == self.version if self.is_ready else current.version >= self.version
        )
        return is_version and (self.ref, self.sha256) == (current.ref, current.sha256)


def _state_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sent.json")


def publish(folder: Path, reporter: Reporter, *, public: bool = False) -> PublishedDataset:
    """Sends a folder with its dataset-metadata.json, and waits until Kaggle has processed it.

    It can be killed at any moment and run again: an interrupted upload is resumed, and content
    that was sent is not sent twice.

    The folder holds the files to send and nothing else. `public` is whether everyone sees a new
    dataset; a version does not change that.

    Raises:
        SettingError: the metadata break a rule.
        DataError: a file does not belong there, or may hold credentials.
        MissingError: there are no files, no metadata or no credentials.
        KaggleError: Kaggle refused, or a file was not uploaded.
    """
    dataset = KaggleDataset(DatasetMetadata.read(folder).id, reporter)
    files = upload_files(folder)
    sha256 = {path.name: file_digest(path) for path in [*files, folder / DatasetMetadata.FILE]}
    status, before = _current_version(dataset)
    state = UploadState(dataset.ref, before, sha256, is_ready=True)
    sent = UploadState.read(folder)
    if status == READY and sent is not None and sent.has_sent(state):
        state.write(folder)
        return PublishedDataset(dataset.ref, before, dataset.page, is_new=False, unchanged=True)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    reporter.note(f"Sending {len(files)} files, {megabytes:.1f} MB, to {dataset.page}")
    if status is None:
        _create(dataset, folder, public)
    else:
        dataset.add_version(folder, f"kagglecxr {__version__}, {digest(sha256)}")
    replace(state, version=before + 1, is_ready=False).write(folder)
    reporter.note(f"Waiting until Kaggle has processed the files of {dataset.ref}.")
    version = wait_ready(dataset, before + 1)
    replace(state, version=version).write(folder)
    is_new = status is None
    return PublishedDataset(dataset.ref, version, dataset.page, is_new=is_new, unchanged=False)


def _current_version(dataset: KaggleDataset) -> tuple[str | None, int]:
    """The status and the version of a dataset, after waiting for a version in progress."""
    status = dataset.status()
    if status is None:
        return None, 0
    if status not in (READY, FAILED):
        dataset.reporter.note(f"Waiting until Kaggle has processed the last version: {dataset.ref}")
        return READY, wait_ready(dataset, 0)
    return status, dataset.version()


def _create(dataset: KaggleDataset, folder: Path, public: bool) -> None:
    try:
        dataset.create(folder, public=public)
    except DatasetRefusedError:
        # If a response is lost, the client asks again, for a name that it has just taken.
        if dataset.status() is None:
            raise


def wait_ready(dataset: KaggleDataset, version: int) -> int:
    """Waits until a version, or a later one, is ready.

    Right after an upload Kaggle may still report the version before, or no dataset at all.

    Returns:
        The number of the version that is ready.

    Raises:
        KaggleError: Kaggle could not process the files, or takes too long.
    """
    for _ in PollPolicy(_PROCESSING_TIME).pauses():
        status = dataset.status()
        if status == FAILED:
            raise KaggleError(
                f"Kaggle could not process the dataset's files. Received: {status} for "
                f"{dataset.ref}. {RUN_AGAIN}: it sends them again. The reason is on {dataset.page}"
            )
        if status == READY and (number := dataset.version()) >= version:
            return number
    raise KaggleError(
        f"Kaggle has not processed the dataset's files yet. Received: {status or 'no dataset'} for "
        f"{dataset.ref} after {_PROCESSING_TIME / 60:.0f} minutes. {RUN_AGAIN} later: it sends "
        "nothing twice."
    )
