"""Masks of all images of a competition, written to its workspace and into its index."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import held_out_folds
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.index import (
    MASK_SOURCE,
    OUT_OF_FOLD,
    PREDICTED,
    Index,
    write_index,
)
from kagglecxr.data.predicted_masks import (
    with_predicted_masks,
    without_predicted_masks,
    write_predicted_masks,
)
from kagglecxr.data.prepared import PreparedData
from kagglecxr.segmentation.mask_files import MaskFolder, count_suspicious
from kagglecxr.segmentation.predicted_mask import PredictedMask
from kagglecxr.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class SegmentedCompetition:
    """The masks of a competition's images.

    Attributes:
        folder: of the masks and flags.csv.
        flags: one line an image, with what is suspicious of its mask.
        kept: images whose own masks are kept.
    """

    folder: Path
    flags: pd.DataFrame
    kept: int

    def describe(self) -> str:
        """Returns a sentence on the masks."""
        own = f", {self.kept:,} images keep their own" if self.kept else ""
        return f"Predicted {count_suspicious(self.flags)}{own}: {self.folder}."


def segment_competition(
    prepared: PreparedData,
    workspace: Workspace,
    run: Path,
    reporter: Reporter,
    *,
    replace_given: bool = False,
) -> SegmentedCompetition:
    """Predicts the masks of all images and gives them to those that have none.

    An image that the run learned from is predicted by the fold that held it out, any other by the
    first fold. index.csv has the masks, and says in `mask_source` whose they are; caches and runs
    that use no masks stay valid.

    Args:
        prepared: the competition's data.
        workspace: where the masks go.
        run: a finished run that learned masks.
        reporter: shows the progress.
        replace_given: give predicted masks to images that have masks of their own, too.

    Raises:
        SettingError: the run classifies.
        DataError, MissingError: its files are damaged or not there.
    """
    segmenter = Segmenter.of_run(run)
    reporter.note(segmenter.standards.cleaning.describe())
    table = prepared.index.table
    masks = MaskFolder(workspace.masks)
    masks.check(list(table["path"]), prepared.index.ids)
    predicted = segment_images(prepared, workspace, segmenter, np.arange(len(table)), reporter)
    flags = masks.write(predicted, list(table["path"]), prepared.index.ids)
    given = without_predicted_masks(table, workspace)
    used = flags if replace_given else flags[(given["mask"] == "").to_numpy()]
    learned = set(table.loc[table["id"].isin(_held_out(run, workspace)), "path"])
    sources = [OUT_OF_FOLD if path in learned else PREDICTED for path in used["path"]]
    write_predicted_masks(workspace, used.assign(**{MASK_SOURCE: sources}), given)
    write_index(workspace.index, Index(with_predicted_masks(given, workspace)))
    return SegmentedCompetition(masks.root, flags, len(flags) - len(used))


def segment_images(
    prepared: PreparedData,
    workspace: Workspace,
    segmenter: Segmenter,
    rows: npt.NDArray[np.intp],
    reporter: Reporter,
) -> Iterator[PredictedMask]:
    """Yields the masks of some images of a competition, whose `row` is a number among `rows`.

    An image that the run learned from is predicted by the fold that held it out, any other by the
    first fold.
    """
    table = prepared.index.table.iloc[rows]
    fold_of = _held_out(segmenter.member.run, workspace)
    folds = [fold_of.get(name, segmenter.first_fold) for name in table["id"]]
    sizes = [(int(h), int(w)) for h, w in zip(table["height"], table["width"], strict=True)]
    pipeline = segmenter.member.pipeline
    cache = build_cache(workspace.cache, prepared.root, list(table["path"]), pipeline, reporter)
    with reporter.bar("Segmenting", len(table)) as bar:
        yield from segmenter.segment(cache.images, sizes, folds, bar.advance)


def _held_out(run: Path, workspace: Workspace) -> dict[str, int]:
    """The fold that held out each image that a run learned from; none of another competition's."""
    return held_out_folds(run) if run.resolve().parent == workspace.runs.resolve() else {}
