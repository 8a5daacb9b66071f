"""Prepares a competition's images: index, folds and decoded cache, written and read again."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.files import read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache, build_cache, copy_cache_rows
from kagglecxr.data.cache.cache_form import WantedForm
from kagglecxr.data.cache.image_loader import BrokenImagesError
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.content import content_digest
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.files.patients import describe_patients
from kagglecxr.data.files.sample import SampleSubmission
from kagglecxr.data.finding_splits import fold_findings
from kagglecxr.data.folds import Fold, TooFewGroupsError, make_folds
from kagglecxr.data.holdout import split_test_set
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import COLUMNS, MASK_SOURCE, Index, read_index, write_folds, write_index
from kagglecxr.data.leakage.duplicates import find_duplicates, joined_groups
from kagglecxr.data.leakage.leaks import find_leaks, rename_ids
from kagglecxr.data.leakage.removal import remove_leaks, same_files, write_leaks
from kagglecxr.data.predicted_masks import with_predicted_masks
from kagglecxr.data.prepared import PreparedData, check_folder, prepare_command, rows_digest
from kagglecxr.data.sample_form import describe_joined, with_sample_form, with_table_form
from kagglecxr.data.schema import Classes

_OPTIONS_OF_SPLITS = ("size", "pipeline", "test", "folds")


@dataclass(frozen=True)
class PrepareOptions:
    """The options of `prepare`.

    Attributes:
        data: the data folder; defaults to the competition's own folder or the workspace's raw/.
        size: side length of a cached image in pixels.
        test: share of a rehearsal test set, if the data come without a test set; 0 for none.
        skip_broken: leave out images that cannot be read instead of raising an error.
        cache: how the decoded images are stored; auto compresses them where there is little room.
    """

    data: Path | None
    size: int
    pipeline: str
    test: float
    folds: int
    skip_broken: bool
    seed: int
    cache: WantedForm = "auto"


def data_folder(competition: Competition, workspace: Workspace, given: Path | None) -> Path:
    """Returns the folder of a competition's images.

    Raises:
        MissingError: it does not exist; the message says how to get the images.
    """
    is_described = competition.source.path or not workspace.raw.is_dir()
    root = given or competition.folder or (is_described and competition.images) or workspace.raw
    if root.is_file():
        raise DataError(
            f"The data folder is a file. Received: {root}. Unpack it if it is an archive, and name "
            "its folder."
        )
    if not root.is_dir():
        source = competition.source
        origin = source.slug or source.url or competition.name
        advice = f"Download {origin} and name its folder with --data."
        if source.kind in ("competition", "dataset") and not source.slug:
            advice = (
                f"Write slug under [source], the last part of the {source.kind}'s address on "
                "Kaggle, or name its folder with --data."
            )
        elif source.kind in ("competition", "dataset"):
            advice = (
                f"Run: {workspace.command('download')}, or download {origin} by hand and name its "
                "folder with --data."
            )
        raise MissingError(
            f"The images of {competition.name} are missing. Received: {root}, which does not "
            f"exist. {advice}"
        )
    return root.resolve()


def prepare_competition(
    competition: Competition, workspace: Workspace, options: PrepareOptions, reporter: Reporter
) -> PreparedData:
    """Writes index.csv, folds.csv, duplicates.csv, leaks.md, the cache and, last, prepare.json.

    Training images that leak are left out of all files but leaks.md and left_out.csv. If it is
    killed and called again, decoded images are kept and the files come out the same.

    Raises:
        CxrError: the data cannot be used; the message says what to do.
    """
    root = data_folder(competition, workspace, options.data)
    pipeline = Pipeline.parse(options.pipeline, options.size)
    if workspace.prepared.is_file() and workspace.index.is_file():
        check_folder(read_json(workspace.prepared), read_index(workspace.index), root)
    given, images = competition, find_images(root, competition)
    competition = with_table_form(competition, images)
    found = with_predicted_masks(images.table, workspace)
    tests = list(found.loc[found["split"] == "test", "path"])
    classes = competition.classes
    competition = with_sample_form(
        competition, classes.of_cells(found["label"]), images.sample, tests
    )
    workspace.prepared.unlink(missing_ok=True)
    found, cache = _decode(found, root, workspace, pipeline, options, reporter)
    found, cache, blank = _without_blank_images(found, cache, workspace)
    _check_all_classes(images.table, found, classes)
    summary = f"{images.summary}{blank}{describe_joined(competition)}"
    competition = competition.with_classes(classes.of_cells(found["label"]))
    ids, known_groups, measures = list(found["id"]), list(found["group"]), cache.measures
    patients = describe_patients(list(found["path"]), known_groups)
    pairs = find_duplicates(ids, measures["phash"], measures["thumbnail"])
    found["group"] = joined_groups(ids, known_groups, pairs)
    found["width"], found["height"] = measures["width"], measures["height"]
    found["phash"] = [f"{value:016x}" for value in measures["phash"]]
    leaks = find_leaks(found, known_groups, pairs, same_files(root, found, pairs))
    found, cache = remove_leaks(leaks.left_out, found, cache, workspace, reporter)
    old_ids, labels = found["id"], list(found["label"])
    index, fold = _split(found, root, images.sample, competition, workspace, options)
    # Test images may have got the ids of a sample submission.
    new_ids = dict(zip(old_ids, index.ids, strict=True))
    pairs = rename_ids(pairs, ["first", "second"], new_ids)
    write_leaks(workspace, leaks.renamed(new_ids), index, labels, fold)
    write_table(
        workspace.duplicates,
        pairs[pairs["first"].isin(index.ids) & pairs["second"].isin(index.ids)],
    )
    write_index(workspace.index, index)
    write_folds(workspace.folds, index.column("id", index.rows("train")), fold)
    write_json(
        workspace.prepared,
        {
            "competition": competition.model_dump(mode="json"),
            "given": given.model_dump(mode="json"),
            **_values(root, options),
            "cache": cache.key,
            "rows": rows_digest(index),
            "content": content_digest(root, list(index.table["path"])),
            "summary": summary,
            "patients": patients,
            "pipeline": pipeline.text,
        },
    )
    return PreparedData(competition, index, fold, cache, root, (summary, patients))


def _split(
    found: pd.DataFrame,
    root: Path,
    sample: SampleSubmission | None,
    competition: Competition,
    workspace: Workspace,
    options: PrepareOptions,
) -> tuple[Index, Fold]:
    """Makes test set and folds; where groups are too few, the error has a command that works."""
    most = int(found[found["label"] != ""].groupby("label")["group"].nunique().min())
    test_seed = derive_seed(options.seed, "test")
    try:
        found = split_test_set(found, sample, competition, workspace, options.test, test_seed)
        index = Index(found[[*COLUMNS, MASK_SOURCE]].astype(str))
        index.check_disjoint()
        train = index.rows("train")
        label, group, source = (index.column(name, train) for name in ("label", "group", "source"))
        folds_seed = derive_seed(options.seed, "folds")
        if competition.classes.multilabel:
            names = competition.targets()
            return index, fold_findings(label, names, group, source, options.folds, folds_seed)
        return index, make_folds(label, group, source, options.folds, folds_seed)
    except TooFewGroupsError as error:
        if error.of_test_set and most > 1:
            other = replace(options, test=0, folds=min(most, options.folds))
            what = "Without a test set, run"
        elif not error.of_test_set and error.groups > 1:
            other, what = replace(options, folds=error.groups), "Run"
        else:
            raise
        command = prepare_command(workspace, _values(root, other))
        raise DataError(f"{error} {what}: {command}") from error


def _decode(
    found: pd.DataFrame,
    root: Path,
    workspace: Workspace,
    pipeline: Pipeline,
    options: PrepareOptions,
    reporter: Reporter,
) -> tuple[pd.DataFrame, Cache]:
    def build(table: pd.DataFrame) -> Cache:
        return build_cache(
            workspace.cache, root, list(table["path"]), pipeline, reporter,
            masks=list(table["mask"]), form=options.cache,
        )  # fmt: skip

    try:
        return found, build(found)
    except BrokenImagesError as error:
        readable = found[~found["path"].isin(error.paths)].reset_index(drop=True)
        if not options.skip_broken or readable.empty:
            raise
        reporter.note(f"Left out, since they cannot be read: {', '.join(error.paths)}")
        return readable, build(readable)


def _without_blank_images(
    found: pd.DataFrame, cache: Cache, workspace: Workspace
) -> tuple[pd.DataFrame, Cache, str]:
    """Leaves out training images of one grey value, which would pass for copies; names them."""
    thumbnails = cache.measures["thumbnail"].reshape(len(found), -1)
    is_blank = (np.ptp(thumbnails, axis=1) == 0) & (found["split"] == "train").to_numpy()
    if not is_blank.any() or is_blank.all():
        return found, cache, ""
    kept = copy_cache_rows(workspace.cache, cache, np.flatnonzero(~is_blank))
    named = shorten(list(found.loc[is_blank, "path"]), 10)
    usable = found[~is_blank].reset_index(drop=True)
    return usable, kept, f" Left out, of one grey value: {named}."


def _check_all_classes(listed: pd.DataFrame, usable: pd.DataFrame, classes: Classes) -> None:
    lost = sorted(set(classes.of_cells(listed["label"])) - set(classes.of_cells(usable["label"])))
    if lost:
        raise DataError(
            f"No image of a class can be used. Received: {shorten(lost)}, whose images are of one "
            "grey value or cannot be read. Replace them."
        )


def _values(root: Path, options: PrepareOptions) -> dict[str, Any]:
    """The options of `prepare` as prepare.json has them."""
    return {
        "data": str(root),
        "seed": options.seed,
        # With these options another machine makes the same folds.
        "options": {key: getattr(options, key) for key in _OPTIONS_OF_SPLITS},
        "skip_broken": options.skip_broken,
    }
