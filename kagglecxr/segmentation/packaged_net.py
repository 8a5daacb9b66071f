"""The small net of lung masks in the package, for images that came without any masks."""

import shutil
from dataclasses import replace
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import (
    NOVELTY,
    NOVELTY_THRESHOLD,
    WEIGHTS,
    fold_folder,
    read_run,
)
from kagglecxr.segmentation.mask_standards import MaskStandards

PACKAGED = Path(__file__).parent / "lung_net"
"""A run of one fold, as `pack_net` writes it; its README.md is the model card."""

CAUTION = (
    "No net of lung masks is trained here, so the package's own predicts them. It has learned "
    "from X-rays of children alone (Kermany et al. 2018, masks of V7 Labs): look at the masks, "
    "above all of adults, of portable X-rays and of white lungs."
)


def packaged_run() -> Path | None:
    """Returns the folder of the package's net; None where an installation left it out."""
    return PACKAGED if (PACKAGED / "run.json").is_file() else None


def run_or_packaged(named: Path | None, reporter: Reporter) -> Path:
    """Returns what is named, or the package's own net with a note for whom it was not tried.

    Raises:
        SettingError: neither is there.
    """
    run = named or packaged_run()
    if run is None:
        raise SettingError(
            "Images of no competition need a net. Received: no --model. Name the folder of a run "
            "that learned masks, --model work/demo/runs/NAME, or a file that export wrote of it."
        )
    if named is None:
        reporter.note(CAUTION)
    return run


def pack_net(run: Path, fold: int, folder: Path) -> None:
    """Writes one fold of a run as a run of its own, with what its out-of-fold masks say.

    Args:
        run: a finished run that learned masks.
        fold: the fold that is packed; what it held out is what its scores are of.
        folder: is replaced; where run.json, the weights, mask_standards.json, and what tells
            unusual images go.
    """
    record = read_run(run)
    # The weights that it started from are a path of this machine.
    recipe = record.recipe | {"weights": ""}
    shutil.rmtree(folder, ignore_errors=True)
    target = fold_folder(folder, 0)
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fold_folder(run, fold) / WEIGHTS, target / WEIGHTS)
    # Runs of older versions do not know what is unusual.
    if (run / NOVELTY_THRESHOLD).is_file():
        shutil.copyfile(run / NOVELTY_THRESHOLD, folder / NOVELTY_THRESHOLD)
        shutil.copyfile(fold_folder(run, fold) / NOVELTY, target / NOVELTY)
    MaskStandards.of_run(run).write(folder)
    seconds = [record.seconds[fold]]
    replace(record, name=folder.name, recipe=recipe, folds=1, seconds=seconds).write(folder)
