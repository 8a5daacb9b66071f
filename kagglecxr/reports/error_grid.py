"""Draws the most confident errors of a model with their pictures."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kagglecxr.core.errors import CxrError
from kagglecxr.core.run_record import RunRecord
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import open_cache
from kagglecxr.data.images.image import Image
from kagglecxr.data.index import read_index
from kagglecxr.data.predicted_masks import index_digest
from kagglecxr.reports.run_figures import shorten_name

SHOWN, COLUMNS = 12, 4
LONGEST = 24
"""The longest name above a picture, in characters."""


def cached_images(record: RunRecord, workspace: Workspace, ids: list[str]) -> list[Image]:
    """Returns the images of these ids as a run was trained with; none where they are gone."""
    data = record.data
    # The cache has rows only: they are those of the index that the run was trained with.
    if not workspace.index.is_file() or index_digest(workspace) != data.get("index"):
        return []
    try:
        images = open_cache(workspace.cache / data["cache"]).images
    except CxrError:
        return []
    row = {name: number for number, name in enumerate(read_index(workspace.index).ids)}
    return [np.asarray(images[row[name]]) for name in ids]


def error_grid(images: list[Image], errors: pd.DataFrame) -> Figure:
    """Plots images with their classes, true and predicted; see `list_errors`."""
    rows = -(-len(images) // COLUMNS)
    figure = Figure(figsize=(10, 0.1 + 3.15 * rows), layout="compressed")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid[len(images) :]:
        axes.set_axis_off()
    for axes, image, line in zip(grid, images, errors.itertuples(), strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
        axes.set(xticks=[], yticks=[], frame_on=False)
        true, predicted = (shorten_name(str(name), LONGEST) for name in (line.true, line.predicted))
        axes.set_title(
            f"{shorten_name(str(line.id), LONGEST)}\n{predicted} {line.confidence:.0%}\n"
            f"true: {true} {line.true_probability:.0%}",
            fontsize=9,
        )
    return figure
