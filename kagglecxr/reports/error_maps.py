"""Errors under their saliency maps, each by the folds that did not learn from it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import CxrError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import RunRecord
from kagglecxr.data.images.image import Image
from kagglecxr.inference.members import Member
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explain_members import ImagesToExplain, explain_members
from kagglecxr.saliency.methods import METHODS
from kagglecxr.saliency.overlays import overlay

METHOD = "gradcam"


def errors_to_explain(
    errors: pd.DataFrame, images: Sequence[Image], record: RunRecord
) -> ImagesToExplain:
    """Returns errors as they are explained: each for the class it was taken for.

    Args:
        errors: as `list_errors` returns them.
        images: those that the run was trained with, in the same order.
        record: the run's.
    """
    targets = [record.targets.index(str(name)) for name in errors["predicted"]]
    pixels = np.stack(images).reshape(len(images), *record.input_shape)
    return ImagesToExplain([str(name) for name in errors["id"]], pixels, np.array(targets, np.intp))


def draw_maps(images: Sequence[Image], maps: Array, method: str) -> list[Image]:
    """Returns images under their maps (N, H, W) by a method."""
    signed = METHODS[method].signed
    return [overlay(image, one, signed=signed) for image, one in zip(images, maps, strict=True)]


def explain_errors(
    runs: Sequence[Path],
    records: Sequence[RunRecord],
    errors: pd.DataFrame,
    images: Sequence[Image],
    seed: int,
) -> list[Image]:
    """Returns errors under their mean Grad-CAM of runs; none where their weights are gone.

    Args:
        runs: the folders of a run, or of those of an ensemble.
        records: theirs.
        errors: as `list_errors` returns them.
        images: those that the runs were trained with, in the same order.
        seed: of the method.
    """
    members = [
        Member(run, record, range(record.folds), views=())
        for run, record in zip(runs, records, strict=True)
    ]
    explained, methods = errors_to_explain(errors, images, records[0]), {METHOD: METHODS[METHOD]}
    try:
        maps = explain_members(members, explained, methods, seed, Silent())
    except (CxrError, KeyError):
        # Weights may have been removed, and older runs have other recipes.
        return []
    return draw_maps(images, maps[METHOD], METHOD)
