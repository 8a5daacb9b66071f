"""`kernel push`: a kernel's folder to Kaggle's machines, whole or one fold a kernel."""

import sys
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.verb import Common

TRAIN = Path("kernels/train")


def push(
    folder: Path = TRAIN,
    *,
    folds: int | None = None,
    wait: float = 0.0,
    common: Common = Common(),  # noqa: B008 frozen
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
    from kagglecxr.remote.kernels.pushing import push_kernel

    if folds is None:
        pushed = push_kernel(folder, common.terminal)
        common.end(
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
    common.end(f"All {folds} folds run or are done.", f"python -m kagglecxr.kernel status {folder}")
