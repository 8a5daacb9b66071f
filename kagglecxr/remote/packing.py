"""What is brought to Kaggle for kernels to find: the kit as wheels, and trained runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.remote.datasets.metadata import dataset_metadata
from kagglecxr.remote.datasets.runs import pack_run
from kagglecxr.remote.datasets.wheels import build_wheels
from kagglecxr.remote.kernels.building import kernel_slug

WHEELS = "kagglecxr-wheels"


@dataclass(frozen=True)
class Luggage:
    """A folder that is to become a dataset.

    Attributes:
        ref: `owner/slug` of the dataset.
        folder: its files, and its metadata.
    """

    ref: str
    folder: Path


def pack_wheels(owner: str, folder: Path) -> Luggage:
    """The wheels of the kit, and of what it needs and Kaggle's image lacks."""
    build_wheels(folder)
    return _labelled(f"{owner}/{WHEELS}", "apache-2.0", folder)


def pack_runs(owner: str, competition: str, runs: Sequence[Path], folder: Path) -> Luggage:
    """An archive a run; those of other runs are removed from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = [pack_run(run, folder) for run in runs]
    for old in {*folder.glob("*.zip")} - {*packed}:
        old.unlink()
    # What was learned from a competition's data may be under its terms.
    return _labelled(f"{owner}/{kernel_slug(competition, 'runs')}", "other", folder)


def _labelled(ref: str, licence: str, folder: Path) -> Luggage:
    title = ref.partition("/")[2]
    dataset_metadata({"id": ref, "title": title, "licenses": [{"name": licence}]}).write(folder)
    return Luggage(ref, folder)
