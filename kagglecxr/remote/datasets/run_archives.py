"""Packs runs, whole or single folds, into archives for Kaggle datasets, and unpacks them."""

import contextlib
import filecmp
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.run_record import WEIGHTS
from kagglecxr.remote.archives import unpack

_FINISHED = "fold.json"
_OF_FOLD = (WEIGHTS, "history.csv", "validation.npz", _FINISHED)
"""What is kept of a fold; the last is written last."""
_IDENTITY = ("recipe.json", "folds.csv")
_RESULTS = ("oof.npz", "run.json")
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack_run(run: Path, folder: Path) -> Path:
    """Packs a run, finished or not, into one archive, `<run>.zip`.

    The same files give the same bytes. Logs, checkpoints and unfinished folds stay behind.

    Args:
        run: its folder.
        folder: where the archive goes.

    Raises:
        MissingError: no fold of it is finished.
    """
    files = list(_files_to_pack(run))
    if not any(path.name == WEIGHTS for path in files):
        raise MissingError(
            f"A run has no finished fold to pack. Looked in: {run}. Train one first: python -m "
            "kagglecxr.train COMPETITION"
        )
    archive = folder / f"{run.name}.zip"
    with write_if_changed(archive) as beside, zipfile.ZipFile(beside, "w") as packed:
        for path in files:
            member = zipfile.ZipInfo(str(PurePosixPath(path.relative_to(run.parent))), _ZIP_EPOCH)
            # The same on every system.
            member.create_system, member.external_attr = 3, 0o644 << 16
            member.file_size = path.stat().st_size
            with path.open("rb") as source, packed.open(member, "w") as target:
                shutil.copyfileobj(source, target, 2**20)
    return archive


def _files_to_pack(run: Path) -> Iterator[Path]:
    is_finished = (run / "run.json").is_file()
    names = [*_IDENTITY, *(_RESULTS if is_finished else ())]
    yield from filter(Path.is_file, (run / name for name in names))
    for fold in sorted(run.glob("fold-*")):
        if is_finished or (fold / _FINISHED).is_file():
            yield from filter(Path.is_file, (fold / name for name in _OF_FOLD))


def unpack_run(archive: Path, runs: Path) -> Path:
    """Unpacks a packed run; of one that is there already, only the folds that are not finished.

    Every file is whole or absent, and one that says that something is finished comes last: it can
    be stopped at any moment and run again.

    Args:
        archive: as `pack_run` makes it.
        runs: the folder of all runs.

    Returns:
        The run's folder. It is without run.json where folds are still missing, and where they come
        from several machines; training it again then only gathers them.

    Raises:
        DataError: the archive is broken or holds something else than one run, or the run that is
            there was trained by another recipe or on other folds.
    """
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=runs) as beside:
        unpack(archive, Path(beside), archive.name)
        brought = _find_run(Path(beside), archive)
        run = runs / brought.name
        if not run.exists():
            brought.replace(run)
            return run
        _check_same_training(brought, run)
        if not (run / "run.json").is_file():
            _merge(brought, run)
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
        return bool(re.fullmatch(r"fold-\d+", inside[0])) and inside[1] in _OF_FOLD
    return len(inside) == 1 and inside[0] in (*_IDENTITY, *_RESULTS)


def _check_same_training(brought: Path, run: Path) -> None:
    for name in _IDENTITY:
        if (run / name).is_file() and not _is_same(brought / name, run / name):
            raise DataError(
                f"Folds of one name were trained in different ways. Received: {brought.name} "
                f"with another {name} than that of {run}. Remove that folder, or train those folds "
                "anew."
            )


def _merge(brought: Path, run: Path) -> None:
    _move(_IDENTITY, brought, run)
    folds = [fold.name for fold in sorted(brought.glob("fold-*"))]
    # What was gathered over there is true of the very folds it was gathered from.
    kept = [fold for fold in folds if (run / fold / _FINISHED).is_file()]
    compared = [Path(fold, name) for fold in kept for name in (WEIGHTS, "validation.npz")]
    is_one = all(_is_same(brought / name, run / name) for name in compared)
    for fold in sorted({*folds} - {*kept}):
        # What an interrupted training left here would be read along with what is brought.
        shutil.rmtree(run / fold, ignore_errors=True)
        _move(_OF_FOLD, brought / fold, run / fold)
    if is_one:
        _move(_RESULTS, brought, run)


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    """Moves those files that are there, in this order."""
    target.mkdir(exist_ok=True)
    for name in names:
        if (source / name).is_file():
            (source / name).replace(target / name)


def _is_same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


@contextlib.contextmanager
def write_if_changed(path: Path) -> Iterator[Path]:
    """A path to write to that becomes `path`, unless that one holds the same bytes already.

    What is kept keeps its time too, by which the client knows an upload that it may resume. It is
    written outside the folder: whatever a killed process leaves there would be sent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=path.parent.parent) as beside:
        written = Path(beside, path.name)
        yield written
        if not (path.is_file() and filecmp.cmp(written, path, shallow=False)):
            written.replace(path)
