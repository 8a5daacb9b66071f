"""Figures of a run: learning curves, confusion matrix, error by class; and PNG files."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import average_precision_score

from kagglecxr.core.files import atomic_write
from kagglecxr.core.metrics import (
    Labels,
    Probabilities,
    area_under_curve,
    f1_of_targets,
    precision_of_targets,
    recall_of_targets,
)

TRAIN, VALIDATION = "#1f6f8b", "#d1495b"
LONGEST = 26
"""The longest name beside an axis, in characters."""
BESIDE = 6
"""The most classes of two figures side by side."""


def learning_curves(histories: Sequence[pd.DataFrame]) -> Figure:
    """Plots loss and accuracy by epoch, a thin line per fold and a thick one for their mean.

    Of findings there is no accuracy.
    """
    measured = [what for what in ("loss", "accuracy") if what in histories[0]]
    figure = Figure(figsize=(10, 4), layout="constrained")
    every = figure.subplots(1, len(measured), squeeze=False)[0]
    for axes, what in zip(every, measured, strict=True):
        for column, colour, name in (
            (what, TRAIN, "training (sampled, augmented)"),
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
    side = 2.8 + 0.9 * len(targets)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    drawn = _draw_confusion(axes, confusion, targets)
    figure.colorbar(drawn, ax=axes, label="share of the true class", shrink=0.8)
    axes.set(title=title, aspect="equal")
    return figure


def error_by_class(table: pd.DataFrame, title: str) -> Figure:
    """Plots the error rate of each class; see `class_scores`."""
    figure = Figure(figsize=(6, 1.2 + 0.5 * len(table)), layout="constrained")
    axes = figure.subplots()
    _draw_errors(axes, table)
    axes.set_title(title)
    return figure


def class_errors(
    confusion: npt.NDArray[np.integer], targets: Sequence[str], table: pd.DataFrame
) -> Figure:
    """Plots `confusion_matrix` and `error_by_class` as wide as a page, side by side if few."""
    height = 0.6 * len(targets)
    if len(targets) <= BESIDE:
        figure = Figure(figsize=(10, 2.4 + height), layout="constrained")
        first, second = figure.subplots(1, 2)
    else:
        figure = Figure(figsize=(10, 4.0 + 1.5 * height), layout="constrained")
        first, second = figure.subplots(2, 1, height_ratios=(2, 1))
    _draw_confusion(first, confusion, targets)
    _draw_errors(second, table)
    first.set_title("Predicted and true classes")
    second.set_title("Error by class")
    return figure


def _draw_confusion(
    axes: Axes, confusion: npt.NDArray[np.integer], targets: Sequence[str]
) -> AxesImage:
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*confusion.shape):
        axes.text(
            column,
            row,
            f"{confusion[row, column]}\n{shares[row, column]:.0%}",
            ha="center",
            va="center",
            fontsize=10 if len(targets) <= 12 else 7,
            color="white" if shares[row, column] > 0.55 else "black",
        )
    ticks, names = range(len(targets)), [shorten_name(name) for name in targets]
    axes.set_xticks(ticks, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="true")
    return drawn


def _draw_errors(axes: Axes, table: pd.DataFrame) -> None:
    positions = range(len(table))
    bars = axes.barh(positions, table["error"], color=VALIDATION)
    labels = [f"{row.error:.1%} of {row.images}" for row in table.itertuples()]
    axes.bar_label(bars, labels, padding=4)
    axes.set_yticks(positions, [shorten_name(name) for name in table["class"]])
    axes.set_xlabel("share predicted wrongly")
    axes.set_xlim(0, max(0.05, float(table["error"].max()) * 1.6))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.invert_yaxis()


def shorten_name(name: str, longest: int = LONGEST) -> str:
    """Returns a name that fits beside an axis: the middle of a long one is left out.

    >>> shorten_name("bacterial pneumonia of the upper lobe", 20)
    'bacterial…upper lobe'
    """
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half].rstrip()}…{name[-half:]}"


def class_scores(confusion: npt.NDArray[np.integer], targets: Sequence[str]) -> pd.DataFrame:
    """Returns `class,images,wrong,error,precision,recall,f1` per class; 0 if undefined."""
    counts = confusion.astype(np.float64)
    images, wrong = confusion.sum(axis=1), confusion.sum(axis=1) - np.diag(confusion)
    return pd.DataFrame(
        {
            "class": list(targets),
            "images": images,
            "wrong": wrong,
            "error": wrong / np.maximum(images, 1),
            "precision": precision_of_targets(counts),
            "recall": recall_of_targets(counts),
            "f1": f1_of_targets(counts),
        }
    )


def class_areas(truth: Labels, probabilities: Probabilities) -> pd.DataFrame:
    """Returns `auc,average_precision` per target against the rest; NaN if undefined.

    `truth`, target ids, is (N,), `probabilities` (N, targets).
    """
    lines = []
    for target, scored in enumerate(probabilities.T):
        is_target = truth == target
        area = area_under_curve(is_target, scored)
        precision = float(average_precision_score(is_target, scored)) if is_target.any() else np.nan
        lines.append((area, precision))
    return pd.DataFrame(lines, columns=["auc", "average_precision"])


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(png_of(figure))


def png_of(figure: Figure, dpi: int = 120) -> bytes:
    """Returns a figure as PNG data, with so many pixels an inch."""
    stream = BytesIO()
    with warnings.catch_warnings():
        # Names in a script that no font here has are drawn as boxes; pages have them as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Without the library's version in it, the same data give the same file.
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()
