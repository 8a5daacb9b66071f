"""Puts what kernels left where the other verbs look for it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kagglecxr.core.files import written_whole
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.preparation import load_prepared
from kagglecxr.remote.datasets.runs import unpack_run
from kagglecxr.remote.kernels.output import fetch_output
from kagglecxr.remote.kernels.watching import COMPLETE, look_at_kernel
from kagglecxr.training.gathering import gather_run


@dataclass
class Home:
    """What came home.

    Attributes:
        folder: where the files are.
        files: that were fetched.
        told: a line for each run, recipe and kernel that is not done.
        finished: runs that an ensemble can take.
        missing: folds of a run that nothing has brought yet.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    missing: dict[str, list[int]] = field(default_factory=dict)

    @property
    def following(self) -> str:
        """What comes next where it is no ensemble."""
        if self.finished:
            return ""
        return "push the folds that are missing again" if self.missing else "look at the files"


def bring_home(
    competition: Competition, workspace: Workspace, kernels: Sequence[str], reporter: Reporter
) -> Home:
    """Fetches the output of kernels that are complete; the same call again fetches the rest.

    Raises:
        MissingError: no client, no credentials, or data that are not prepared here.
        KaggleError: Kaggle could not be asked, or a file did not arrive.
        DataError: a run was trained on other data than those prepared here.
    """
    home = Home(workspace.luggage / "output")
    for kernel in kernels:
        state = look_at_kernel(kernel, reporter)
        if state.status != COMPLETE:
            home.told.append(f"{kernel} is not complete: {state}")
            continue
        folder = home.folder / kernel.partition("/")[2]
        home.files += fetch_output(kernel, folder, reporter).files
    _take_recipes(home, workspace)
    _take_runs(home, competition, workspace)
    return home


def _take_recipes(home: Home, workspace: Workspace) -> None:
    for path in home.files:
        if path.suffix == ".toml" and path.parent.name == workspace.recipes.name:
            with written_whole(workspace.recipes / path.name) as beside:
                shutil.copyfile(path, beside)
            home.told.append(f"Recipe {path.stem}: {workspace.recipes / path.name}")


def _take_runs(home: Home, competition: Competition, workspace: Workspace) -> None:
    archives = [path for path in home.files if path.suffix == ".zip"]
    if not archives:
        return
    # First, so that nothing is unpacked where it could not be used.
    prepared = load_prepared(competition, workspace)
    for run in sorted({unpack_run(archive, workspace.runs) for archive in archives}):
        missing = gather_run(run, prepared, workspace)
        if missing:
            home.missing[run.name] = missing
            home.told.append(f"Run {run.name} is still without folds {missing}")
        else:
            home.finished.append(run.name)
            home.told.append(f"Run {run.name} is whole: {run}")
