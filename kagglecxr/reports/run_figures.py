"""Figures of a run: learning curves, confusion matrix, error by class; and PNG files."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.core.files import atomic_write

TRAIN, VALIDATION = "#1f6f8b", "#d1495b"


def learning_curves(histories: Sequence[pd.DataFrame]) -> Figure:
    """Plots loss and accuracy by epoch, a thin line per fold and a thick one for their mean."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column, colour, name in (
            (what, TRAIN, "training (balanced, augmented)"),
            (f"val_{what}", VALIDATION, "validation (as it is)"),
        ):
            for history in histories:
                axes.plot(history["epoch"], history[column], color=colour, alpha=0.25, lw=1)
            mean = pd.concat(list(histories)).groupby("epoch")[column].mean()
            axes.plot(mean.index, mean, color=colour, lw=2.5, marker="o", ms=4, label=name)
        axes.set(title=what.capitalize(), xlabel="epoch", ylabel=what)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    return figure


def confusion_matrix(
    confusion: npt.NDArray[np.integer], targets: Sequence[str], title: str
) -> Figure:
    """Plots counts, colored by their share of the true class."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = 2.8 + 0.9 * len(targets)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(drawn, ax=axes, label="share of the true class", shrink=0.8)
    for row, column in np.ndindex(*confusion.shape):
        axes.text(
            column,
            row,
            f"{confusion[row, column]}\n{shares[row, column]:.0%}",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.55 else "black",
        )
    ticks = range(len(targets))
    axes.set_xticks(ticks, targets, rotation=30, ha="right")
    axes.set_yticks(ticks, targets)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    return figure


def error_by_class(table: pd.DataFrame, title: str) -> Figure:
    """Plots the error rate of each class; see `class_scores`."""
    figure = Figure(figsize=(6, 1.2 + 0.5 * len(table)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(table["class"], table["error"], color=VALIDATION)
    labels = [f"{row.error:.1%} of {row.images}" for row in table.itertuples()]
    axes.bar_label(bars, labels, padding=4)
    axes.set(xlabel="share predicted wrongly", title=title)
    axes.set_xlim(0, max(0.05, float(table["error"].max()) * 1.35))
    axes.invert_yaxis()
    return figure


def class_scores(confusion: npt.NDArray[np.integer], targets: Sequence[str]) -> pd.DataFrame:
    """Returns `class,images,wrong,error,precision,recall,f1` per class; 0 if undefined."""
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return pd.DataFrame(
        {
            "class": list(targets),
            "images": true,
            "wrong": true - right,
            "error": (true - right) / np.maximum(true, 1),
            "precision": right / np.maximum(predicted, 1),
            "recall": right / np.maximum(true, 1),
            "f1": 2 * right / np.maximum(true + predicted, 1),
        }
    )


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG atomically."""
    with atomic_write(path) as temporary, warnings.catch_warnings():
        # Names in a script that no font here has are drawn as boxes; pages have them as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Without the library's version in it, the same data give the same file.
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
