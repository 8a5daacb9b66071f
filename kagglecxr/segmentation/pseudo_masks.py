"""Self-training: masks of sure images that came without, for the next net to learn from."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write, open_arrays
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import OOF
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.masked import MaskedData, by_source
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages
from kagglecxr.data.sequences.sequence import take_images
from kagglecxr.segmentation.evaluation import evaluate_masks, write_left_out_sources
from kagglecxr.segmentation.quality import measure_quality, suspicions
from kagglecxr.segmentation.segmenter import BATCH, Segmenter
from kagglecxr.training.held_out_masks import HeldOutMasks
from kagglecxr.training.pseudo_labels import unrelated_rows
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run import RunOptions, train_run
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.segmentation_task import MaskTargets

PSEUDO_MASKS = "pseudo_masks.npz"
"""Where a student's fold keeps its teacher's masks, in the fold's folder."""


@dataclass(frozen=True)
class MaskTeacher:
    """A finished run whose sure masks of other images another run learns from.

    `round` is the student's, from 1.
    """

    run: Path
    round: int

    def label(self, run: RunSpec, fold: int) -> PseudoLabelledImages:
        """Predicts the images behind the masked ones with the teacher's model of the same fold.

        Never with other folds' models: they have learned from the masks that are held out here.
        Images that share a patient with a held-out one are left out, those of a source that is
        held out as a whole, and those whose mask is suspicious; not those that are unusual, as
        images of another source are, for whose sake this is done. Masks are soft: probabilities.

        Raises:
            DataError: no image is left.
        """
        path = run.fold_folder(fold) / PSEUDO_MASKS
        if not path.is_file():
            self._write(path, run, fold)
        problem = f"Pseudo-masks cannot be read. Received: {path}. Remove it, and train again."
        with open_arrays(path, problem) as saved:
            rows, masks = saved["rows"], saved["masks"]
        if not len(rows):
            raise DataError(
                f"No mask of an image without one is sure. Received: fold {fold} of {self.run}. "
                "Train without --pseudo-masks."
            )
        return PseudoLabelledImages(rows, MaskTargets(masks, np.arange(len(rows))))

    def _write(self, path: Path, run: RunSpec, fold: int) -> None:
        segmenter = Segmenter.of_run(self.run)
        rows = _unrelated_rows(run, fold)
        kept, masks = [], []
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            pixels = take_images(run.prepared.cache.images, batch)
            maps = segmenter.predict(pixels, fold)
            for row, plain, flipped in zip(batch, maps.plain, maps.flipped, strict=True):
                if not suspicions(measure_quality(plain, flipped), segmenter.standards.bounds):
                    kept.append(row)
                    masks.append(np.rint(255 * (plain + flipped) / 2).astype(np.uint8))
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, rows=np.array(kept, np.intp), masks=np.array(masks))


def train_with_pseudo_masks(
    data: MaskedData,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    options: RunOptions,
) -> Path:
    """Trains a run, and a student that learns from its masks of other images where that helps.

    Whether it helps is judged where it matters, on sources of which no mask is learned from: both
    are trained with each source held out, and compared by the mean over the sources of the IoU.

    Args:
        data: masked images, with others behind (`with_unmasked`).
        workspace: of the runs.
        recipe: of all of them.
        reporter: shows the progress, and says what is gained.
        options: of the runs.

    Returns:
        The folder of the run that is kept, on the folds of `data`.
    """
    apart = by_source(data)
    teacher = train_run(apart, workspace, recipe, reporter, options)
    taught = replace(options, teacher=MaskTeacher(teacher, 1))
    student = train_run(apart, workspace, recipe, reporter, taught)
    before, after = (_mean_over_sources(run, apart) for run in (teacher, student))
    run = train_run(data, workspace, recipe, reporter, options)
    told = f"Masks of images without one: IoU on left-out sources {after:.4f} after {before:.4f}"
    if after <= before:
        reporter.note(f"{told}: not better, so they are not learned from.")
        return run
    reporter.note(f"{told}: they are learned from.")
    return train_run(
        data, workspace, recipe, reporter, replace(options, teacher=MaskTeacher(run, 1))
    )


def _mean_over_sources(run: Path, data: MaskedData) -> float:
    evaluation = evaluate_masks(HeldOutMasks.load(run / OOF), data)
    return float(write_left_out_sources(run, evaluation)["iou"].mean())


def _unrelated_rows(run: RunSpec, fold: int) -> npt.NDArray[np.intp]:
    """The images behind the masked ones that have nothing to do with a held-out one."""
    index, held_out = run.prepared.index, run.fold_of == fold
    train, rows = index.rows("train"), unrelated_rows(run.prepared, held_out)
    learned = set(index.column("source", train[~held_out]))
    sources = set(index.column("source", train[held_out])) - learned
    return rows[[source not in sources for source in index.column("source", rows)]]
