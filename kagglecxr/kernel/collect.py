"""Downloads the output of kernels and moves runs and recipes into the workspace."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kagglecxr.core.files import atomic_write
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepared import load_prepared
from kagglecxr.remote.datasets.run_archives import unpack_run
from kagglecxr.remote.kernels.status import COMPLETE, fetch_output, kernel_status
from kagglecxr.training.run_results import assemble_run


@dataclass
class KernelOutputs:
    """What kernels left.

    Attributes:
        messages: one line for each run, recipe and kernel that is not complete.
        finished: the names of complete runs, for an ensemble.
        missing: the missing folds of each run that is not complete.
        folds: how many folds the data were prepared with.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    missing: dict[str, list[int]] = field(default_factory=dict)
    folds: int = 0


def collect_outputs(
    competition: Competition, workspace: Workspace, kernels: Sequence[str], reporter: Reporter
) -> KernelOutputs:
    """Downloads the output of the kernels that are complete; repeat the call for the others.

    Raises:
        MissingError: no client, no credentials, or the data are not prepared here.
        KaggleError: Kaggle did not respond, or a file did not arrive.
        DataError: a run was trained on other data than those prepared here.
    """
    outputs = KernelOutputs(workspace.kaggle / "output")
    for kernel in kernels:
        status = kernel_status(kernel, reporter)
        if status.status != COMPLETE:
            outputs.messages.append(f"{kernel} is not complete: {status}")
            continue
        folder = outputs.folder / kernel.partition("/")[2]
        outputs.files += fetch_output(kernel, folder, reporter)
    for path in outputs.files:
        if path.suffix == ".toml" and path.parent.name == workspace.recipes.name:
            recipe = workspace.recipes / path.name
            with atomic_write(recipe) as temporary:
                shutil.copyfile(path, temporary)
            outputs.messages.append(f"Recipe {path.stem}: {recipe}")
    _collect_runs(outputs, competition, workspace)
    return outputs


def _collect_runs(outputs: KernelOutputs, competition: Competition, workspace: Workspace) -> None:
    archives = [path for path in outputs.files if path.suffix == ".zip"]
    if not archives:
        return
    # First, so that nothing is unpacked that could not be used.
    prepared = load_prepared(competition, workspace)
    outputs.folds = int(prepared.fold.max()) + 1
    for run in sorted({unpack_run(archive, workspace.runs) for archive in archives}):
        missing = assemble_run(run, prepared, workspace)
        if missing:
            outputs.missing[run.name] = missing
            outputs.messages.append(f"Run {run.name} is still without folds {missing}")
        else:
            outputs.finished.append(run.name)
            outputs.messages.append(f"Run {run.name} is complete: {run}")
