"""Figures and tables of masks: how good those out of fold are, and which are suspicious."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.core.files import write_table
from kagglecxr.core.run_record import OOF, read_run
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.masked import MaskedData
from kagglecxr.inference.predict_files import UNUSUAL
from kagglecxr.reports.run_figures import learning_curves, save_figure, shorten_name
from kagglecxr.reports.run_report import CURVES, read_histories
from kagglecxr.segmentation.evaluation import MaskEvaluation, evaluate_masks
from kagglecxr.segmentation.mask_files import SHEET, SUSPICIOUS, MaskFolder
from kagglecxr.training.held_out_masks import INSIDE, HeldOutMasks

IMAGES, SUMMARY, WORST = "mask_scores.csv", "mask_summary.csv", "worst_masks.png"
TRUE, PREDICTED = (209, 73, 91), (64, 224, 160)
"""RGB of the contours."""
WORST_SHOWN, SHEET_SHOWN, COLUMNS = 10, 24, 5
SIDE = 360
"""Height and width of a drawn image in pixels."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Outlined:
    """An image (H, W) or (H, W, 3), masks (H, W) to be outlined on it by colour, and a title."""

    image: Pixels
    masks: Sequence[tuple[Pixels, tuple[int, int, int]]]
    title: str


def report_masks(run: Path, data: MaskedData) -> MaskEvaluation:
    """Writes learning curves, tables of scores, and the worst masks of a finished run."""
    record = read_run(run)
    save_figure(learning_curves(read_histories(run, record)), run / CURVES)
    held_out = HeldOutMasks.load(run / OOF)
    evaluation = evaluate_masks(held_out, data)
    write_table(run / IMAGES, evaluation.images.round(4))
    write_table(run / SUMMARY, evaluation.summary().round(4))
    row_of = {name: row for row, name in enumerate(held_out.ids.tolist())}
    cached = {name: row for row, name in enumerate(data.index.ids)}
    outlined = []
    for line in evaluation.images.head(WORST_SHOWN).itertuples():
        row, name = row_of[str(line.id)], str(line.id)
        masks = (
            (held_out.truth[row], TRUE),
            ((held_out.probabilities[row] >= INSIDE).astype(np.uint8), PREDICTED),
        )
        image = np.asarray(data.cache.images[cached[name]])
        outlined.append(Outlined(image, masks, f"{shorten_name(name, 24)}\nIoU {line.iou:.3f}"))
    title = "The worst masks out of fold: red the true outline, green the predicted one"
    save_figure(mask_grid(outlined, title), run / WORST)
    return evaluation


def draw_suspicious(flags: pd.DataFrame, masks: MaskFolder, root: Path) -> Path | None:
    """Draws suspicious masks on their images into the folder of the masks.

    Images that may be no chest X-rays come first, then those of most reasons.

    Args:
        flags: the table of flags.csv.
        masks: the folder.
        root: where the images' paths begin.

    Returns:
        The picture; None where no mask is suspicious.
    """
    every = flags[flags[SUSPICIOUS] != ""]
    if every.empty:
        return None
    every = every.assign(reasons=every[SUSPICIOUS].str.count(",") + 1)
    order = [*([UNUSUAL] if UNUSUAL in every else []), "reasons"]
    suspicious = every.sort_values(order, ascending=False, kind="stable").head(SHEET_SHOWN)
    outlined = [
        Outlined(
            read_image(root / str(line.path)),
            [(read_image(masks.root / str(line.mask)), PREDICTED)],
            "\n".join(
                shorten_name(t, 28) for t in (Path(str(line.path)).name, str(line.suspicious))
            ),
        )
        for line in suspicious.itertuples()
    ]
    of = f"{len(suspicious)} of {len(every):,}" if len(every) > SHEET_SHOWN else f"{len(every):,}"
    title = f"{of} suspicious masks: green the predicted outline"
    save_figure(mask_grid(outlined, title), masks.root / SHEET)
    return masks.root / SHEET


def mask_grid(outlined: Sequence[Outlined], title: str) -> Figure:
    """Plots images with the outlines of their masks."""
    columns = min(COLUMNS, len(outlined))
    rows = -(-len(outlined) // columns)
    # As wide as the title at least.
    figure = Figure(figsize=(max(2.3 * columns, 6), 2.75 * rows + 0.4), layout="compressed")
    figure.suptitle(title, fontsize=9)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, one in zip(grid, outlined, strict=False):
        axes.imshow(_draw(one), interpolation="antialiased")
        axes.set_title(one.title, fontsize=8, parse_math=False)
    return figure


def _draw(one: Outlined) -> Pixels:
    image = cv2.resize(one.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    drawn = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    for mask, colour in one.masks:
        large = cv2.resize(
            (mask > 0).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR
        )
        contours, _ = cv2.findContours(
            (large >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(drawn, contours, -1, colour, 2)
    return np.asarray(drawn, np.uint8)
