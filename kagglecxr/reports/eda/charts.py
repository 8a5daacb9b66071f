"""Charts of the exploration's tables; every function returns a figure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from kagglecxr.reports.eda.pixel_statistics import GREYS, Values
from kagglecxr.reports.run_figures import TRAIN, VALIDATION

WIDTH = 8.0
"""Width of every figure in inches, as wide as the page's column."""
SHADES = (
    TRAIN, "#edae49", "#66a182", "#8d6a9f", "#00798c", "#b08968", "#2e4057", "#c77dff", "#a3b18a",
)  # fmt: skip
"""Colors of classes and sources, without the test set's color."""
TEST, OTHERS = VALIDATION, "#b8b8b8"
OTHER = "others"


def largest(images: "pd.Series[int]", most: int = len(SHADES)) -> list[str]:
    """Returns the names with the most images, most first, limited to the number of colors."""
    ordered = sorted(images.items(), key=lambda item: (-item[1], str(item[0])))
    return [str(name) for name, _ in ordered[:most]]


def class_counts_bars(table: pd.DataFrame, what: str = "class") -> Figure:
    """Plots the images of each class and of the test set as bars; see `class_counts`.

    `what` each of them is called; shares are of the images of which it is known.
    """
    figure = Figure(figsize=(WIDTH, 1.1 + 0.45 * len(table)), layout="constrained")
    axes = figure.subplots()
    is_train = table["split"] == "train"
    names = table["class"].where(is_train, "test set,\nlabels not shown")
    bars = axes.barh(names, table["images"], color=np.where(is_train, TRAIN, TEST).tolist())
    labels = [
        f"{row.images:,} ({row.share:.0%})" if row.split == "train" else f"{row.images:,}"
        for row in table.itertuples()
    ]
    axes.bar_label(bars, labels, padding=4)
    axes.set(xlabel="images (share of the training set)", title=f"Images of each {what}")
    axes.set_xlim(0, float(table["images"].max()) * 1.2)
    axes.invert_yaxis()
    return figure


def class_by_source_bars(table: pd.DataFrame) -> Figure:
    """Plots a bar per class, divided by the shares of its sources; see `class_by_source`."""
    shares = table.pivot_table("share", "class", "source", sort=False, fill_value=0.0)
    shown = largest(table.groupby("source")["images"].sum())
    parts = shares[shown].copy()
    if len(shown) < shares.shape[1]:
        parts[OTHER] = 1.0 - parts.sum(axis=1)
    figure = Figure(figsize=(WIDTH, 1.6 + 0.5 * len(shares)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(parts))
    for source, colour in zip(parts.columns, [*SHADES[: len(shown)], OTHERS], strict=False):
        share = parts[source].to_numpy()
        bars = axes.barh(parts.index, share, left=left, color=colour, label=source)
        labels = [f"{value:.0%}" if value >= 0.06 else "" for value in share]
        ink = "white" if _is_dark(colour) else "black"
        axes.bar_label(bars, labels, label_type="center", color=ink, fontweight="bold")
        left += share
    axes.set(xlim=(0, 1), xlabel="share of the class", title="Where each class comes from")
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=min(5, parts.shape[1]), frameon=False)
    return figure


def image_sizes_dots(table: pd.DataFrame) -> Figure:
    """Plots width and height of the image files, a panel per class and one for the test set."""
    panels = list(table.groupby(["split", "class"], sort=False))
    figure, all_axes = _panels(len(panels), 3, 2.7)
    limits = [_limits(table[side]) for side in ("width", "height")]
    for number, (axes, ((split, name), part)) in enumerate(zip(all_axes, panels, strict=True)):
        first = part.iloc[0]
        axes.scatter(
            part["width"],
            part["height"],
            s=12 + 110 * part["images"] / part["images"].sum(),
            color=TRAIN if split == "train" else TEST,
            alpha=0.45,
            linewidth=0,
        )
        heading = name if split == "train" else "test set"
        sizes = "one size," if len(part) == 1 else f"{len(part)} sizes, most often"
        axes.set_title(
            f"{heading}\n{sizes} {first['width']} × {first['height']} ({first['images']:,})",
            fontsize=9,
        )
        axes.set(xlim=limits[0], ylim=limits[1], xlabel="width, pixels")
        if number % 3 == 0:
            axes.set_ylabel("height, pixels")
        axes.grid(alpha=0.3)
    return figure


def shift_bars(table: pd.DataFrame) -> Figure:
    """Plots how well test images are told from training images, from chance on; see `shift_table`.

    Intervals are drawn where they are known.
    """
    figure = Figure(figsize=(WIDTH, 1.1 + 0.3 * len(table)), layout="constrained")
    axes = figure.subplots()
    names = [f"{row.told_by}  {row.auc:.2f}" for row in table.itertuples()]
    colours = np.where(table["low"].notna(), TEST, TRAIN).tolist()
    axes.barh(names, table["auc"] - 0.5, left=0.5, color=colours, height=0.6)
    axes.hlines(names, table["low"], table["high"], color="black")
    axes.axvline(0.5, color="black", linewidth=0.8)
    axes.set(xlim=(0.3, 1.0), xlabel="AUC", title="Are test images told from training images?")
    axes.invert_yaxis()
    return figure


def pixel_curves(shares: Mapping[str, Values], test: str) -> Figure:
    """Plots the distribution of gray values of each class and the test set, (256,) each."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    colours = iter(SHADES * (1 + len(shares) // len(SHADES)))
    for name, values in shares.items():
        is_test = name == test
        axes.plot(
            range(GREYS),
            values,
            color=TEST if is_test else next(colours),
            linestyle="--" if is_test else "-",
            label=name,
        )
    # Black borders are often a large share; the axis ignores them.
    inner = [values[3:-3].max() for values in shares.values()]
    axes.set_ylim(0, max(float(max(inner)) * 1.15, 1e-6))
    axes.set(xlim=(0, GREYS - 1), xlabel="grey value", ylabel="share of the pixels")
    axes.set_title("Grey values of all prepared images")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=min(5, len(shares)), frameon=False)
    return figure


def _is_dark(colour: str) -> bool:
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.5


def _panels(count: int, columns: int, height: float) -> tuple[Figure, Sequence[Axes]]:
    """Returns a figure with `count` panels in rows of `columns`, each `height` inches high."""
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_axis_off()
    return figure, list(grid[:count])


def _limits(values: "pd.Series[int]") -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = max(0.08 * (high - low), 0.1 * high)
    return max(0.0, low - margin), high + margin
