"""What a kernel finds among its inputs besides the data: runs, weights, earlier searches."""

import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from kagglecxr.core.errors import MissingError, shorten
from kagglecxr.core.files import atomic_write
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.core.run_record import WEIGHTS
from kagglecxr.remote.datasets.run_archives import unpack_run

JOURNAL = "journal.log"


def input_files(mounts: Path, *endings: str) -> list[Path]:
    """The files below the mounts whose path ends like this, in order; mounts may not be there."""
    return sorted(path for path in _files(mounts) if str(path).endswith(endings))


def input_runs(mounts: Path, folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """The finished runs among a kernel's inputs, by name; Kaggle unpacks their archives, or not.

    Args:
        mounts: /kaggle/input on Kaggle.
        folder: where archives are unpacked.
        names: the runs that are wanted; all where none are named.

    Raises:
        MissingError: there is none.
        UnknownNameError: one that is wanted is not there, or not finished.
        DataError: an archive is broken.
    """
    files = input_files(mounts, ".zip", f"{os.sep}run.json")
    found = {path.parent.name: path.parent for path in files if path.name == "run.json"}
    for archive in files:
        if _is_of_run(archive):
            run = unpack_run(archive, folder)
            if (run / "run.json").is_file():
                found.setdefault(run.name, run)
    if not found:
        raise MissingError(
            f"No finished run is among the inputs. Received: "
            f"{shorten([path.name for path in files]) or 'no archive'} in {mounts}. Train all "
            "folds of a run, pack it, and attach its dataset."
        )
    absent = [name for name in names if name not in found]
    if absent:
        raise unknown_name_error("finished run among the inputs", absent[0], found)
    return [found[name] for name in names or sorted(found)]


def link_weights(mounts: Path, keras_home: Path) -> list[Path]:
    """Has Keras find the ImageNet weights among a kernel's inputs, as if it had fetched them.

    Args:
        mounts: /kaggle/input on Kaggle.
        keras_home: what KERAS_HOME is set to.

    Returns:
        The files that Keras finds.
    """
    models = keras_home / "models"
    models.mkdir(parents=True, exist_ok=True)
    linked = []
    # By Keras' own names: those of runs are called otherwise.
    for file in input_files(mounts, "_notop.h5", "_no_top.h5"):
        place = models / file.name
        if not place.exists():
            place.unlink(missing_ok=True)
            place.symlink_to(file)
        linked.append(place)
    return linked


def restore_studies(mounts: Path, studies: Path) -> list[Path]:
    """Copies the journals of earlier searches, from which a search of the same name goes on.

    Args:
        mounts: /kaggle/input on Kaggle.
        studies: the workspace's; what it has already is kept.
    """
    journals = []
    for journal in input_files(mounts, f"{os.sep}{JOURNAL}"):
        place = studies / journal.parent.name / JOURNAL
        # Of several versions the longest is the latest: a journal only grows.
        if not place.is_file() or place.stat().st_size < journal.stat().st_size:
            with atomic_write(place) as beside:
                shutil.copyfile(journal, beside)
        journals.append(place)
    return journals


def _files(mounts: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(mounts):
        for name in names:
            yield Path(folder, name)


def _is_of_run(path: Path) -> bool:
    """Whether a file is an archive as `pack_run` makes it, told by its table of contents."""
    if path.suffix != ".zip" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        inside = [PurePosixPath(name).parts for name in archive.namelist()]
    return any(len(parts) == 3 and parts[2] == WEIGHTS for parts in inside)
