"""Puts what kernels left where the other verbs look for it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kagglecxr.core.files import atomic_write
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepare import load_prepared
from kagglecxr.remote.datasets.run_archives import unpack_run
from kagglecxr.remote.kernels.status import COMPLETE, fetch_output, kernel_status
from kagglecxr.training.run_results import assemble_run


@dataclass
class KernelOutputs:
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


def collect_outputs(
    competition: Competition, workspace: Workspace, kernels: Sequence[str], reporter: Reporter
) -> KernelOutputs:
    """Fetches the output of kernels that are complete; the same call again fetches the rest.

    Raises:
        MissingError: no client, no credentials, or data that are not prepared here.
        KaggleError: Kaggle could not be asked, or a file did not arrive.
        DataError: a run was trained on other data than those prepared here.
    """
    home = KernelOutputs(workspace.kaggle / "output")
    for kernel in kernels:
        state = kernel_status(kernel, reporter)
        if state.status != COMPLETE:
            home.told.append(f"{kernel} is not complete: {state}")
            continue
        folder = home.folder / kernel.partition("/")[2]
        home.files += fetch_output(kernel, folder, reporter).files
    _collect_recipes(home, workspace)
    _collect_runs(home, competition, workspace)
    return home


def _collect_recipes(home: KernelOutputs, workspace: Workspace) -> None:
    for path in home.files:
        if path.suffix == ".toml" and path.parent.name == workspace.recipes.name:
            with atomic_write(workspace.recipes / path.name) as beside:
                shutil.copyfile(path, beside)
            home.told.append(f"Recipe {path.stem}: {workspace.recipes / path.name}")


def _collect_runs(home: KernelOutputs, competition: Competition, workspace: Workspace) -> None:
    archives = [path for path in home.files if path.suffix == ".zip"]
    if not archives:
        return
    # First, so that nothing is unpacked where it could not be used.
    prepared = load_prepared(competition, workspace)
    for run in sorted({unpack_run(archive, workspace.runs) for archive in archives}):
        missing = assemble_run(run, prepared, workspace)
        if missing:
            home.missing[run.name] = missing
            home.told.append(f"Run {run.name} is still without folds {missing}")
        else:
            home.finished.append(run.name)
            home.told.append(f"Run {run.name} is whole: {run}")
