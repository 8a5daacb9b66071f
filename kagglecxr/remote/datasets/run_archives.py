"""Packs runs, whole or single folds, into archives for Kaggle datasets, and unpacks them."""

import filecmp
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.files import reproducible_zip, zip_member
from kagglecxr.core.run_record import NOVELTY, NOVELTY_THRESHOLD, OOF, WEIGHTS
from kagglecxr.remote.archives import unpack

_FINISHED = "fold.json"
_FOLD_FILES = (WEIGHTS, "history.csv", "validation.npz", NOVELTY, _FINISHED)
"""What is kept of a fold; the last is written last."""
_IDENTITY = ("recipe.json", "folds.csv")
_RESULTS = (OOF, NOVELTY_THRESHOLD, "run.json")


def pack_run(run: Path, folder: Path) -> Path:
    """Packs a run, finished or not, into one archive, `<run>.zip`.

    The same files give the same bytes. Logs, checkpoints and unfinished folds are left out.

    Raises:
        MissingError: no fold of the run is finished.
    """
    files = list(_files_to_pack(run))
    if not any(path.name == WEIGHTS for path in files):
        raise MissingError(
            f"A run has no finished fold to pack. Looked in: {run}. Train one first: python -m "
            "kagglecxr.train COMPETITION"
        )
    path = folder / f"{run.name}.zip"
    with reproducible_zip(path) as archive:
        for file in files:
            member = zip_member(file.relative_to(run.parent).as_posix())
            member.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(member, "w") as target:
                shutil.copyfileobj(source, target, 2**20)
    return path


def _files_to_pack(run: Path) -> Iterator[Path]:
    is_finished = (run / "run.json").is_file()
    yield from _existing(run, [*_IDENTITY, *(_RESULTS if is_finished else ())])
    for fold in sorted(run.glob("fold-*")):
        if is_finished or (fold / _FINISHED).is_file():
            yield from _existing(fold, _FOLD_FILES)


def _existing(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    return filter(Path.is_file, (folder / name for name in names))


def unpack_run(archive: Path, runs: Path) -> Path:
    """Unpacks a packed run; of a run that exists already, only the folds that are not finished.

    Each file is written completely or not at all, and a file that marks something as finished is
    written last: the call can be interrupted at any moment and repeated.

    Returns:
        The run's folder. It has no run.json while folds are missing, or if they come from several
        machines; training the run again then only assembles them.

    Raises:
        DataError: the archive is broken or not that of one run, or the existing run was trained by
            another recipe or on other folds.
    """
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=runs) as temporary:
        unpack(archive, Path(temporary), archive.name)
        unpacked = _find_run(Path(temporary), archive)
        run = runs / unpacked.name
        if not run.exists():
            unpacked.replace(run)
            return run
        _check_same_training(unpacked, run)
        if not (run / "run.json").is_file():
            _merge(unpacked, run)
    return run


def _find_run(folder: Path, archive: Path) -> Path:
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    names = {path.parts[0] for path in files}
    strange = [path for path in files if not _belongs(path)]
    if strange or len(names) != 1:
        raise DataError(
            f"An archive is not that of one run. Received: {archive} with "
            f"{sorted(strange or files)[0]}. Name one that was packed by kagglecxr."
        )
    run = folder / names.pop()
    folds = [*run.glob("fold-*")]
    if not folds or not all((fold / WEIGHTS).is_file() for fold in folds):
        raise DataError(
            f"An archive holds a fold without weights, or none. Received: {archive}. Train that "
            "fold again."
        )
    return run


def _belongs(path: Path) -> bool:
    inside = path.parts[1:]
    if len(inside) == 2:
        return bool(re.fullmatch(r"fold-\d+", inside[0])) and inside[1] in _FOLD_FILES
    return len(inside) == 1 and inside[0] in (*_IDENTITY, *_RESULTS)


def _check_same_training(unpacked: Path, run: Path) -> None:
    for name in _IDENTITY:
        if (run / name).is_file() and not _is_same(unpacked / name, run / name):
            raise DataError(
                f"Folds of one run were trained in different ways. Received: {unpacked.name} "
                f"with another {name} than that of {run}. Remove that folder, or train those folds "
                "again."
            )


def _merge(unpacked: Path, run: Path) -> None:
    _move(_IDENTITY, unpacked, run)
    folds = [fold.name for fold in sorted(unpacked.glob("fold-*"))]
    kept = [fold for fold in folds if (run / fold / _FINISHED).is_file()]
    # The archive's results hold for exactly the folds from which they were computed.
    compared = [Path(fold, name) for fold in kept for name in (WEIGHTS, "validation.npz")]
    are_same = all(_is_same(unpacked / name, run / name) for name in compared)
    for fold in sorted({*folds} - {*kept}):
        # Files of an interrupted training would be read along with those of the archive.
        shutil.rmtree(run / fold, ignore_errors=True)
        _move(_FOLD_FILES, unpacked / fold, run / fold)
    if are_same:
        _move(_RESULTS, unpacked, run)


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    """Moves the files that exist, in this order."""
    target.mkdir(exist_ok=True)
    for path in _existing(source, names):
        path.replace(target / path.name)


def _is_same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
