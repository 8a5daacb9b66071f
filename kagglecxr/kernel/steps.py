"""The steps of the verb `kernel`: build, push, status and output."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from kagglecxr.core.cli import CommonOptions
from kagglecxr.core.errors import SettingError


@Parameter(name="*")
@dataclass(frozen=True)
class KernelOptions:
    """What kernels are to be built.

    Attributes:
        owner: Your name on Kaggle; whose the credentials are unless told.
        recipe: A recipe's name or TOML file; chosen by the machine it runs on unless told.
        changes: A recipe's entry as key=value; can be given several times.
        space: What `tune` varies: a space's name or TOML file.
        trials: How many recipes `tune` tries.
        accelerator: gpu is T4 x2, tpu v5e-8.
        internet: Let train and tune fetch weights; submit never has it.
        public: Let others see kernels and datasets.
        data: The dataset OWNER/SLUG of the images, where the competition names none.
        attach: More datasets OWNER/SLUG, as of ImageNet weights; can be given several times.
        dry_run: Write all folders and send nothing.
        to: Folder of the kernels.
    """

    owner: str | None = None
    recipe: str = "default"
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = ()
    space: str = "cpu"
    trials: int = 40
    accelerator: Literal["gpu", "tpu", "cpu"] = "gpu"
    internet: bool = True
    public: Annotated[bool, Parameter(negative="")] = False
    data: str = ""
    attach: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    dry_run: Annotated[bool, Parameter(negative="")] = False
    to: Path = Path("kernels")


def build(
    competition: str,
    *runs: str,
    wish: KernelOptions = KernelOptions(),
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Brings wheels and runs to Kaggle as datasets; writes the kernels train, tune and submit.

    Example: python -m kagglecxr.kernel build umons-covid19

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        runs: Names of finished runs that `submit` predicts with; the one with the best out-of-fold
            score unless told, none where none is trained.
        wish: What is built.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.kernel.plan import chosen_runs, pack_runs, pack_wheels, plan_kernels
    from kagglecxr.remote.client import username
    from kagglecxr.remote.datasets.publish import publish
    from kagglecxr.remote.kernels.builder import build_kernels

    described = load_competition(competition)
    workspace, terminal = common.workspace(described.name), common.terminal
    owner = wish.owner or username(terminal)
    chosen = chosen_runs(described, workspace, runs)
    luggage = [pack_wheels(owner, workspace.kaggle / "wheels")]
    if chosen:
        folder = workspace.kaggle / "runs"
        luggage.append(pack_runs(owner, described.name, chosen, folder))
    settings = plan_kernels(
        described, competition, workspace, owner, [one.ref for one in luggage], chosen, wish
    )
    kernels = build_kernels(wish.to, settings)
    for one in luggage:
        if not wish.dry_run:
            publish(one.folder, terminal, public=wish.public)
        terminal.note(f"{'Packed' if wish.dry_run else 'On Kaggle'}: {one.ref}, {one.folder}")
    common.finish(
        f"Wrote the kernels {', '.join(map(str, kernels))}.",
        f"python -m kagglecxr.kernel push {kernels[0]}",
    )


TRAIN_KERNEL = Path("kernels/train")


def push(
    folder: Path = TRAIN_KERNEL,
    *,
    folds: int | None = None,
    wait: float = 0.0,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Pushes a kernel, which then runs; refused or dropped sources are errors.

    Example: python -m kagglecxr.kernel push kernels/train --folds 5

    Args:
        folder: The kernel's, with kernel-metadata.json.
        folds: Train one fold a kernel instead. Called again it pushes what failed or was left.
        wait: Seconds to wait until Kaggle takes one more, where folds run on all one may have.
        common: Options of every verb.
    """
    from kagglecxr.remote.kernels.folds import Queue, push_folds, write_fold_kernels
    from kagglecxr.remote.kernels.push import push_kernel

    if folds is None:
        pushed = push_kernel(folder, common.terminal)
        common.finish(
            f"Pushed version {pushed.version} of {pushed.kernel}: {pushed.url}.",
            f"python -m kagglecxr.kernel status {folder}",
        )
        return
    done = push_folds(write_fold_kernels(folder, folds), common.terminal, Queue(wait))
    for one in done:
        sys.stdout.write(f"{one.folder.name}: {one.told}\n")
    refused = [one.folder.name for one in done if one.is_refused]
    if refused:
        raise SettingError(
            f"Not all folds run. Received: {', '.join(refused)} refused, as said above. Mend that, "
            "or wait, and run the same command again: the others are not pushed twice."
        )
    common.finish(
        f"All {folds} folds run or are done.", f"python -m kagglecxr.kernel status {folder}"
    )


def status(
    folder: Path = TRAIN_KERNEL,
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Says what a kernel is at, or those of its folds where they were pushed.

    Example: python -m kagglecxr.kernel status kernels/train

    Args:
        folder: The kernel's.
        common: Options of every verb.
    """
    from kagglecxr.remote.kernels.folds import kernel_ids
    from kagglecxr.remote.kernels.status import COMPLETE, kernel_status

    states = [kernel_status(kernel, common.terminal) for kernel in kernel_ids(folder)]
    for state in states:
        sys.stdout.write(f"{state.kernel}  {state}\n")
    complete = sum(state.status == COMPLETE for state in states)
    running = sum(not state.has_ended for state in states)
    failed = len(states) - complete - running
    following = (
        "the same again" if running
        else f"python -m kagglecxr.kernel push {folder}" if failed
        else f"python -m kagglecxr.kernel output COMPETITION {folder}"
    )  # fmt: skip
    common.finish(f"{complete} complete, {running} running, {failed} failed.", following)


def output(
    competition: str,
    folder: Path = TRAIN_KERNEL,
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Fetches what a kernel left, or those of its folds; runs become runs here, recipes recipes.

    Example: python -m kagglecxr.kernel output umons-covid19 kernels/train

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        folder: The kernel's.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.kernel.collect import collect_outputs
    from kagglecxr.remote.kernels.folds import kernel_ids

    described = load_competition(competition)
    workspace = common.workspace(described.name)
    home = collect_outputs(described, workspace, kernel_ids(folder), common.terminal)
    for line in home.told:
        common.terminal.note(line)
    common.finish(
        f"Fetched {len(home.files)} files: {home.folder}.",
        home.following or f"python -m kagglecxr.ensemble {competition} {' '.join(home.finished)}",
    )
