"""Explains a run or an ensemble: chosen images, maps as arrays, and their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kagglecxr.core.files import atomic_write, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import OOF
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.sequence import take_images
from kagglecxr.ensembling.out_of_fold import align_out_of_fold
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import Predictions, average
from kagglecxr.reports.run_figures import save_figure
from kagglecxr.reports.saliency_sheets import (
    Pixels,
    channel_grid,
    draw_sheets,
    explained_images,
)
from kagglecxr.saliency.activations import convolution_names, feature_maps_of, filters_of
from kagglecxr.saliency.chosen_images import (
    choose_finding_images,
    choose_images,
    name_images,
    rows_of,
    with_target,
)
from kagglecxr.saliency.explain_members import (
    ImagesToExplain,
    check_held_out,
    explain_members,
)
from kagglecxr.saliency.explain_options import ExplainOptions
from kagglecxr.saliency.methods import SaliencyMethod

IMAGES, MAPS = "images.csv", "maps.npz"


@dataclass(frozen=True)
class SaliencyReport:
    """What was written.

    Attributes:
        folder: of all files.
        images: a line for each image that was explained.
        pictures: those of the methods first.
        has_arrays: whether the maps are there as arrays too.
    """

    folder: Path
    images: pd.DataFrame
    pictures: Sequence[Path]
    has_arrays: bool = True

    def describe(self) -> str:
        """Returns a sentence on what was written."""
        arrays = f"the maps as arrays in {MAPS}, " if self.has_arrays else ""
        return (
            f"Explained {len(self.images):,} images: {self.folder} has {len(self.pictures)} "
            f"pictures, {arrays}and the images in {IMAGES}."
        )


def report_saliency(
    prepared: PreparedData,
    members: Sequence[Member],
    methods: Mapping[str, SaliencyMethod],
    folder: Path,
    options: ExplainOptions,
    reporter: Reporter,
    seed: int,
) -> SaliencyReport:
    """Writes images.csv, maps.npz, a sheet for each method, filters and feature maps.

    Args:
        prepared: the competition's data.
        members: runs, whose maps are averaged.
        methods: by name.
        folder: of all files.
        options: what is explained.
        reporter: shows the progress.
        seed: of the methods that draw.

    Raises:
        UnknownNameError: an image, a class or a layer that is not there.
        SettingError: no method holds for these networks, or a run has seen all training images.
        DataError: out-of-fold predictions are damaged, or of other images.
    """
    targets = members[0].record.targets
    chosen = images_to_explain(prepared, members, options)
    rows = rows_of(prepared.index, chosen)
    images = take_images(prepared.cache.images, rows)
    explained = ImagesToExplain(list(chosen["id"]), images, chosen["target"].to_numpy(np.intp))
    # Before what takes minutes: a layer that is not there is told at once.
    first = str(chosen["id"].iloc[0])
    learned = _draw_learned(members[0], images[0], first, options.layers, folder)
    maps = explain_members(members, explained, methods, seed, reporter)
    # All files here are of one call: pictures of other images would be taken for these.
    for path in folder.glob("*.png"):
        if path not in learned:
            path.unlink()
    shown = explained_images(prepared, rows, chosen, targets)
    pictures = draw_sheets(shown, maps, list(chosen["group"]), folder)
    with atomic_write(folder / MAPS) as temporary:
        arrays: dict[str, Any] = {"ids": chosen["id"].to_numpy(str), **maps}
        np.savez_compressed(temporary, **arrays)
    write_table(folder / IMAGES, chosen)
    return SaliencyReport(folder, chosen, [*pictures, *learned])


def images_to_explain(
    prepared: PreparedData, members: Sequence[Member], options: ExplainOptions
) -> pd.DataFrame:
    """Returns the images that options ask for, as `choose_images` does.

    Raises:
        UnknownNameError: an image or a class that is not there.
        SettingError: a run has seen all training images.
        DataError: out-of-fold predictions are damaged, or of other images.
    """
    targets = members[0].record.targets
    predictions = _mean_out_of_fold(prepared, members)
    if options.images:
        chosen = name_images(predictions, targets, options.images)
    elif members[0].record.multilabel:
        chosen = choose_finding_images(predictions, targets, options.number)
    else:
        chosen = choose_images(predictions, targets, options.number)
    return chosen if options.target is None else with_target(chosen, targets, options.target)


def _mean_out_of_fold(prepared: PreparedData, members: Sequence[Member]) -> Predictions:
    check_held_out(members)
    files = [member.run / OOF for member in members]
    every = align_out_of_fold({file: Predictions.load(file) for file in files}, prepared)
    ids = prepared.index.column("id", prepared.index.rows("train"))
    return Predictions(np.array(ids), average(list(every.runs)), every.truth)


def _draw_learned(
    member: Member, image: Pixels, shown: str, names: Sequence[str], folder: Path
) -> list[Path]:
    """Draws filters and feature maps of some layers of a run's first fold."""
    model = member.load_model(member.folds[0])
    convolutions = convolution_names(model)
    drawn = []
    for name in names or (convolutions[0], convolutions[-1]):
        maps = feature_maps_of(model, name, image.astype(np.float32))
        path = folder / f"features-{name}.png"
        title = f"{name} of {member.record.name}, feature maps of {shown}"
        save_figure(channel_grid(maps, title, signed=bool(maps.min() < 0)), path)
        drawn.append(path)
        layer = model.get_layer(name)
        if min(getattr(layer, "kernel_size", (1,))) > 1:
            path = folder / f"filters-{name}.png"
            title = f"{name} of {member.record.name}, filters (mean over their channels)"
            save_figure(channel_grid(filters_of(model, name), title, signed=True), path)
            drawn.append(path)
    return drawn
