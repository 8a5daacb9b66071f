"""One kernel for each fold: a run that is trained on several of Kaggle's machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest, read_json, write_json, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import PollPolicy
from kagglecxr.remote.errors import KaggleError
from kagglecxr.remote.kernels.kernel_metadata import MAX_SLUG, KernelMetadata
from kagglecxr.remote.kernels.push import SessionLimitError, push_kernel
from kagglecxr.remote.kernels.status import COMPLETE, kernel_status
from kagglecxr.remote.kernels.templates import read_constant, set_constants

PUSH_STATE = "pushed.json"
"""Which version of which script was pushed; next to the metadata, and never sent."""
_RETRY_AFTER = 60.0


@dataclass(frozen=True)
class FoldPush:
    """The outcome of pushing one fold: what was done, or why it was refused."""

    folder: Path
    status: str
    is_refused: bool = False


def write_fold_kernels(folder: Path, folds: int) -> list[Path]:
    """Writes one kernel for each fold next to a kernel: the same script with FOLD set.

    Raises:
        SettingError: fewer than two folds, or the script's FOLDS is another number.
        MissingError: there is no such kernel.
    """
    metadata = KernelMetadata.read(folder)
    script = (folder / metadata.code_file).read_text(encoding="utf-8")
    stated = read_constant(script, "FOLDS")
    if folds < 2 or stated != folds:
        raise SettingError(
            f"The kernel's script trains another number of folds. Received: --folds {folds}, "
            f"FOLDS = {'nothing' if stated is None else stated} in {folder / metadata.code_file}. "
            "Make them equal, and at least 2."
        )
    folders = []
    for fold in range(folds):
        ending = f"fold-{fold}"
        slug = f"{metadata.slug[: MAX_SLUG - len(ending) - 1].rstrip('-')}-{ending}"
        values = metadata.model_dump(exclude={"id_no"})
        values |= {"id": f"{metadata.id.partition('/')[0]}/{slug}", "title": slug}
        fold_folder = folder.with_name(f"{folder.name}-{ending}")
        write_text(fold_folder / metadata.code_file, set_constants(script, {"FOLD": fold}))
        KernelMetadata.parse(values, str(fold_folder)).write(fold_folder)
        folders.append(fold_folder)
    return folders


def pushed_folds(folder: Path) -> list[Path]:
    """The kernels of single folds, next to a kernel, that were pushed."""
    return sorted(path.parent for path in folder.parent.glob(f"{folder.name}-fold-*/{PUSH_STATE}"))


def kernel_competition(folder: Path) -> str:
    """The competition of a kernel of ours; COMPETITION where its script does not name a preset."""
    scripts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))]
    stated = [read_constant(script, "COMPETITION") for script in scripts]
    # The text of a TOML file has several lines.
    names = [name for name in stated if isinstance(name, str) and "\n" not in name]
    return names[0] if names else "COMPETITION"


def kernel_ids(folder: Path) -> list[str]:
    """The ids of the folds' kernels that were pushed; if there are none, of the kernel itself.

    Raises:
        MissingError: there is no such kernel.
    """
    return [KernelMetadata.read_id(path) for path in pushed_folds(folder) or [folder]]


def push_folds(folders: Sequence[Path], reporter: Reporter, wait: float = 0.0) -> list[FoldPush]:
    """Pushes the folds that neither run nor are complete; repeat the call to continue.

    It waits for free machines for `wait` seconds in all, which defaults to not at all.

    Returns:
        The outcome of each fold. A refused fold does not prevent the others from being pushed.

    Raises:
        MissingError: no client or no credentials.
    """
    pauses = PollPolicy(wait, _RETRY_AFTER, _RETRY_AFTER).pauses()
    next(pauses)
    done: dict[Path, FoldPush] = {}
    for folder in folders:
        while folder not in done:
            try:
                done[folder] = FoldPush(folder, _push_fold(folder, reporter))
            except KaggleError as error:
                can_wait = isinstance(error, SessionLimitError) and wait > 0
                if can_wait:
                    reporter.note(f"{folder.name} waits for a free machine.")
                if not can_wait or next(pauses, None) is None:
                    done[folder] = FoldPush(folder, str(error), is_refused=True)
    return list(done.values())


def _push_fold(folder: Path, reporter: Reporter) -> str:
    metadata = KernelMetadata.read(folder)
    path = folder / PUSH_STATE
    state = {
        "kernel": metadata.id,
        "version": 0,
        "script": digest((folder / metadata.code_file).read_text(encoding="utf-8")),
    }
    before = read_json(path) if path.is_file() else {}
    if before.get("script") == state["script"]:
        current = _current_status(metadata.id, before["version"], reporter)
        if current:
            return current
    # First, so that an interrupted push is looked up on Kaggle before it is repeated.
    write_json(path, state)
    pushed = push_kernel(folder, reporter)
    write_json(path, state | {"version": pushed.version})
    return f"pushed as version {pushed.version}: {pushed.url}"


def _current_status(kernel: str, version: int, reporter: Reporter) -> str:
    """The status of a kernel that was pushed before; empty if it has to be pushed again."""
    try:
        state = kernel_status(kernel, reporter)
    except KaggleError as error:
        if error.status in (403, 404) and not version:
            return ""
        raise
    if state.has_ended and (state.status != COMPLETE or not version):
        reporter.note(f"{kernel} ended with {state}: it is pushed again.")
        return ""
    return f"{state}, pushed before"
