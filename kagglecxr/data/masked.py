"""The images of a competition that have lung masks, decoded with them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.folds import make_folds
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index
from kagglecxr.data.predicted_masks import without_predicted_masks
from kagglecxr.data.prepared import PreparedData

CHECKED = "masks_checked"
"""A file in a cache of masks that are masks of their images."""
STRETCH = 1.1
"""How far the shape of a mask may be from its image's: masks are often stored smaller."""
GREY = 0.1
"""The share of a mask's pixels that may be neither dark nor bright: edges are, where it shrank."""
FEWEST = 20
"""Images of a source that is held out by itself."""


@dataclass(frozen=True)
class MaskedData(PreparedData):
    """Images that have a lung mask, the training images of the index, and perhaps others behind.

    Attributes:
        masks: (n_train, H, W) uint8, 255 in the lungs; those of the first rows of the cache.
    """

    masks: ImageArray


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
    table = without_predicted_masks(prepared.index.table, workspace)
    given = table[(table["split"] == "train") & (table["mask"] != "")]
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
    checked = decoded.folder / CHECKED
    if not checked.is_file():
        _check_masks(prepared.root, given, decoded.images, reporter)
        checked.touch()
    return MaskedData(
        prepared.competition,
        index,
        _folds(prepared, given.index.to_numpy(), index),
        cache,
        prepared.root,
        prepared.summary,
        decoded.images,
    )


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


def _check_masks(root: Path, given: pd.DataFrame, masks: ImageArray, reporter: Reporter) -> None:
    """Refuses files that are no masks of their images, and masks (N, H, W) without lungs."""

    def problem(row: int) -> str:
        share = float((masks[row] > 0).mean())
        if share in (0.0, 1.0):
            return "is empty" if share == 0 else "is white all over"
        file = read_image(root / given["mask"].iloc[row])
        height, width = (int(given[name].iloc[row]) for name in ("height", "width"))
        stretch = file.shape[1] * height / (file.shape[0] * width)
        if max(stretch, 1 / stretch) > STRETCH:
            return f"has {file.shape[1]} x {file.shape[0]} pixels, its image has {width} x {height}"
        brightest = int(file.max())
        between = (file > 0.25 * brightest) & (file < 0.75 * brightest)
        return f"is grey in {between.mean():.0%} of its pixels" if between.mean() > GREY else ""

    with reporter.bar("Checking masks", len(given)) as bar, ThreadPoolExecutor() as pool:
        problems = []
        for found in pool.map(problem, range(len(given))):
            problems.append(found)
            bar.advance()
    wrong = [
        f"{path} {found}" for path, found in zip(given["mask"], problems, strict=True) if found
    ]
    if wrong:
        raise DataError(
            f"A file is no lung mask of its image. Received: {len(wrong):,} of {len(given):,}, "
            f"{shorten(wrong)}. Correct or remove those files, and run prepare again."
        )


def with_unmasked(
    data: MaskedData,
    prepared: PreparedData,
    workspace: Workspace,
    pipeline: Pipeline,
    reporter: Reporter,
) -> MaskedData:
    """Returns masked data with the competition's other images behind, as a test set.

    Args:
        data: what `load_masked` returned.
        prepared: the competition's data.
        workspace: its cache takes all decoded images once more.
        pipeline: that of `data`.
        reporter: shows the progress.

    Raises:
        MissingError: there are no other images.
    """
    table = prepared.index.table
    others = table[~table["id"].isin(data.index.ids)].assign(split="test", label="")
    if others.empty:
        raise MissingError(
            f"Every image has a mask already. Received: {len(table):,} images. Train without "
            "--pseudo-masks."
        )
    both = Index(pd.concat([data.index.table, others], ignore_index=True))
    paths = list(both.table["path"])
    cache = build_cache(workspace.cache, prepared.root, paths, pipeline, reporter)
    return replace(data, index=both, cache=cache)


def of_sources(data: MaskedData, *sources: str) -> MaskedData:
    """Returns the images of some sources, with their folds; a fold without any is left out.

    Raises:
        DataError: there are none.
    """
    column = data.index.table["source"]
    known = set(column)
    absent = [source for source in sources if source not in known]
    if absent:
        raise DataError(
            f"No masked image is of such a source. Received: {shorten(absent)}. Use one of "
            f"{shorten(sorted(known))}."
        )
    some = _some(data, column.isin(sources).to_numpy())
    return replace(some, fold=np.unique(some.fold, return_inverse=True)[1])


def _some(data: MaskedData, kept: npt.NDArray[np.bool_]) -> MaskedData:
    """Returns those masked images that are kept (n_train,), with all others behind."""
    behind = np.ones(len(data.index.table) - len(kept), np.bool_)
    rows = np.flatnonzero(np.concatenate([kept, behind]))
    return replace(
        data,
        index=Index(data.index.table.iloc[rows].reset_index(drop=True)),
        fold=data.fold[kept],
        cache=replace(data.cache, images=data.cache.images[rows]),
        masks=data.masks[kept],
    )


def by_source(data: MaskedData) -> MaskedData:
    """Returns the same data with a fold for each source, which holds that source out.

    Sources of fewer than 20 images are held out together with the largest one. Images of a patient
    of two sources are left out.

    Raises:
        DataError: there is one such source only.
    """
    sources = data.index.table["source"].iloc[: len(data.fold)]
    counts = sources.value_counts()
    names = sorted(counts[counts >= FEWEST].index)
    if len(names) < 2:
        raise DataError(
            f"Leaving a source out needs two of at least {FEWEST} images. Received: "
            f"{shorten([f'{name!r} with {count:,}' for name, count in counts.items()])}. Train "
            "without --by-source."
        )
    largest = names.index(counts.index[0])
    fold = np.array([names.index(one) if one in names else largest for one in sources], np.intp)
    groups = data.index.table["group"].iloc[: len(fold)]
    folds_of_group = pd.Series(fold).groupby(list(groups)).transform("nunique")
    return _some(replace(data, fold=fold), ((folds_of_group == 1) | (groups == "")).to_numpy())
