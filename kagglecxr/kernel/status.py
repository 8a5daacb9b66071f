"""`kernel status`: what kernels on Kaggle are at."""

import sys
from pathlib import Path

from kagglecxr.core.verb import Common
from kagglecxr.kernel.push import TRAIN


def status(
    folder: Path = TRAIN,
    *,
    common: Common = Common(),  # noqa: B008 frozen
) -> None:
    """Says what a kernel is at, or those of its folds where they were pushed.

    Example: python -m kagglecxr.kernel status kernels/train

    Args:
        folder: The kernel's.
        common: Options of every verb.
    """
    from kagglecxr.remote.kernels.folds import kernels_of
    from kagglecxr.remote.kernels.watching import COMPLETE, look_at_kernel

    states = [look_at_kernel(kernel, common.terminal) for kernel in kernels_of(folder)]
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
    common.end(f"{complete} complete, {running} running, {failed} failed.", following)
