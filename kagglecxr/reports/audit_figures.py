"""Figures of an audit: what is told by parts of the image, and what swapped backgrounds change."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kagglecxr.reports.run_figures import shorten_name
from kagglecxr.saliency.methods import METHODS
from kagglecxr.saliency.overlays import outline, overlay
from kagglecxr.shortcuts.background_gap import BackgroundGap
from kagglecxr.shortcuts.background_swap import swap_background
from kagglecxr.shortcuts.held_out import AuditedImages
from kagglecxr.shortcuts.problems import are_findings, target_table
from kagglecxr.shortcuts.region_matrix import AS_TRAINED, RegionMatrix
from kagglecxr.shortcuts.regions import VARIANTS, Pixels, with_margin
from kagglecxr.shortcuts.relevance import RelevanceShares

LONGEST = 18
EXAMPLES = 4
"""Images of a row of examples, at most."""
MOST = 8
"""Classes or findings of which an example is shown, at most."""


def region_heatmap(regions: RegionMatrix, chance: float) -> Figure:
    """Plots the mean score by what a head was trained on and what it was shown."""
    names = list(VARIANTS)
    scores = np.array(
        [[float(np.nanmean(regions.recalls(one, other))) for other in names]
         for one in (AS_TRAINED, *names)]
    )  # fmt: skip
    figure = Figure(figsize=(8.5, 5), layout="constrained")
    axes = figure.subplots()
    _draw_shares(axes, scores, (AS_TRAINED, *names), names, chance)
    axes.set(xlabel="shown", ylabel="trained on (a head on the run's features)")
    axes.axhline(0.5, color="black", lw=1.5)
    return figure


def gap_heatmap(gap: BackgroundGap, targets: Sequence[str]) -> Figure:
    """Plots the share of right answers by the class of the lungs and of the background."""
    side = 3.5 + 0.9 * len(targets)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    short = [shorten_name(name, LONGEST) for name in targets]
    _draw_shares(axes, gap.right, short, short, 0.0)
    axes.set(xlabel="class of the background", ylabel="class of the lungs")
    return figure


def part_examples(audited: AuditedImages, targets: Sequence[str]) -> Figure:
    """Plots one image of each class, or with each finding, and its parts."""
    rows = _examples(audited, 0)
    figure = Figure(figsize=(1.9 * len(VARIANTS), 2 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), len(VARIANTS), squeeze=False)
    for number, (line, (target, row)) in enumerate(zip(grid, rows.items(), strict=True)):
        for axes, (name, part) in zip(line, VARIANTS.items(), strict=True):
            shown = part(audited.images[row][None], audited.lungs[row][None])[0]
            _show(axes, shown, "" if number else name)
        _name_row(line[0], targets[target])
    return figure


def swap_examples(audited: AuditedImages, targets: Sequence[str]) -> Figure:
    """Plots the lungs of one image of each class in one background of each class.

    Of findings, an image with each, and its lungs in a background with it and in one without.
    """
    short = [shorten_name(name, LONGEST) for name in targets]
    rows, others = _examples(audited, 0), _examples(audited, 1)
    if are_findings(audited.classes):
        backgrounds = {
            one: {
                "as it is": rows[one],
                "background: with it": other,
                "background: without it": int(np.flatnonzero(audited.classes[:, one] == 0)[0]),
            }
            for one, other in list(others.items())[:EXAMPLES]
        }
    else:
        every = {f"background: {short[one]}": other for one, other in others.items()}
        backgrounds = dict.fromkeys(rows, every)
    columns = len(next(iter(backgrounds.values())))
    figure = Figure(figsize=(2 * columns + 0.6, 2 * len(backgrounds) + 0.6), layout="constrained")
    grid = figure.subplots(len(backgrounds), columns, squeeze=False)
    for number, (line, (target, named)) in enumerate(zip(grid, backgrounds.items(), strict=True)):
        row = rows[target]
        for axes, (name, other) in zip(line, named.items(), strict=True):
            shown = swap_background(
                audited.images[row], audited.lungs[row], audited.images[other], audited.lungs[other]
            )
            _show(axes, audited.images[row] if other == row else shown, "" if number else name)
        _name_row(line[0], f"lungs: {short[target]}")
    return figure


def relevance_examples(
    audited: AuditedImages, relevance: RelevanceShares, targets: Sequence[str]
) -> Figure:
    """Plots some images with their maps, and the lungs' contour on all of them."""
    is_there = target_table(audited.classes)[relevance.rows] == 1
    rows = _some(relevance.targets if are_findings(audited.classes) else is_there.argmax(axis=1))
    names = list(relevance.maps)
    figure = Figure(figsize=(2 * len(names) + 2, 2.1 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), len(names) + 1, squeeze=False)
    for place, (line, number) in enumerate(zip(grid, rows, strict=True)):
        row, target = relevance.rows[number], targets[relevance.targets[number]]
        image = audited.images[row]
        lungs = with_margin(audited.lungs[row][None])[0].astype(np.uint8)
        flat = image[..., 0] if image.shape[-1] == 1 else image
        plain = np.repeat(flat[..., None], 3, axis=-1) if flat.ndim == 2 else flat
        _show(line[0], outline(plain, lungs), "" if place else "image")
        for axes, name in zip(line[1:], names, strict=True):
            drawn = overlay(flat, relevance.maps[name][number], signed=METHODS[name].signed)
            _show(axes, outline(drawn, lungs), "" if place else name)
        if are_findings(audited.classes):
            _name_row(line[0], shorten_name(target, LONGEST))
        else:
            true = shorten_name(targets[is_there[number].argmax()], LONGEST)
            _name_row(line[0], f"{true},\ntold {shorten_name(target, LONGEST)}")
    return figure


def _examples(audited: AuditedImages, number: int) -> dict[int, int]:
    """An image of each class, or another; each has several, of several patients.

    Of findings those come first that have fewer others.
    """
    is_there = target_table(audited.classes) == 1
    order = np.argsort(is_there.sum(axis=1), kind="stable")
    present = np.flatnonzero(is_there.any(axis=0))[:MOST]
    return {int(one): int(order[is_there[order, one]][number]) for one in present}


def _some(targets: npt.NDArray[np.intp]) -> list[int]:
    """The numbers of a few images, each of another class where there are as many."""
    _, first = np.unique(targets, return_index=True)
    others = [number for number in range(len(targets)) if number not in first]
    return sorted([*first.tolist(), *others][:EXAMPLES])


def _show(axes: Axes, image: Pixels, title: str) -> None:
    grey = image.ndim == 3 and image.shape[-1] == 1
    axes.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    if title:
        axes.set_title(title, fontsize=8)


def _name_row(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, fontsize=8)


def _draw_shares(
    axes: Axes,
    shares: npt.NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    low: float,
) -> None:
    axes.imshow(shares, cmap="Blues", vmin=low, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        dark = share > (1 + low) / 2
        axes.text(
            column, row, "" if np.isnan(share) else f"{share:.2f}", ha="center", va="center",
            color="white" if dark else "black",
        )  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, rotation=20, ha="right")
    axes.set_yticks(range(len(rows)), rows)
