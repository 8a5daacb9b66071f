"""Contact sheets of saliency maps, and grids of filters and feature maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kagglecxr.data.images.decode import read_image, read_mask
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.reports.run_figures import save_figure, shorten_name
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.methods import METHODS
from kagglecxr.saliency.overlays import POSITIVE, SIGNED, outline, overlay

Pixels = npt.NDArray[np.uint8]

COLUMNS = 6
LONGEST = 20
"""The longest name above a picture, in characters."""
SHOWN = 64
"""Filters or feature maps of a grid."""


@dataclass(frozen=True)
class ExplainedImage:
    """An image (H, W) or (H, W, 3) as the model sees it, its lungs (H, W) if known, and words."""

    image: Pixels
    lungs: Pixels | None
    title: str


def explained_images(
    prepared: PreparedData, rows: npt.NDArray[np.intp], chosen: pd.DataFrame, targets: Sequence[str]
) -> list[ExplainedImage]:
    """Returns the chosen images with their masks, where the index names some.

    Args:
        prepared: the competition's data.
        rows: of the images in the index.
        chosen: a line an image, see `choose_images`.
        targets: names of the classes.
    """
    # Masks lie on the prepared images, which may be cropped.
    size = int(prepared.cache.images.shape[1])
    lungs = Pipeline.parse(f"{prepared.pipeline_text} | lungs", size)
    masks = prepared.index.column("mask", rows)
    paths = prepared.index.column("path", rows)
    found = []
    for row, line, mask, path in zip(rows, chosen.itertuples(), masks, paths, strict=True):
        words = [
            shorten_name(str(line.id), LONGEST),
            f"predicted {shorten_name(str(line.predicted), LONGEST)} {line.probability:.0%}",
            f"true {shorten_name(str(line.true), LONGEST)}" if line.true else "class unknown",
        ]
        target = targets[int(line.target)]  # type: ignore[arg-type]
        if target != line.predicted:
            words.append(f"map for {shorten_name(target, LONGEST)}")
        outlined = _lungs(prepared.root, path, mask, lungs) if mask else None
        image = np.asarray(prepared.cache.images[row])
        found.append(ExplainedImage(image, outlined, "\n".join(words)))
    return found


def draw_sheets(
    images: Sequence[ExplainedImage], maps: Mapping[str, Array], groups: Sequence[str], folder: Path
) -> list[Path]:
    """Draws a sheet for each method, and returns the pictures.

    Args:
        images: N of them.
        maps: (N, H, W) by the method's name.
        groups: (N,) what each was chosen for.
        folder: of the pictures.
    """
    pictures = []
    for name, found in maps.items():
        path = folder / f"{name}.png"
        save_figure(saliency_sheet(images, found, groups, name), path)
        pictures.append(path)
    return pictures


def saliency_sheet(
    images: Sequence[ExplainedImage], maps: Array, groups: Sequence[str], name: str
) -> Figure:
    """Plots images, and below each the same under its map; lungs are outlined on both."""
    method, columns = METHODS[name], min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.9 * columns + 0.9, 4.3 * rows + 0.6), layout="compressed")
    grid = figure.subplots(2 * rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for number, (one, group) in enumerate(zip(images, groups, strict=True)):
        row, column = divmod(number, columns)
        plain = one.image if one.image.ndim == 3 else np.repeat(one.image[..., None], 3, axis=-1)
        drawn = overlay(one.image, maps[number], signed=method.signed)
        for axes, picture in ((grid[2 * row, column], plain), (grid[2 * row + 1, column], drawn)):
            outlined = picture if one.lungs is None else outline(picture, one.lungs)
            axes.imshow(outlined, interpolation="antialiased")
        grid[2 * row, column].set_title(f"{group}\n{one.title}", fontsize=7.5, parse_math=False)
    low = -1 if method.signed else 0
    scale = ScalarMappable(Normalize(low, 1), mpl.colormaps[SIGNED if method.signed else POSITIVE])
    words = "against and for the class" if method.signed else "for the class"
    figure.colorbar(
        scale, ax=list(grid.ravel()), shrink=0.5, label=f"share of each image's largest, {words}"
    )
    kind = "" if method.is_evidence else ", a picture and no evidence"
    figure.suptitle(
        f"{name} ({method.source}{kind}): which pixels speak for the predicted "
        "class, if no other is named; green: the lungs' mask",
        fontsize=9,
    )
    return figure


def channel_grid(channels: Array, title: str, *, signed: bool) -> Figure:
    """Plots filters or feature maps, each on a scale of its own.

    Args:
        channels: (N, h, w) or (N, h, w, 3); the first 64 are drawn.
        title: above the grid, to which the number of those left out is added.
        signed: whether 0 is in the middle of the scale.
    """
    shown = channels[:SHOWN]
    side = int(np.ceil(np.sqrt(len(shown))))
    figure = Figure(figsize=(8, 8.4), layout="compressed")
    grid = figure.subplots(-(-len(shown) // side), side, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, one in zip(grid, shown, strict=False):
        high = float(np.abs(one).max()) or 1.0
        if one.ndim == 3:
            axes.imshow((one / high + 1) / 2, interpolation="nearest")
            continue
        low, colours = (-high, SIGNED) if signed else (0.0, "gray")
        axes.imshow(one, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    rest = len(channels) - len(shown)
    more = f", the first {len(shown)} of {len(channels):,}" if rest else ""
    more += "; each on its own scale" + (", red positive, blue negative" if signed else "")
    figure.suptitle(f"{title}{more}", fontsize=9, parse_math=False)
    return figure


def _lungs(root: Path, path: str, mask: str, lungs: Pipeline) -> Pixels:
    image = read_image(root / path)
    return np.asarray(lungs(image, read_mask(root / mask, image.shape[:2])))
