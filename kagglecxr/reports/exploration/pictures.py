"""Draws the images of an exploration; every function returns a figure and touches no file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kagglecxr.data.pixels.images import Image
from kagglecxr.reports.exploration.figures import SHADES, WIDTH
from kagglecxr.reports.exploration.pixels import (
    GREYS,
    Values,
    equalised,
    masked,
    outlined,
    pixel_shares,
)

BARS = 1.3
"""The width of a distribution, in widths of its image."""


@dataclass(frozen=True)
class Shown:
    """An image to be shown.

    Attributes:
        title: what is written beside it.
        image: (H, W) grey.
        mask: (H, W), above 0 in the lungs; None where the image has none.
    """

    title: str
    image: Image
    mask: Image | None


def extremes_grid(images: Sequence[Shown], *, with_masks: bool) -> Figure:
    """The images of one class: each a row with its mask, contour and lungs, or all in one row.

    Args:
        images: the darkest, median and brightest, fewer in a tiny class.
        with_masks: whether any of them has a mask; an image without one is then noted.
    """
    if not with_masks:
        figure, grid = _grid([2.6 * max(map(_tallness, images)) + 0.4], 3)
        for axes, shown in zip(grid[0], images, strict=False):
            _show(axes, shown.image, shown.title)
        return figure
    figure, grid = _grid([1.9 * _tallness(shown) for shown in images], 4)
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


def distribution_rows(images: Sequence[Shown], *, within_masks: bool) -> Figure:
    """Some images and the distribution of their pixels, before and after equalisation.

    Args:
        images: one a row.
        within_masks: show the masked images, and count the pixels inside their masks only.
    """
    figure, grid = _grid(
        [1.65 * _tallness(shown) + 0.2 for shown in images], 4, width_ratios=[1, BARS, 1, BARS]
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
            shares = pixel_shares(image, mask)
            bars.stairs(shares, np.arange(GREYS + 1) - 0.5, fill=True, color=colour)
            bars.set(xlim=(0, GREYS - 1), ylim=(0, _frame(shares)), yticks=[])
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
    """Mean images side by side, four a row, each with its name and number of images."""
    figure, grid = _grid([2.2] * -(-len(means) // 4), 4)
    for axes, (name, (mean, images)) in zip(grid.ravel(), means.items(), strict=False):
        _show(axes, np.rint(mean).astype(np.uint8), f"{name}\n{images:,} images")
    return figure


def pairs_grid(pairs: Sequence[tuple[Shown, Shown]]) -> Figure:
    """Pairs of images side by side, two pairs a row."""
    figure, grid = _grid([2.3] * -(-len(pairs) // 2), 4)
    for axes, shown in zip(grid.ravel(), [one for pair in pairs for one in pair], strict=False):
        _show(axes, shown.image, shown.title)
    return figure


def _grid(
    heights: Sequence[float], columns: int, *, width_ratios: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray[tuple[int, int], np.dtype[np.object_]]]:
    """A figure of empty panels without axes, a row for each of `heights` in inches."""
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


def _tallness(shown: Shown) -> float:
    """The height of an image in its widths, within what a page can hold."""
    return float(np.clip(shown.image.shape[0] / shown.image.shape[1], 0.5, 1.6))


def _frame(shares: Values) -> float:
    """The height of a frame that a black border's one high bar does not press flat."""
    there = shares[shares > 0]
    return float(np.quantile(there, 0.98)) * 1.4 if len(there) else 1.0


def _show(axes: Axes, image: Image, title: str = "") -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=GREYS - 1, interpolation="antialiased")
    if title:
        axes.set_title(title, fontsize=9)
