"""The steps of the verb `kernel`: build, push, status and output."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from cyclopts import App

from kagglecxr.core.cli import CommonOptions, make_app
from kagglecxr.core.errors import SettingError
from kagglecxr.remote.kernels.kernel_options import KernelOptions

TRAIN_KERNEL = Path("kernels/train")
_HELP = """Packs competitions as Kaggle kernels, pushes them, and downloads their output.

Example: python -m kagglecxr.kernel build demo --dry-run --owner YOU
"""


def kernel_app(name: str) -> App:
    """The steps of `kernel` as one application."""
    app = make_app(name, _HELP)
    steps: list[Callable[..., None]] = [build, push, status, output]
    for order, step in enumerate(steps):
        app.command(step, sort_key=order)
    return app


def build(
    competition: str,
    *runs: str,
    options: KernelOptions = KernelOptions(),
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Publishes wheels and runs as datasets; writes the kernels train, tune and submit.

    Example: python -m kagglecxr.kernel build umons-covid19

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        runs: Names of finished runs that `submit` predicts with; defaults to the one with the best
            out-of-fold score, if any is trained.
        options: What is built.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.core.run_record import finished_runs
    from kagglecxr.data.competition import load_competition
    from kagglecxr.data.prepared import load_prepared
    from kagglecxr.ensembling.run_selection import choose_runs
    from kagglecxr.kernel.plan import pack_datasets, plan_kernels
    from kagglecxr.remote.client import username
    from kagglecxr.remote.datasets.publish import publish
    from kagglecxr.remote.kernels.builder import build_kernels

    described = load_competition(competition)
    workspace, terminal = common.workspace(described.name, competition), common.terminal
    owner = options.owner or username(terminal)
    chosen = []
    if runs or finished_runs(workspace.runs):
        chosen = choose_runs(load_prepared(described, workspace), workspace, runs)
    datasets = pack_datasets(owner, workspace, chosen)
    settings = plan_kernels(described, competition, workspace, owner, datasets, chosen, options)
    kernels = build_kernels(options.to, settings)
    for ref, folder in datasets.items():
        if not options.dry_run:
            publish(folder, terminal, public=options.public)
        terminal.note(f"{'Packed' if options.dry_run else 'On Kaggle'}: {ref}, {folder}")
    common.finish(
        f"Wrote the kernels {', '.join(map(str, kernels))}.",
        _command("push", kernels[0]),
    )


def _command(step: str, *words: str | Path) -> str:
    """Returns the command of a step, as it can be pasted into a shell."""
    return shlex.join(["python", "-m", "kagglecxr.kernel", step, *map(str, words)])


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
        folder: The kernel's folder, with kernel-metadata.json.
        folds: Train one fold a kernel instead; repeated, it pushes what failed or is missing.
        wait: Seconds to wait for a free machine, where as many folds run as Kaggle allows.
        common: Options of every verb.
    """
    from kagglecxr.remote.kernels.folds import push_folds, write_fold_kernels
    from kagglecxr.remote.kernels.push import push_kernel

    following = _command("status", folder)
    if folds is None:
        pushed = push_kernel(folder, common.terminal)
        written = f"Pushed version {pushed.version} of {pushed.kernel}: {pushed.url}."
        common.finish(written, following)
        return
    done = push_folds(write_fold_kernels(folder, folds), common.terminal, wait)
    for fold in done:
        sys.stdout.write(f"{fold.folder.name}: {fold.status}\n")
    refused = [fold.folder.name for fold in done if fold.is_refused]
    if refused:
        raise SettingError(
            f"Not all folds run. Received: {', '.join(refused)} refused, for the reasons above. "
            "Correct that, or wait, and run the same command again: no other is pushed twice."
        )
    common.finish(f"All {folds} folds run or are complete.", following)


def status(
    folder: Path = TRAIN_KERNEL,
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Prints a kernel's status and the end of its log, or those of its folds if they were pushed.

    Example: python -m kagglecxr.kernel status kernels/train

    Args:
        folder: The kernel's folder.
        common: Options of every verb.
    """
    from kagglecxr.remote.kernels.folds import kernel_competition, kernel_ids
    from kagglecxr.remote.kernels.status import COMPLETE, kernel_status, log_tail

    states = [kernel_status(kernel, common.terminal) for kernel in kernel_ids(folder)]
    for state in states:
        sys.stdout.write(f"{state.kernel}  {state}\n")
        for line in log_tail(state.kernel, common.terminal, 10 if len(states) == 1 else 3):
            sys.stdout.write(f"    {line}\n")
    complete = sum(state.status == COMPLETE for state in states)
    running = sum(not state.has_ended for state in states)
    failed = len(states) - complete - running
    if running:
        following = _command("status", folder)
    elif failed:
        following = _command("push", folder)
    else:
        following = _command("output", kernel_competition(folder), folder)
    common.finish(f"{complete} complete, {running} running, {failed} failed.", following)


def output(
    competition: str,
    folder: Path = TRAIN_KERNEL,
    *,
    common: CommonOptions = CommonOptions(),  # noqa: B008 frozen
) -> None:
    """Downloads what a kernel, or those of its folds, left; runs and recipes go to the workspace.

    Example: python -m kagglecxr.kernel output umons-covid19 kernels/train

    Args:
        competition: A preset's name, a TOML file, or a folder with one sub-folder a class.
        folder: The kernel's folder.
        common: Options of every verb.
    """
    from kagglecxr.models.runtime import setup_keras

    setup_keras()
    from kagglecxr.data.competition import load_competition
    from kagglecxr.kernel.collect import collect_outputs
    from kagglecxr.remote.kernels.folds import kernel_ids

    described = load_competition(competition)
    workspace = common.workspace(described.name, competition)
    outputs = collect_outputs(described, workspace, kernel_ids(folder), common.terminal)
    for line in outputs.messages:
        common.terminal.note(line)
    if outputs.finished:
        following = workspace.command("ensemble", *outputs.finished)
    elif outputs.missing:
        following = _command("push", folder, "--folds", str(outputs.folds))
    else:
        following = shlex.join(["ls", str(outputs.folder)])
    common.finish(f"Downloaded {len(outputs.files)} files: {outputs.folder}.", following)
