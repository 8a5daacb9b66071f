"""Reads the images of an exploration and plots them in grids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kagglecxr.core.errors import MissingError
from kagglecxr.core.findings import SEPARATOR
from kagglecxr.core.seeding import generator
from kagglecxr.data.images.decode import read_image, read_mask
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.reports.eda.charts import SHADES, WIDTH
from kagglecxr.reports.eda.pixel_statistics import (
    GREYS,
    Values,
    equalised,
    gray_histogram,
    masked,
    outlined,
)
from kagglecxr.reports.eda.tables import sample_rows
from kagglecxr.reports.run_figures import shorten_name

BARS = 1.3
"""Width of a histogram, in widths of its image."""


@dataclass(frozen=True)
class CaptionedImage:
    """An image with its caption and mask, (H, W) each; None if it has no mask."""

    title: str
    image: Image
    mask: Image | None


def extremes_grid(images: Sequence[CaptionedImage], *, with_masks: bool) -> Figure:
    """Plots images of one class, each in a row with mask, contour and lungs, or all in one row.

    With masks, images that have none are marked.
    """
    if not with_masks:
        figure, grid = _grid([2.6 * max(map(_aspect, images)) + 0.4], 3)
        for axes, shown in zip(grid[0], images, strict=False):
            _show(axes, shown.image, shown.title)
        return figure
    figure, grid = _grid([1.9 * _aspect(shown) for shown in images], 4)
    for row, shown in zip(grid, images, strict=True):
        _show(row[0], shown.image)
        row[0].set_ylabel(shown.title, fontsize=8)
        if shown.mask is None:
            for axes in row[1:]:
                axes.set_box_aspect(shown.image.shape[0] / shown.image.shape[1])
            row[2].text(0.5, 0.5, "this image has no mask", ha="center", va="center", fontsize=9)
        else:
            _show(row[1], (shown.mask > 0) * np.uint8(GREYS - 1))
            _show(row[2], outlined(shown.image, shown.mask))
            _show(row[3], masked(shown.image, shown.mask))
    for axes, title in zip(grid[0], ("image", "mask", "contour", "masked"), strict=True):
        axes.set_title(title, fontsize=10)
    return figure


def distribution_rows(images: Sequence[CaptionedImage], *, within_masks: bool) -> Figure:
    """Plots images and their histograms, before and after equalisation, one per row.

    `within_masks` shows masked images and counts only pixels inside their masks.
    """
    figure, grid = _grid(
        [1.65 * _aspect(shown) + 0.2 for shown in images], 4, width_ratios=[1, BARS, 1, BARS]
    )
    for row, shown in zip(grid, images, strict=True):
        mask = shown.mask if within_masks else None
        before = shown.image if mask is None else masked(shown.image, mask)
        after = equalised(shown.image, mask)
        row[0].set_ylabel(shown.title, fontsize=8)
        for picture, bars, image, colour in (
            (row[0], row[1], before, SHADES[0]),
            (row[2], row[3], after, SHADES[3]),
        ):
            _show(picture, image)
            shares = gray_histogram(image, mask)
            bars.stairs(shares, np.arange(GREYS + 1) - 0.5, fill=True, color=colour)
            bars.set(xlim=(0, GREYS - 1), ylim=(0, _histogram_limit(shares)), yticks=[])
            bars.set_box_aspect(image.shape[0] / image.shape[1] / BARS)
            bars.set_xticks([0, 64, 128, 192, 255])
            bars.tick_params(labelsize=7)
    for axes in grid[-1][1::2]:
        axes.set_xlabel("grey value", fontsize=8)
    titles = ("before", "its pixels", "equalised", "its pixels")
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    return figure


def mean_images_row(means: Mapping[str, tuple[Values, int]]) -> Figure:
    """Plots mean images, four per row, each with its name and number of images."""
    figure, grid = _grid([2.2] * -(-len(means) // 4), 4)
    for axes, (name, (mean, images)) in zip(grid.ravel(), means.items(), strict=False):
        _show(axes, np.rint(mean).astype(np.uint8), f"{name}\n{images:,} images")
    return figure


def pairs_grid(pairs: Sequence[tuple[CaptionedImage, CaptionedImage]]) -> Figure:
    """Plots pairs of images, two pairs per row."""
    figure, grid = _grid([2.3] * -(-len(pairs) // 2), 4)
    for axes, shown in zip(grid.ravel(), [one for pair in pairs for one in pair], strict=False):
        _show(axes, shown.image, shown.title)
    return figure


def examples_grid(images: Sequence[CaptionedImage]) -> Figure:
    """Plots images with their captions, four per row."""
    figure, grid = _grid([2.5] * -(-len(images) // 4), 4)
    for axes, shown in zip(grid.ravel(), images, strict=False):
        _show(axes, shown.image, shown.title)
    return figure


def _grid(
    heights: Sequence[float], columns: int, *, width_ratios: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray[tuple[int, int], np.dtype[np.object_]]]:
    """Returns a figure of empty panels without axes, a row for each of `heights` in inches."""
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.3), layout="constrained")
    grid = figure.subplots(
        len(heights),
        columns,
        squeeze=False,
        width_ratios=width_ratios,
        height_ratios=heights,
    )
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        axes.set_frame_on(False)
    return figure, grid


def _aspect(shown: CaptionedImage) -> float:
    """Returns height / width of an image, clipped to what fits on a page."""
    return float(np.clip(shown.image.shape[0] / shown.image.shape[1], 0.5, 1.6))


def _histogram_limit(shares: Values) -> float:
    """Returns an axis limit that ignores the one high bar of a black border."""
    present = shares[shares > 0]
    return float(np.quantile(present, 0.98)) * 1.4 if len(present) else 1.0


def _show(axes: Axes, image: Image, title: str = "") -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=GREYS - 1, interpolation="antialiased")
    if title:
        axes.set_title(title, fontsize=9)


DRAWN, PAIRS = 4, 6
"""Numbers of random images and of duplicate pairs that are shown."""
LONGEST = 24
"""Longest id that fits a panel, in characters."""


def read_extremes(prepared: PreparedData, chosen: pd.DataFrame) -> dict[str, list[CaptionedImage]]:
    """Reads the darkest, median and brightest image of each class; see `extreme_images`."""
    return {
        str(name): [
            _read(prepared.root, line, f"{line['which']}\n", f"\nmean {line['mean_grey']:.0f}")
            for line in part.to_dict("records")
        ]
        for name, part in chosen.groupby("class", sort=False)
    }


def read_sample(
    prepared: PreparedData, rows: npt.NDArray[np.intp], seed: int
) -> list[CaptionedImage]:
    """Reads a sample of these rows from as many classes as possible."""
    chosen = sample_rows(prepared.index, rows, DRAWN, generator(seed, "explore"))
    lines = prepared.index.table.iloc[chosen].to_dict("records")
    return [_read(prepared.root, line, f"{line['label']}\n") for line in lines]


def read_examples(prepared: PreparedData, rows: Mapping[str, int]) -> list[CaptionedImage]:
    """Reads a training image of each finding, by name; the caption has what the image has besides.

    `rows` are of the training images, -1 for a finding that has none.
    """
    table = prepared.index.table.iloc[prepared.index.rows("train")]
    shown = []
    for name, row in rows.items():
        if row >= 0:
            line = table.iloc[row].to_dict()
            others = [part for part in line["label"].split(SEPARATOR) if part != name]
            besides = f"\n+ {shorten_name(', '.join(others), LONGEST)}" if others else ""
            shown.append(_read(prepared.root, line, f"{shorten_name(name)}\n", besides))
    return shown


def read_pairs(
    prepared: PreparedData, duplicates: pd.DataFrame
) -> list[tuple[CaptionedImage, CaptionedImage]]:
    """Reads the first pairs of `labelled_duplicates` with two labels, so no test image."""
    are_train = (duplicates["first_label"] != "") & (duplicates["second_label"] != "")
    by_id = prepared.index.table.set_index("id", drop=False)

    def of(name: str) -> CaptionedImage:
        line = by_id.loc[name].to_dict()
        return _read(prepared.root, line, f"{line['label']}\n")

    shown = duplicates[are_train].head(PAIRS)
    return [(of(a), of(b)) for a, b in zip(shown["first"], shown["second"], strict=True)]


def _read(root: Path, line: Mapping[Any, Any], before: str, after: str = "") -> CaptionedImage:
    """Reads an image of the index in gray and its mask, with its id in the caption."""
    name = str(line["id"])
    shortened = name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
    try:
        image = Pipeline.parse("gray", 1)(read_image(root / line["path"]))
        mask = read_mask(root / line["mask"], image.shape) if line["mask"] else None
    except FileNotFoundError as error:
        raise MissingError(
            f"An image or mask is no longer where prepare found it. Looked for: {error.filename}. "
            "Restore the data folder, or run prepare again."
        ) from error
    return CaptionedImage(f"{before}{shortened}{after}", image, mask)
