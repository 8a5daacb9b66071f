"""Waits until Kaggle has worked a dataset's files in, and looks whether all are there."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from kagglecxr.remote.datasets.dataset import FAILED, READY, Dataset, not_arrived
from kagglecxr.remote.failures import AGAIN, KaggleError
from kagglecxr.remote.waiting import Waiting

_LOOKS = 3


def wait_until_ready(dataset: Dataset, version: int, waiting: Waiting) -> int:
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
                f"{dataset.ref}. {AGAIN}: it sends them anew. The reason stands on {dataset.page}"
            )
        if status == READY and (number := dataset.version()) >= version:
            return number
    raise KaggleError(
        f"Kaggle has not worked in a dataset's files yet. Received: {status or 'nothing'} for "
        f"{dataset.ref} after {waiting.most / 60:.0f} minutes. {AGAIN} later: it sends nothing "
        "twice."
    )


def check_arrived(
    dataset: Dataset, version: int, files: Sequence[Path], waiting: Waiting = Waiting()
) -> None:
    """Compares a version's list of files, which may lag behind, with what was sent.

    Raises:
        KaggleError: a file is not there, or not with all its bytes.
    """
    for _, _ in zip(range(_LOOKS), waiting.pauses(), strict=False):
        missing = missing_files(files, dataset.files(version))
        if not missing:
            return
    raise not_arrived(dataset.ref, missing)


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
