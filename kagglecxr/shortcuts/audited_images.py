"""The images of an audit: some that a run held out, of each class, with their lungs."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.files import read_table
from kagglecxr.core.metrics import Truth
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import held_out_folds
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.sequences.sequence import take_images
from kagglecxr.inference.members import Member
from kagglecxr.segmentation.mask_training import find_mask_run
from kagglecxr.segmentation.segment_competition import segment_images
from kagglecxr.segmentation.segmenter import Segmenter
from kagglecxr.shortcuts.held_out import AuditedImages
from kagglecxr.shortcuts.problems import are_findings
from kagglecxr.shortcuts.regions import Masks

Rows = npt.NDArray[np.intp]

AGE = "age"
PERSONS = ("view", AGE, "sex")
"""Columns of metadata.csv by which recall is told, if they are there."""
OLDER = (18, 40, 60, 80)
AGE_GROUPS = ("0 to 17", "18 to 39", "40 to 59", "60 to 79", "80 and older")


def audited_images(
    prepared: PreparedData,
    workspace: Workspace,
    member: Member,
    most: int,
    random: np.random.Generator,
    reporter: Reporter,
) -> AuditedImages:
    """Draws the images of an audit, and finds their lungs.

    Masks are those of the index; where it has none, the newest net of lung masks of the workspace
    predicts them, or the package's own.

    Args:
        prepared: the competition's data.
        workspace: its runs of masks and its cache are used.
        member: the run that is audited.
        most: how many images are drawn at most.
        random: draws them, within each class, or finding and the images without any.
        reporter: shows the progress, and says whose masks are used.
    """
    fold_of = held_out_folds(member.run)
    train = prepared.index.rows("train")
    fold = np.array([fold_of.get(name, -1) for name in prepared.index.column("id", train)])
    classes = prepared.truth()
    chosen = _of_each_class(classes, np.isin(fold, list(member.folds)), most, random)
    rows = train[chosen]
    return AuditedImages(
        np.array(prepared.index.column("id", rows), str),
        take_images(prepared.cache.images, rows),
        _lungs(prepared, workspace, rows, reporter),
        classes[chosen],
        fold[chosen],
        prepared.groups()[chosen],
        np.array(prepared.index.column("source", rows), object),
    )


def _of_each_class(
    classes: Truth,
    usable: npt.NDArray[np.bool_],
    most: int,
    random: np.random.Generator,
) -> Rows:
    """Draws at most so many images: of each class as many as of another, if it has them.

    Of findings, those without any are a class as well, and an image counts for each it has.
    """
    shuffled = random.permutation(np.flatnonzero(usable))
    # The first of each class, then the second of each, and so on.
    rank = np.full(len(classes), len(classes), np.intp)
    for is_there in _classes_of_images(classes).T:
        of_class = shuffled[is_there[shuffled]]
        rank[of_class] = np.minimum(rank[of_class], np.arange(len(of_class)))
    first = shuffled[np.argsort(rank[shuffled], kind="stable")]
    return np.sort(first[:most])


def _classes_of_images(classes: Truth) -> npt.NDArray[np.bool_]:
    """(N, classes) whether an image is of each class, or has each finding or, at last, none."""
    if not are_findings(classes):
        return np.asarray(classes[:, None] == np.unique(classes))
    is_there = classes == 1
    return np.column_stack([is_there, ~is_there.any(axis=1)])


def _lungs(prepared: PreparedData, workspace: Workspace, rows: Rows, reporter: Reporter) -> Masks:
    """(N, H, W) the lungs as they lie on prepared images, which may be cropped."""
    text = f"{prepared.pipeline_text} | lungs"
    pipeline = Pipeline.parse(text, int(prepared.cache.images.shape[1]))
    paths, masks = (np.array(prepared.index.column(name, rows)) for name in ("path", "mask"))
    lungs = np.zeros((len(rows), *prepared.cache.images.shape[1:3]), np.bool_)
    has_mask = masks != ""
    if has_mask.any():
        given = build_cache(
            workspace.cache, prepared.root, list(paths[has_mask]), pipeline, reporter,
            masks=list(masks[has_mask]),
        )  # fmt: skip
        lungs[has_mask] = given.images[:] > 0
    if not has_mask.all():
        missing = np.flatnonzero(~has_mask)
        found = _predicted_lungs(prepared, workspace, rows[missing], pipeline, reporter)
        for number, one in found.items():
            lungs[missing[number]] = one
    return lungs


def _predicted_lungs(
    prepared: PreparedData,
    workspace: Workspace,
    rows: Rows,
    pipeline: Pipeline,
    reporter: Reporter,
) -> Mapping[int, npt.NDArray[np.bool_]]:
    run = find_mask_run(workspace, None, reporter)
    reporter.note(f"{len(rows):,} images of the audit have no masks: those of {run.name} are used.")
    paths, found = prepared.index.column("path", rows), {}
    for each in segment_images(prepared, workspace, Segmenter.of_run(run), rows, reporter):
        image = read_image(prepared.root / paths[each.row])
        found[each.row] = pipeline(image, each.mask) > 0
    return found


def columns_of_persons(
    prepared: PreparedData, ids: Sequence[str]
) -> dict[str, npt.NDArray[np.object_]]:
    """Returns what metadata.csv knows of images beside the index, (N,) text by column."""
    path = prepared.root / "metadata.csv"
    table = read_table(path) if path.is_file() else pd.DataFrame()
    if "path" not in table:
        return {}
    path_of = dict(zip(prepared.index.ids, prepared.index.table["path"], strict=True))
    paths = [path_of[name] for name in ids]
    by_path = table.drop_duplicates("path").set_index("path").reindex(paths).fillna("")
    if AGE in by_path:
        by_path[AGE] = _age_groups(by_path[AGE])
    return {name: by_path[name].to_numpy(object) for name in PERSONS if name in by_path}


def _age_groups(ages: "pd.Series[str]") -> "pd.Series[str]":
    """Ages in groups of some 20 years; empty where an age is no number of years, as 045Y is."""
    years = ages.str.extract(r"^\s*(\d+(?:\.\d+)?)\s*[Yy]?\s*$")[0].astype(float)
    groups = pd.cut(years, [0, *OLDER, np.inf], right=False, labels=AGE_GROUPS)
    return groups.astype(object).fillna("")
