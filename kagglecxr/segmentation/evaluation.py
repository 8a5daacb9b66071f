"""How good out-of-fold masks are: each image's scores, and their means by source and class."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.files import write_table
from kagglecxr.core.mask_metrics import MASK_METRICS
from kagglecxr.data.masked import MaskedData
from kagglecxr.segmentation.surface_distance import surface_distance
from kagglecxr.training.held_out_masks import INSIDE, HeldOutMasks

HAUSDORFF, SURFACE = "hausdorff95", "surface"
LEFT_OUT = "left_out_sources.csv"


@dataclass(frozen=True)
class MaskEvaluation:
    """Scores of out-of-fold masks.

    Attributes:
        images: one line an image: id, label, source, fold, the metrics, `hausdorff95` and
            `surface` in pixels; sorted by IoU, the worst first.
    """

    images: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Returns the means of all images, of each source and of each class, with their spread."""
        parts = [("all", "", self.images)]
        for column in ("source", "label"):
            parts += [(column, str(name), images) for name, images in self.images.groupby(column)]
        metrics = [*MASK_METRICS.names(), HAUSDORFF, SURFACE]
        rows = [
            {
                "of": of,
                "name": name,
                "images": len(images),
                **images[metrics].mean().to_dict(),
                "iou_deviation": images["iou"].std(ddof=0),
                "iou_worst_20th": images["iou"].quantile(0.05),
            }
            for of, name, images in parts
        ]
        return pd.DataFrame(rows)

    def by_source(self) -> pd.DataFrame:
        """Returns images, IoU, Dice and Hausdorff distance of each source."""
        table = self.summary()
        return table.loc[table["of"] == "source", ["name", "images", "iou", "dice", HAUSDORFF]]

    def describe(self) -> str:
        """Returns a sentence on all images."""
        every = self.summary().iloc[0]
        return (
            f"Out of fold, {every['images']} images: IoU {every['iou']:.4f}, Dice "
            f"{every['dice']:.4f}, 95 % Hausdorff distance {every[HAUSDORFF]:.1f} pixels."
        )


def evaluate_masks(held_out: HeldOutMasks, data: MaskedData) -> MaskEvaluation:
    """Scores the out-of-fold masks of a run on the data that it was trained on."""
    train = data.index.rows("train")
    facts = {name: data.index.column(name, train) for name in ("id", "label", "source")} | {
        "fold": data.fold
    }
    known = pd.DataFrame(facts).set_index("id").loc[held_out.ids.tolist()].reset_index()
    scores = held_out.image_scores()

    def distances(row: int) -> tuple[float, float]:
        masks = (held_out.probabilities[row] >= INSIDE, held_out.truth[row] >= INSIDE)
        found = surface_distance(*masks)
        return found.hausdorff95, found.mean

    with ThreadPoolExecutor() as pool:
        measured = np.array(list(pool.map(distances, range(len(held_out.ids)))))
    table = known.assign(**scores, **{HAUSDORFF: measured[:, 0], SURFACE: measured[:, 1]})
    return MaskEvaluation(table.sort_values("iou", kind="stable").reset_index(drop=True))


def write_left_out_sources(run: Path, evaluation: MaskEvaluation) -> pd.DataFrame:
    """Writes and returns how good masks of each source are, by a net that has not learned from it.

    The file also tells that the run is no good for other images: each of its folds lacks a source.
    """
    table = evaluation.by_source().round(4)
    write_table(run / LEFT_OUT, table)
    return table


def holds_sources_out(run: Path) -> bool:
    """Whether each fold of a run held a source out, see `write_left_out_sources`."""
    return (run / LEFT_OUT).is_file()
