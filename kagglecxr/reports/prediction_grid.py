"""Draws predicted images with their probabilities as bars."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image import Image
from kagglecxr.inference.predict_files import FilePredictions
from kagglecxr.reports.eda.charts import OTHERS
from kagglecxr.reports.run_figures import TRAIN, save_figure

MAX_IMAGES, MAX_BARS = 24, 8
"""Images of a picture, and classes below one of them."""
COLUMNS = 4
"""Images in a row."""
SIDE = 320
"""The longer side of a drawn image in pixels."""
LONGEST = 26
"""The longest name that fits an image, in characters."""


def draw_predictions(predictions: FilePredictions, path: Path) -> str:
    """Draws the first images into a PNG and returns a sentence on it."""
    images = [_shrink(read_image(Path(name))) for name in predictions.paths[:MAX_IMAGES]]
    save_figure(prediction_grid(images, predictions), path)
    files = len(predictions.paths)
    of = "" if len(images) == files else f" the first {len(images)} of {files:,} images"
    return f"Drew{of}: {path}."


def prediction_grid(images: Sequence[Image], predictions: FilePredictions) -> Figure:
    """Plots the first images of some predictions, the most probable classes as bars below each."""
    rows, columns = -(-len(images) // COLUMNS), min(len(images), COLUMNS)
    heights = (2.4, 0.3 + 0.17 * min(len(predictions.classes), MAX_BARS))
    figure = Figure(figsize=(2.6 * columns, rows * (sum(heights) + 0.3)), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=heights * rows)
    for axes in grid.ravel():
        axes.set_axis_off()
    for number, image in enumerate(images):
        row, column = divmod(number, COLUMNS)
        _show(grid[2 * row, column], image, predictions, number)
        _plot_bars(grid[2 * row + 1, column], predictions, number)
    return figure


def _show(axes: Axes, image: Image, predictions: FilePredictions, number: int) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    # Names may have dollar signs, which are no formulas.
    axes.set_title(_shorten(predictions.labels[number]), fontsize=10, parse_math=False)
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.set_frame_on(False)
    axes.set_xlabel(_shorten(predictions.paths[number]), fontsize=7, parse_math=False)


def _plot_bars(axes: Axes, predictions: FilePredictions, number: int) -> None:
    probabilities = predictions.probabilities[number]
    # The most probable ones, in the order of the classes.
    shown = np.sort(np.argsort(-probabilities, kind="stable")[:MAX_BARS])
    names = [predictions.classes[k] for k in shown]
    colours = [TRAIN if name == predictions.labels[number] else OTHERS for name in names]
    bars = axes.barh(range(len(shown)), probabilities[shown], color=colours)
    axes.bar_label(bars, [f"{value:.3f}" for value in probabilities[shown]], padding=2, fontsize=7)
    axes.set_axis_on()
    axes.set_frame_on(False)
    axes.set(xlim=(0, 1.2), xticks=[])
    axes.set_yticks(range(len(shown)), map(_shorten, names), fontsize=7, parse_math=False)
    axes.tick_params(length=0)
    axes.invert_yaxis()


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"


def _shrink(image: Image) -> Image:
    scale = SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    smaller = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)
