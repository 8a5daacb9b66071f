"""The small net of lung masks in the package, for images that came without any masks."""

import shutil
from dataclasses import replace
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import NOVELTY, WEIGHTS, fold_folder, read_run
from kagglecxr.inference.novelty import write_threshold
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.training.held_out_masks import HeldOutMasks

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
    """Writes one fold of a run as a run of its own.

    What is suspicious of its masks, and which images are unusual, is said by the images that the
    fold held out: of a fold that held out a source, by images of another hospital.

    Args:
        run: a finished run that learned masks.
        fold: the fold that is packed.
        folder: is replaced; where run.json, the weights, mask_standards.json, and what tells
            unusual images go.
    """
    record, source, target = read_run(run), fold_folder(run, fold), fold_folder(folder, 0)
    shutil.rmtree(folder, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (WEIGHTS, NOVELTY):
        shutil.copyfile(source / name, target / name)
    MaskStandards.of_masks(HeldOutMasks.load(source / "validation.npz")).write(folder)
    write_threshold(folder, 1)
    # The weights that it started from are a path of this machine.
    recipe = record.recipe | {"weights": ""}
    seconds = [record.seconds[fold]]
    replace(record, name=folder.name, recipe=recipe, folds=1, seconds=seconds).write(folder)
