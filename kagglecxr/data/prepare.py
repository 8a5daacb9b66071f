"""From image files to index, folds and cache: what `prepare` does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.files import digest, read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.building import build_cache
from kagglecxr.data.cache.cache import Cache, open_cache
from kagglecxr.data.cache.image_loader import BrokenImagesError
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.folds import make_folds
from kagglecxr.data.holdout import split_test_set
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index, read_folds, read_index, write_folds, write_index
from kagglecxr.data.leakage.duplicates import find_duplicates, joined_groups
from kagglecxr.data.leakage.leaks import find_leaks, rename_ids
from kagglecxr.data.leakage.removal import remove_leaks, same_files, write_leaks


@dataclass(frozen=True)
class PrepareOptions:
    """What `prepare` is asked for.

    Attributes:
        data: the data folder; the workspace's raw/, or the competition's own folder, if None.
        size: pixels of a square cached image.
        pipeline: the preprocessing, as a pipe string.
        test: the share of a rehearsal test part, where the data bring none; 0 for none.
        folds: how many folds the training part is split into.
        skip_broken: leave out images that cannot be read instead of refusing them.
        seed: fixes the splits.
    """

    data: Path | None
    size: int
    pipeline: str
    test: float
    folds: int
    skip_broken: bool
    seed: int


@dataclass(frozen=True)
class PreparedData:
    """The prepared data of a competition, in memory.

    Attributes:
        competition: its description, class names filled in.
        index: one line an image.
        fold: the fold of each training image, in the index's order.
        cache: decoded images, in the index's order.
        root: the data folder.
    """

    competition: Competition
    index: Index
    fold: npt.NDArray[np.intp]
    cache: Cache
    root: Path

    @property
    def pipeline_text(self) -> str:
        """The preprocessing of the cached images, in its canonical spelling."""
        return str(read_json(self.cache.folder / "cache.json")["pipeline"])

    def class_ids(self) -> npt.NDArray[np.intp]:
        """The class id of each training image, in the index's order."""
        labels = self.index.column("label", self.index.rows("train"))
        ids = {name: i for i, name in enumerate(self.competition.classes.names)}
        return np.array([ids[label] for label in labels], np.intp)

    def target_ids(self) -> npt.NDArray[np.intp]:
        """The target id of each training image, in the index's order."""
        labels = self.index.column("label", self.index.rows("train"))
        target = self.competition.target_of_class()
        return np.array([target[label] for label in labels], np.intp)


def data_folder(competition: Competition, workspace: Workspace, given: Path | None) -> Path:
    """Where a competition's images are.

    Raises:
        MissingError: they are nowhere; the sentence says how to get them.
    """
    root = given or competition.folder or workspace.raw
    if not root.is_dir():
        source = competition.source
        place = source.slug or source.url or competition.name
        advice = f"Download {place} and name its folder with --data."
        if source.kind in ("competition", "dataset"):
            advice = (
                f"Run: python -m kagglecxr.download {competition.name}, or download {place} by "
                "hand and name its folder with --data."
            )
        raise MissingError(
            f"The images of {competition.name} are not there. Looked in: {root}. {advice}"
        )
    return root.resolve()


def prepare_competition(
    competition: Competition, workspace: Workspace, request: PrepareOptions, reporter: Reporter
) -> PreparedData:
    """Writes index.csv, folds.csv, duplicates.csv, leaks.md, the cache and, last, prepare.json.

    Training images that leak are left out of all but leaks.md and left_out.csv. Can be killed at
    any moment and called again: decoded images are kept, the files are the same.

    Raises:
        CxrError: data that cannot be used; each says what to do.
    """
    root = data_folder(competition, workspace, request.data)
    pipeline = Pipeline.parse(request.pipeline, request.size)
    found = find_images(root, competition)
    workspace.prepared.unlink(missing_ok=True)
    found, cache = _decode(found, root, workspace, pipeline, request.skip_broken, reporter)
    competition = competition.with_classes(list(found.loc[found["label"] != "", "label"].unique()))
    pairs = find_duplicates(list(found["id"]), cache.measures["phash"], cache.measures["thumbnail"])
    told = list(found["group"])
    found["group"] = joined_groups(list(found["id"]), told, pairs)
    found["width"], found["height"] = cache.measures["width"], cache.measures["height"]
    found["phash"] = [f"{value:016x}" for value in cache.measures["phash"]]
    leaks = find_leaks(found, told, pairs, same_files(root, found, pairs))
    found, cache = remove_leaks(leaks.left_out, found, cache, workspace, reporter)
    first_ids, labels = found["id"], found["label"]
    found = split_test_set(
        found, root, competition, workspace, request.test, derive_seed(request.seed, "test")
    )
    index = Index(found.astype(str))
    index.check_disjoint()
    # A test part may take the ids of its sample submission.
    renamed = dict(zip(first_ids, index.ids, strict=True))
    leaks = leaks.renamed(renamed)
    pairs = rename_ids(pairs, ["first", "second"], renamed)
    pairs = pairs[pairs["first"].isin(index.ids) & pairs["second"].isin(index.ids)]
    train = index.rows("train")
    fold = make_folds(
        index.column("label", train),
        index.column("group", train),
        index.column("source", train),
        request.folds,
        derive_seed(request.seed, "folds"),
    )
    write_leaks(workspace, leaks, index, list(labels), fold)
    write_table(workspace.duplicates, pairs)
    write_index(workspace.index, index)
    write_folds(workspace.folds, index.column("id", train), fold)
    write_json(
        workspace.prepared,
        {
            "competition": competition.model_dump(mode="json"),
            "data": str(root),
            "cache": cache.key,
            "rows": _rows(index),
            "pipeline": pipeline.text,
            "seed": request.seed,
            # What another machine has to be asked for to come to the same folds.
            "asked": {
                "size": request.size,
                "pipeline": request.pipeline,
                "test": request.test,
                "folds": request.folds,
            },
        },
    )
    return PreparedData(competition, index, fold, cache, root)


def _decode(
    found: pd.DataFrame,
    root: Path,
    workspace: Workspace,
    pipeline: Pipeline,
    skip_broken: bool,
    reporter: Reporter,
) -> tuple[pd.DataFrame, Cache]:

    def build(table: pd.DataFrame) -> Cache:
        paths, masks = list(table["path"]), list(table["mask"])
        return build_cache(workspace.cache, root, paths, pipeline, reporter, masks=masks)

    try:
        return found, build(found)
    except BrokenImagesError as error:
        if not skip_broken:
            raise
        reporter.note(f"Left out, since they cannot be read: {', '.join(error.paths)}")
        whole = found[~found["path"].isin(error.paths)].reset_index(drop=True)
        if whole.empty:
            raise
        return whole, build(whole)


def load_prepared(competition: Competition, workspace: Workspace) -> PreparedData:
    """What `prepare` wrote, checked again for leaks.

    Raises:
        MissingError: prepare was not run, or not to its end.
        DataError, LeakError: the files do not fit each other, or were changed badly since.
    """
    values = read_json(workspace.require(workspace.prepared, "prepare"))
    prepared = Competition.model_validate(values["competition"])
    if competition.classes.names and competition.classes != prepared.classes:
        raise DataError(
            f"The classes have changed since the data were prepared. Received: "
            f"{competition.targets()}, prepared were {prepared.targets()}. Run: "
            f"python -m kagglecxr.prepare {competition.name}"
        )
    index = read_index(workspace.require(workspace.index, "prepare"))
    index.check_disjoint()
    labels = set(index.column("label", index.rows("train")))
    strange = sorted(labels - set(prepared.classes.names))
    if strange:
        raise DataError(
            f"The index holds labels that are no class. Received: {shorten(strange)} in "
            f"{workspace.index}. Use {', '.join(prepared.classes.names)}, or run prepare again."
        )
    cache = open_cache(workspace.cache / values["cache"])
    if values.get("rows") != _rows(index):
        raise DataError(
            f"The index and the cache hold different images, or the same in another order. "
            f"Received: {len(index.table)} lines in {workspace.index}, {len(cache.images)} cached "
            "images. Run prepare again."
        )
    fold = read_folds(workspace.require(workspace.folds, "prepare"), index)
    return PreparedData(prepared, index, fold, cache, Path(values["data"]))


def _rows(index: Index) -> str:
    """Which image each row is: the cache knows images by their rows alone."""
    return digest(list(index.table["path"]))
