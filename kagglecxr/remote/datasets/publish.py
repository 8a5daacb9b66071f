"""Publishes a folder as a Kaggle dataset: a new one, a new version, or nothing if unchanged."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kagglecxr.core.files import digest, file_digest, read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import PollPolicy, RetryPolicy
from kagglecxr.remote.datasets.credential_scan import upload_files
from kagglecxr.remote.datasets.dataset_metadata import DATASET_METADATA, read_dataset_metadata
from kagglecxr.remote.datasets.kaggle_dataset import (
    FAILED,
    READY,
    DatasetRefusedError,
    KaggleDataset,
    incomplete_upload,
)
from kagglecxr.remote.errors import RUN_AGAIN, KaggleError
from kagglecxr.version import __version__


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset that has all files of a folder.

    Attributes:
        ref: `owner/slug`, as a kernel's metadata list it.
        version: its number.
        url: of its page.
        is_new: it was not there before.
        unchanged: nothing was sent, since this content had arrived already.
    """

    ref: str
    version: int
    url: str
    is_new: bool
    unchanged: bool


def publish(
    folder: Path,
    reporter: Reporter,
    *,
    public: bool = False,
    waiting: PollPolicy = PollPolicy(),
    patience: RetryPolicy = RetryPolicy(),
) -> PublishedDataset:
    """Sends a folder with its dataset-metadata.json, and waits until all of it is there.

    It can be killed at any moment and run again: what was sent is kept in `<folder>.sent.json`,
    and an upload that broke off goes on where it was, with a client that can.

    Args:
        folder: the files to send, and nothing else.
        reporter: told of what goes on.
        public: a new dataset is for everyone to see. A version stays as the dataset is.
        waiting: for how long, and how, Kaggle's work on the files is waited for.
        patience: for how long too many requests are waited out.

    Raises:
        SettingError: the metadata break a rule.
        DataError: a file does not belong there, or may hold credentials.
        MissingError: there are no files, no metadata or no credentials.
        KaggleError: Kaggle refused, or not all files arrived.
    """
    metadata = read_dataset_metadata(folder)
    files = upload_files(folder)
    sha256 = file_digests(folder, files)
    dataset = KaggleDataset(metadata.id, reporter, patience)
    status, before = _current_version(dataset, waiting)
    content = UploadState(dataset.ref, before, sha256, arrived=True)
    sent = read_upload_state(folder)
    was_sent = status == READY and sent is not None and sent.covers(content)
    if was_sent and not missing_files(files, dataset.files(before)):
        write_upload_state(folder, content)
        return PublishedDataset(dataset.ref, before, dataset.page, is_new=False, unchanged=True)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    reporter.note(f"Sending {len(files)} files, {megabytes:.1f} MB, to {dataset.page}")
    write_upload_state(folder, replace(content, version=before + 1, arrived=False))
    if status is None:
        _create(dataset, folder, public)
    else:
        dataset.add_version(folder, f"kagglecxr {__version__}, {digest(sha256)}")
    reporter.note(f"Waiting until Kaggle has worked in the files of {dataset.ref}.")
    version = wait_ready(dataset, before + 1, waiting)
    check_uploaded(dataset, version, files, waiting)
    write_upload_state(folder, replace(content, version=version))
    return PublishedDataset(
        dataset.ref, version, dataset.page, is_new=status is None, unchanged=False
    )


def _current_version(dataset: KaggleDataset, waiting: PollPolicy) -> tuple[str | None, int]:
    """What a dataset is at, and the number of its version; a version under way is waited for."""
    status = dataset.status()
    if status is None:
        return None, 0
    if status not in (READY, FAILED):
        dataset.reporter.note(f"Waiting until Kaggle has worked in what {dataset.ref} got before.")
        return READY, wait_ready(dataset, 0, waiting)
    return status, dataset.version()


def _create(dataset: KaggleDataset, folder: Path, public: bool) -> None:
    try:
        dataset.create(folder, public=public)
    except DatasetRefusedError:
        # An answer that was lost on its way has the client ask again, for a name that it took.
        if dataset.status() is None:
            raise


_TRIES = 3


def wait_ready(dataset: KaggleDataset, version: int, waiting: PollPolicy) -> int:
    """The number of a dataset's version that is ready, and is this one or a later one.

    Right after sending, Kaggle may still speak of the version before, or of no dataset at all.

    Raises:
        KaggleError: Kaggle could not work the files in, or needs longer.
    """
    for _ in waiting.pauses():
        status = dataset.status()
        if status == FAILED:
            raise KaggleError(
                f"Kaggle could not work in a dataset's files. Received: {status} for "
                f"{dataset.ref}. {RUN_AGAIN}: it sends them anew. The reason is on {dataset.page}"
            )
        if status == READY and (number := dataset.version()) >= version:
            return number
    raise KaggleError(
        f"Kaggle has not worked in a dataset's files yet. Received: {status or 'nothing'} for "
        f"{dataset.ref} after {waiting.most / 60:.0f} minutes. {RUN_AGAIN} later: it sends nothing "
        "twice."
    )


def check_uploaded(
    dataset: KaggleDataset, version: int, files: Sequence[Path], waiting: PollPolicy = PollPolicy()
) -> None:
    """Compares a version's list of files, which may lag behind, with what was sent.

    Raises:
        KaggleError: a file is not there, or not with all its bytes.
    """
    for _, _ in zip(range(_TRIES), waiting.pauses(), strict=False):
        missing = missing_files(files, dataset.files(version))
        if not missing:
            return
    raise incomplete_upload(dataset.ref, missing)


def missing_files(files: Sequence[Path], listed: Mapping[str, int]) -> list[str]:
    """The names of files that are not listed whole: neither themselves, nor what they unpack to."""
    return [
        path.name
        for path in files
        if listed.get(path.name) != path.stat().st_size and not _is_unpacked(path, listed)
    ]


def _is_unpacked(path: Path, listed: Mapping[str, int]) -> bool:
    """Whether the archive's files are listed in its stead, in whatever folder."""
    if path.suffix != ".zip":
        return False
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
    return bool(members) and all(
        any(
            size == member.file_size and f"/{name}".endswith(f"/{member.filename}")
            for name, size in listed.items()
        )
        for member in members
    )


@dataclass(frozen=True)
class UploadState:
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

    def covers(self, content: "UploadState") -> bool:
        """Whether this was sent as what the dataset is at now: the same content, that version."""
        is_version = content.version == self.version
        if not self.arrived:
            is_version = content.version >= self.version
        return is_version and (self.ref, self.sha256) == (content.ref, content.sha256)


def file_digests(folder: Path, files: list[Path]) -> dict[str, str]:
    """The hash of each file and of the metadata, by name."""
    return {path.name: file_digest(path) for path in [*files, folder / DATASET_METADATA]}


def read_upload_state(folder: Path) -> UploadState | None:
    """The receipt of what was last sent of a folder; None where there is none to be read."""
    try:
        return UploadState(**read_json(_state_path(folder)))
    except (OSError, ValueError, TypeError):
        return None


def write_upload_state(folder: Path, receipt: UploadState) -> None:
    """Writes the receipt beside the folder, since all that is in the folder is sent."""
    write_json(_state_path(folder), asdict(receipt))


def _state_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sent.json")
