"""One fold a kernel: the kernels of a run that is trained on several of Kaggle's machines."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest, read_json, write_json, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import RetryPolicy
from kagglecxr.remote.errors import KaggleError
from kagglecxr.remote.kernels.kernel_metadata import MAX_SLUG, kernel_metadata, read_kernel_metadata
from kagglecxr.remote.kernels.push import KernelVersion, SessionLimitError, push_kernel
from kagglecxr.remote.kernels.status import COMPLETE, kernel_status
from kagglecxr.remote.kernels.templates import set_constants

PUSH_STATE = "pushed.json"
"""Which version of what script was pushed; beside the metadata, and never sent."""


@dataclass(frozen=True)
class FoldPush:
    """What became of one fold.

    Attributes:
        folder: of its kernel.
        told: what it is at.
        is_refused: it has to be pushed again.
    """

    folder: Path
    told: str
    is_refused: bool = False


@dataclass(frozen=True)
class Queue:
    """How folds wait for a free machine.

    Attributes:
        most: seconds, of all pauses together; 0 for none.
        pause: seconds between two tries.
        sleep: waits.
    """

    most: float = 0.0
    pause: float = 60.0
    sleep: Callable[[float], None] = time.sleep


def write_fold_kernels(folder: Path, folds: int) -> list[Path]:
    """Writes a kernel a fold beside the kernel of the whole run: the same script with FOLD set.

    Args:
        folder: the kernel that trains all folds.
        folds: how many, as the script's FOLDS.

    Raises:
        SettingError: fewer than two folds, or the script's FOLDS is another number.
        MissingError: there is no such kernel.
    """
    metadata = read_kernel_metadata(folder)
    script = (folder / metadata.code_file).read_text(encoding="utf-8")
    stated = re.search(r"^FOLDS = (\d+)", script, re.MULTILINE)
    if folds < 2 or stated is None or int(stated.group(1)) != folds:
        raise SettingError(
            f"The kernel's script trains another number of folds. Received: --folds {folds}, "
            f"FOLDS = {stated.group(1) if stated else 'nothing'} in {folder / metadata.code_file}. "
            "Make them one, at least 2."
        )
    return [_write_fold_kernel(folder, fold) for fold in range(folds)]


def fold_folder(folder: Path, fold: int) -> Path:
    """Where the kernel of a fold lies."""
    return folder.with_name(f"{folder.name}-fold-{fold}")


def kernel_ids(folder: Path) -> list[str]:
    """The names on Kaggle of the folds' kernels that were pushed; else of the kernel itself.

    Raises:
        MissingError: there is no such kernel.
    """
    return [read_kernel_metadata(place).id for place in pushed_folds(folder) or [folder]]


def pushed_folds(folder: Path) -> list[Path]:
    """The kernels of single folds that were written beside a kernel."""
    return sorted(path.parent for path in folder.parent.glob(f"{folder.name}-fold-*/{PUSH_STATE}"))


def _write_fold_kernel(folder: Path, fold: int) -> Path:
    metadata = read_kernel_metadata(folder)
    script = (folder / metadata.code_file).read_text(encoding="utf-8")
    owner, _, slug = metadata.id.partition("/")
    ending = f"fold-{fold}"
    stem = slug[: MAX_SLUG - len(ending) - 1].rstrip("-")
    values = metadata.model_dump(exclude_none=True)
    values |= {"id": f"{owner}/{stem}-{ending}", "title": f"{stem}-{ending}"}
    values.pop("id_no", None)
    place = fold_folder(folder, fold)
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / metadata.code_file, set_constants(script, {"FOLD": fold}))
    kernel_metadata(values, str(place)).write(place)
    return place


def push_folds(
    folders: list[Path],
    reporter: Reporter,
    queue: Queue = Queue(),
    patience: RetryPolicy = RetryPolicy(),
) -> list[FoldPush]:
    """Pushes the folds that neither run nor have ended well; the same call again goes on.

    Args:
        folders: a kernel a fold.
        reporter: told of each.
        queue: for how long folds wait until Kaggle takes one more.
        patience: with too many requests.

    Returns:
        What each fold is at. One that was refused does not keep the others from being pushed.

    Raises:
        MissingError: no client or no credentials.
    """
    done: dict[Path, FoldPush] = {}
    waited = 0.0
    for folder in folders:
        while folder not in done:
            try:
                done[folder] = _push_fold(folder, reporter, patience)
            except SessionLimitError as error:
                if waited + queue.pause > queue.most:
                    done[folder] = FoldPush(folder, str(error), is_refused=True)
                    continue
                reporter.note(f"{folder.name} waits {queue.pause:.0f} s for a free machine.")
                queue.sleep(queue.pause)
                waited += queue.pause
            except KaggleError as error:
                done[folder] = FoldPush(folder, str(error), is_refused=True)
    return list(done.values())


def _push_fold(folder: Path, reporter: Reporter, patience: RetryPolicy) -> FoldPush:
    metadata = read_kernel_metadata(folder)
    script = digest((folder / metadata.code_file).read_text(encoding="utf-8"))
    receipt = folder / PUSH_STATE
    before = read_json(receipt) if receipt.is_file() else {}
    if before.get("script") == script:
        told = _current_status(metadata.id, before, reporter, patience)
        if told:
            return FoldPush(folder, told)
    # First, so that a push whose end nobody saw is looked for before there is another.
    write_json(receipt, {"kernel": metadata.id, "version": 0, "script": script})
    pushed: KernelVersion = push_kernel(folder, reporter, patience)
    write_json(receipt, {"kernel": pushed.kernel, "version": pushed.version, "script": script})
    return FoldPush(folder, f"pushed as version {pushed.version}: {pushed.url}")


def _current_status(
    kernel: str, receipt: Mapping[str, Any], reporter: Reporter, patience: RetryPolicy
) -> str:
    """What a kernel that was pushed before is at; empty where it has to be pushed again."""
    try:
        state = kernel_status(kernel, reporter, patience)
    except KaggleError as error:
        if error.status in (403, 404) and not receipt["version"]:
            return ""
        raise
    if state.has_ended and (state.status != COMPLETE or not receipt["version"]):
        reporter.note(f"{kernel} ended with {state}: it is pushed again.")
        return ""
    return f"{state}, pushed before"
