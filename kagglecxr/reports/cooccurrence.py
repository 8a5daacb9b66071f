"""Findings that stand together: of the images with one, the share that have another."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from kagglecxr.reports.run_figures import shorten_name

Shares = npt.NDArray[np.float64]
NARROWEST = 4.5
"""Inches a panel is wide at least: its title and names need them."""


def cooccurrence_counts(
    truth: npt.NDArray[np.number[Any]], others: npt.NDArray[np.number[Any]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Counts images with the finding of a row that also have that of a column.

    Args:
        truth: (N, K), 1 for a finding that is there, 0 else, NaN where not known.
        others: (N, K) likewise, in which the columns are looked up: the truth, or predictions.

    Returns:
        (K, K) counts of images with both, and of those with the row's finding of which that of the
        column is known in both tables.
    """
    there = (truth == 1).astype(np.int64)
    is_known = ~np.isnan(truth) & ~np.isnan(others)
    both: npt.NDArray[np.int64] = there.T @ ((others == 1) & is_known).astype(np.int64)
    known: npt.NDArray[np.int64] = there.T @ is_known.astype(np.int64)
    return both, known


def cooccurrence_shares(
    truth: npt.NDArray[np.number[Any]], others: npt.NDArray[np.number[Any]]
) -> Shares:
    """Returns (K, K) shares of `cooccurrence_counts`, NaN where nothing is known."""
    both, known = cooccurrence_counts(truth, others)
    return np.where(known > 0, both / np.maximum(known, 1), np.nan)


def share_heatmaps(
    panels: Mapping[str, Shares], rows: Sequence[str], columns: Sequence[str], unit: str
) -> Figure:
    """Plots tables of shares (rows, columns) side by side, each under its title.

    Cells without a share stay blank; `unit` says what the shares are of.
    """
    width = max(0.5 * len(columns), NARROWEST - 2.0)
    size = (2.0 + len(panels) * width + 1.0, 1.9 + 0.36 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, shares) in zip(every, panels.items(), strict=True):
        drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        names = [shorten_name(name) for name in columns]
        axes.set_xticks(range(len(columns)), names, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(rows)), [shorten_name(name) for name in rows], fontsize=8)
        axes.set_title(title, fontsize=10)
        for (row, column), share in np.ndenumerate(shares):
            if np.isnan(share):
                continue
            colour = "white" if share > 0.6 else "black"
            text = f"{share:.2f}".removeprefix("0")
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(drawn, ax=list(every), shrink=0.8, label=unit)
    return figure
