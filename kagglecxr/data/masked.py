"""The images of a competition that have lung masks, decoded with them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.folds import make_folds
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index
from kagglecxr.data.prepared import PreparedData

OUT_OF_FOLD, PREDICTED_BY_ALL = "out of fold", "predicted"
PREDICTED = (OUT_OF_FOLD, PREDICTED_BY_ALL)
"""Sources of masks that `segment` wrote: of folds that did not learn from the image, or of all."""


@dataclass(frozen=True)
class MaskedData(PreparedData):
    """Training images that have a lung mask; all of the index are.

    Attributes:
        masks: (N, H, W) uint8, 255 in the lungs, row i that of row i of the cache.
    """

    masks: npt.NDArray[np.uint8]


def load_masked(
    prepared: PreparedData,
    workspace: Workspace,
    pipeline: Pipeline,
    reporter: Reporter,
    mask_source: str | None = None,
) -> MaskedData:
    """Decodes the training images that have a given mask, and their masks, each once.

    Args:
        prepared: the competition's data, whose folds are kept where each of them has masks.
        workspace: its cache takes the decoded images and masks.
        pipeline: of the images; masks are moved and resized as them.
        reporter: shows the progress, and names the masks that are left out.
        mask_source: who drew the masks; defaults to who drew most of them. Those of others follow
            another convention, for example behind the heart.

    Raises:
        MissingError: fewer than two images have masks.
        DataError: masks that are no masks, or of no such source.
    """
    table = prepared.index.table
    given = table[(table["split"] == "train") & (table["mask"] != "") & ~is_predicted(table)]
    if len(given) < 2:
        raise MissingError(
            f"There are no lung masks to learn from. Received: {len(given)} masks for "
            f"{len(table):,} images. Put them into a folder 'masks' beside that of the images, or "
            "name them in metadata.csv, and run prepare again."
        )
    counts = Counter(given["mask_source"])
    chosen = counts.most_common(1)[0][0] if mask_source is None else mask_source
    if chosen not in counts:
        raise DataError(
            f"No masks are of that source. Received: {chosen!r}. Use one of "
            f"{shorten(sorted(counts))}."
        )
    if len(counts) > 1:
        others = sum(counts.values()) - counts[chosen]
        reporter.note(
            f"Of {len(given):,} masks the {counts[chosen]:,} of {chosen!r} are used, the other "
            f"{others:,} not: their convention may differ."
        )
    given = given[given["mask_source"] == chosen]
    index = Index(given.reset_index(drop=True))
    paths, masks = list(given["path"]), list(given["mask"])
    cache = build_cache(workspace.cache, prepared.root, paths, pipeline, reporter)
    # The size is in the text already.
    lungs = Pipeline.parse(f"{pipeline.text} | lungs", 0)
    decoded = build_cache(workspace.cache, prepared.root, paths, lungs, reporter, masks=masks)
    _check_masks(masks, decoded.images)
    return MaskedData(
        prepared.competition,
        index,
        _folds(prepared, given.index.to_numpy(), index),
        cache,
        prepared.root,
        prepared.summary,
        decoded.images,
    )


def is_predicted(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Returns (N,) whether each image's mask was predicted by a model of ours."""
    return np.asarray(table["mask_source"].isin(PREDICTED), np.bool_)


def _folds(
    prepared: PreparedData, rows: npt.NDArray[np.intp], index: Index
) -> npt.NDArray[np.intp]:
    """The folds of the masked images: the competition's, unless one has no masks."""
    folds = int(prepared.fold.max()) + 1
    position = np.full(len(prepared.index.table), -1)
    position[prepared.index.rows("train")] = np.arange(len(prepared.fold))
    kept: npt.NDArray[np.intp] = prepared.fold[position[rows]]
    if len(np.unique(kept)) == folds:
        return kept
    same = [""] * len(rows)
    groups, sources = (list(index.table[name]) for name in ("group", "source"))
    return make_folds(same, groups, sources, folds, 0)


def _check_masks(paths: list[str], masks: npt.NDArray[np.uint8]) -> None:
    shares = np.array([float((mask > 0).mean()) for mask in masks])
    wrong = [
        f"{path} ({'empty' if share == 0 else 'all of the image'})"
        for path, share in zip(paths, shares, strict=True)
        if share in (0.0, 1.0)
    ]
    if wrong:
        raise DataError(
            f"A lung mask shows no lungs. Received: {len(wrong):,} of {len(paths):,}, "
            f"{shorten(wrong)}. Correct or remove those files, and run prepare again."
        )


def by_source(data: MaskedData) -> MaskedData:
    """Returns the same data with a fold for each source that has at least 2 images.

    Raises:
        DataError: there is one source only.
    """
    sources = np.array(data.index.table["source"])
    names = sorted({str(name) for name in sources})
    if len(names) < 2:
        raise DataError(
            f"Leaving a source out needs two of them. Received: {shorten(names)}. Train with "
            "ordinary folds."
        )
    return replace(data, fold=np.array([names.index(name) for name in sources], np.intp))
