"""A kernel's session as its script uses it: attached inputs, folders, time, the package's verbs."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Self

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import CxrError, MissingError, shorten
from kagglecxr.core.files import atomic_write, write_text
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.core.run_record import WEIGHTS
from kagglecxr.remote.datasets.run_archives import unpack_run


class Session:
    """One run of a kernel's script; as a context, it ends a user's error in one sentence.

    Args:
        mounts: /kaggle/input on Kaggle.
        scratch: a folder that Kaggle does not keep.
        hours: the time from now in which the work has to be done.
    """

    def __init__(self, mounts: Path, scratch: Path, hours: float) -> None:
        self.mounts, self.scratch = mounts, scratch
        self.deadline = Deadline.within(hours * 3600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CxrError):
            raise SystemExit(str(error)) from None

    @property
    def work(self) -> Path:
        """The workspace, in the scratch folder: it may be large and is not needed afterwards."""
        return self.scratch / "work"

    def as_file(self, text: str, name: str) -> str:
        """Returns a preset's name as it is, and of the text of a TOML file the path of a file."""
        if "\n" not in text and "=" not in text:
            return text
        path = self.scratch / f"{name}.toml"
        write_text(path, text)
        return str(path)

    def run_verb(self, name: str, *words: object, seconds: float | None = None) -> None:
        """Runs `python -m kagglecxr.NAME` with the session's workspace.

        Keras finds the attached weights, and keeps those that it downloads in the scratch folder.
        The process is killed after so many seconds, which defaults to never.

        Raises:
            SystemExit: it failed, and has said why.
            TimeoutExpired: it was killed.
        """
        keras_home = self.scratch / "keras"
        link_weights(self.mounts, keras_home)
        done = subprocess.run(
            [sys.executable, "-m", f"kagglecxr.{name}", *map(str, words), "--work", str(self.work)],
            env={**os.environ, "KERAS_HOME": str(keras_home)},
            cwd=self.scratch,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.returncode)


JOURNAL = "journal.log"


def input_files(mounts: Path, *endings: str) -> list[Path]:
    """The files below a folder whose paths end like this, sorted; the folder need not exist."""
    paths = (Path(folder, name) for folder, _, names in os.walk(mounts) for name in names)
    return sorted(path for path in paths if str(path).endswith(endings))


def input_runs(mounts: Path, folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Finds the finished runs among a kernel's inputs, whether Kaggle unpacked them or not.

    Archives are unpacked into `folder`; `names` defaults to all runs below `mounts`.

    Returns:
        The runs' folders, in the order of the names.

    Raises:
        MissingError: there is no finished run.
        UnknownNameError: one of the named runs is not there, or not finished.
        DataError: an archive is broken.
    """
    files = input_files(mounts, ".zip", f"{os.sep}run.json")
    found = {path.parent.name: path.parent for path in files if path.name == "run.json"}
    for archive in filter(_is_packed_run, files):
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


def _is_packed_run(path: Path) -> bool:
    """Whether a file is an archive of `pack_run`, by its table of contents."""
    if path.suffix != ".zip" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        members = [PurePosixPath(name).parts for name in archive.namelist()]
    return any(len(parts) == 3 and parts[2] == WEIGHTS for parts in members)


def link_weights(mounts: Path, keras_home: Path) -> list[Path]:
    """Links the ImageNet weights among a kernel's inputs to where Keras caches downloads."""
    models = keras_home / "models"
    models.mkdir(parents=True, exist_ok=True)
    links = []
    # By Keras' own names: the weights of runs are called otherwise.
    for file in input_files(mounts, "_notop.h5", "_no_top.h5"):
        link = models / file.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        links.append(link)
    return links


def restore_studies(mounts: Path, studies: Path) -> list[Path]:
    """Copies longer journals of earlier searches, so that a search of the same name continues."""
    journals = []
    for journal in input_files(mounts, f"{os.sep}{JOURNAL}"):
        target = studies / journal.parent.name / JOURNAL
        # Of several versions the longest is the latest: a journal only grows.
        if not target.is_file() or target.stat().st_size < journal.stat().st_size:
            with atomic_write(target) as temporary:
                shutil.copyfile(journal, temporary)
        journals.append(target)
    return journals
