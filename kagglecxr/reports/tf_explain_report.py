"""The pictures of tf-explain of a run, by the fold that held each image out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from kagglecxr.core.errors import SettingError, shorten
from kagglecxr.core.files import write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import held_out_folds
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.sequence import take_images
from kagglecxr.inference.members import Member
from kagglecxr.reports.run_figures import save_figure
from kagglecxr.reports.saliency_report import IMAGES, SaliencyReport, images_to_explain
from kagglecxr.reports.saliency_sheets import COLUMNS, explained_images
from kagglecxr.saliency.chosen_images import rows_of
from kagglecxr.saliency.explain_options import ExplainOptions
from kagglecxr.saliency.tf_explain_pictures import PICTURES, tf_explain_picture

TF_EXPLAIN = "tf-explain"
Pixels = npt.NDArray[np.uint8]


def report_tf_explain(
    prepared: PreparedData,
    members: Sequence[Member],
    folder: Path,
    options: ExplainOptions,
    reporter: Reporter,
) -> SaliencyReport:
    """Writes a sheet for each of tf-explain's methods, and images.csv, in a folder of their own.

    Args:
        prepared: the competition's data.
        members: one run: the library explains a single model.
        folder: that of `explain`.
        options: which images and which class.
        reporter: shows the progress.

    Raises:
        SettingError: several runs, methods of ours, another backend, or a single output.
        UnknownNameError: an image or a class that is not there.
        DataError: out-of-fold predictions are damaged, or of other images.
    """
    if len(members) > 1 or options.methods or options.layers:
        given = [*(each.record.name for each in members), *options.methods, *options.layers]
        raise SettingError(
            f"tf-explain draws its own six pictures of one run. Received: {shorten(given)}. Name "
            "one run, and leave out --methods and --layers."
        )
    [member] = members
    chosen = images_to_explain(prepared, members, options)
    rows = rows_of(prepared.index, chosen)
    images = take_images(prepared.cache.images, rows)
    fold_of = held_out_folds(member.run)
    folds = np.array([fold_of[name] for name in chosen["id"]])
    drawn: dict[int, dict[str, Pixels]] = {}
    with reporter.bar("Explaining", len(rows)) as bar:
        for fold in np.unique(folds):
            model = member.load_model(int(fold))
            for row in np.flatnonzero(folds == fold).tolist():
                target = int(chosen["target"].iloc[row])
                drawn[row] = {
                    name: tf_explain_picture(name, model, images[row], target) for name in PICTURES
                }
                bar.advance()
    shown = explained_images(prepared, rows, chosen, member.record.targets)
    titles = [f"{group}\n{each.title}" for group, each in zip(chosen["group"], shown, strict=True)]
    own = folder / TF_EXPLAIN
    for name in PICTURES:
        shown_here = [drawn[row][name] for row in range(len(rows))]
        save_figure(_sheet(shown_here, titles, name), own / f"{name}.png")
    write_table(own / IMAGES, chosen)
    return SaliencyReport(own, chosen, [own / f"{name}.png" for name in PICTURES], has_arrays=False)


def _sheet(pictures: Sequence[Pixels], titles: Sequence[str], name: str) -> Figure:
    columns = min(COLUMNS, len(pictures))
    lines = -(-len(pictures) // columns)
    figure = Figure(figsize=(1.9 * columns + 0.3, 2.6 * lines + 0.5), layout="compressed")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, picture, title in zip(grid, pictures, titles, strict=False):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=7.5, parse_math=False)
    figure.suptitle(f"{name} as tf-explain draws it: a picture, not a measure", fontsize=9)
    return figure
