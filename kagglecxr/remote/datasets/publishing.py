"""Brings a folder of files to Kaggle as a dataset: new, as a new version, or not at all."""

from dataclasses import dataclass, replace
from pathlib import Path

from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.asking import Patience
from kagglecxr.remote.datasets.arrival import check_arrived, missing_files, wait_until_ready
from kagglecxr.remote.datasets.contents import files_to_send
from kagglecxr.remote.datasets.dataset import FAILED, READY, Dataset, RefusedError
from kagglecxr.remote.datasets.metadata import read_metadata
from kagglecxr.remote.datasets.receipt import (
    Receipt,
    content_digests,
    read_receipt,
    write_receipt,
)
from kagglecxr.remote.waiting import Waiting
from kagglecxr.version import __version__


@dataclass(frozen=True)
class Published:
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
    waiting: Waiting = Waiting(),
    patience: Patience = Patience(),
) -> Published:
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
    metadata = read_metadata(folder)
    files = files_to_send(folder)
    sha256 = content_digests(folder, files)
    dataset = Dataset(metadata.id, reporter, patience)
    status, before = _present(dataset, waiting)
    content = Receipt(dataset.ref, before, sha256, arrived=True)
    sent = read_receipt(folder)
    was_sent = status == READY and sent is not None and sent.covers(content)
    if was_sent and not missing_files(files, dataset.files(before)):
        write_receipt(folder, content)
        return Published(dataset.ref, before, dataset.page, is_new=False, unchanged=True)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    reporter.note(f"Sending {len(files)} files, {megabytes:.1f} MB, to {dataset.page}")
    write_receipt(folder, replace(content, version=before + 1, arrived=False))
    if status is None:
        _create(dataset, folder, public)
    else:
        dataset.add_version(folder, f"kagglecxr {__version__}, {digest(sha256)}")
    reporter.note(f"Waiting until Kaggle has worked in the files of {dataset.ref}.")
    version = wait_until_ready(dataset, before + 1, waiting)
    check_arrived(dataset, version, files, waiting)
    write_receipt(folder, replace(content, version=version))
    return Published(dataset.ref, version, dataset.page, is_new=status is None, unchanged=False)


def _present(dataset: Dataset, waiting: Waiting) -> tuple[str | None, int]:
    """What a dataset is at, and the number of its version; a version under way is waited for."""
    status = dataset.status()
    if status is None:
        return None, 0
    if status not in (READY, FAILED):
        dataset.reporter.note(f"Waiting until Kaggle has worked in what {dataset.ref} got before.")
        return READY, wait_until_ready(dataset, 0, waiting)
    return status, dataset.version()


def _create(dataset: Dataset, folder: Path, public: bool) -> None:
    try:
        dataset.create(folder, public=public)
    except RefusedError:
        # An answer that was lost on its way has the client ask again, for a name that it took.
        if dataset.status() is None:
            raise
