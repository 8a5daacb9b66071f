"""Prepares a competition's images: index, folds and decoded cache, written and read again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.files import digest, read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import derive_seed
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache, build_cache, open_cache
from kagglecxr.data.cache.image_loader import BrokenImagesError
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.content import check_content, content_digest
from kagglecxr.data.files.layout import find_images
from kagglecxr.data.files.patients import describe_patients
from kagglecxr.data.folds import make_folds
from kagglecxr.data.holdout import split_test_set, with_sample_form
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index, read_folds, read_index, write_folds, write_index
from kagglecxr.data.leakage.duplicates import find_duplicates, joined_groups
from kagglecxr.data.leakage.leaks import find_leaks, rename_ids
from kagglecxr.data.leakage.removal import remove_leaks, same_files, write_leaks

_OPTIONS_OF_SPLITS = ("size", "pipeline", "test", "folds")


@dataclass(frozen=True)
class PrepareOptions:
    """The options of `prepare`.

    Attributes:
        data: the data folder; defaults to the competition's own folder or the workspace's raw/.
        size: side length of a cached image in pixels.
        test: share of a rehearsal test set, if the data come without a test set; 0 for none.
        skip_broken: leave out images that cannot be read instead of raising an error.
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
    """The prepared data of a competition; `fold` is (n_train,) int, of each training image."""

    competition: Competition
    index: Index
    fold: npt.NDArray[np.intp]
    cache: Cache
    root: Path

    @property
    def pipeline_text(self) -> str:
        """The canonical text of the cached images' preprocessing pipeline."""
        return str(read_json(self.cache.folder / "cache.json")["pipeline"])

    def class_ids(self) -> npt.NDArray[np.intp]:
        """Returns (n_train,) int, the class id of each training image in the index's order."""
        return self._label_ids({name: i for i, name in enumerate(self.competition.classes.names)})

    def target_ids(self) -> npt.NDArray[np.intp]:
        """Returns (n_train,) int, the target id of each training image in the index's order."""
        return self._label_ids(self.competition.target_of_class())

    def _label_ids(self, id_of: dict[str, int]) -> npt.NDArray[np.intp]:
        labels = self.index.column("label", self.index.rows("train"))
        return np.array([id_of[label] for label in labels], np.intp)


def data_folder(competition: Competition, workspace: Workspace, given: Path | None) -> Path:
    """Returns the folder of a competition's images.

    Raises:
        MissingError: it does not exist; the message says how to get the images.
    """
    root = given or competition.folder or workspace.raw
    if not root.is_dir():
        source = competition.source
        origin = source.slug or source.url or competition.name
        advice = f"Download {origin} and name its folder with --data."
        if source.kind in ("competition", "dataset"):
            advice = (
                f"Run: python -m kagglecxr.download {competition.name}, or download {origin} by "
                "hand and name its folder with --data."
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
        _check_folder(read_json(workspace.prepared), read_index(workspace.index), root)
    found = find_images(root, competition)
    competition = with_sample_form(competition, _labels(found), root)
    workspace.prepared.unlink(missing_ok=True)
    found, cache = _decode(found, root, workspace, pipeline, options.skip_broken, reporter)
    competition = competition.with_classes(_labels(found))
    ids, known_groups, measures = list(found["id"]), list(found["group"]), cache.measures
    patients = describe_patients(list(found["path"]), known_groups)
    pairs = find_duplicates(ids, measures["phash"], measures["thumbnail"])
    found["group"] = joined_groups(ids, known_groups, pairs)
    found["width"], found["height"] = measures["width"], measures["height"]
    found["phash"] = [f"{value:016x}" for value in measures["phash"]]
    leaks = find_leaks(found, known_groups, pairs, same_files(root, found, pairs))
    found, cache = remove_leaks(leaks.left_out, found, cache, workspace, reporter)
    old_ids, labels = found["id"], list(found["label"])
    test_seed = derive_seed(options.seed, "test")
    found = split_test_set(found, root, competition, workspace, options.test, test_seed)
    index = Index(found.astype(str))
    index.check_disjoint()
    train = index.rows("train")
    label, group, source = (index.column(name, train) for name in ("label", "group", "source"))
    fold = make_folds(label, group, source, options.folds, derive_seed(options.seed, "folds"))
    # Test images may have got the ids of a sample submission.
    new_ids = dict(zip(old_ids, index.ids, strict=True))
    pairs = rename_ids(pairs, ["first", "second"], new_ids)
    write_leaks(workspace, leaks.renamed(new_ids), index, labels, fold)
    write_table(
        workspace.duplicates,
        pairs[pairs["first"].isin(index.ids) & pairs["second"].isin(index.ids)],
    )
    write_index(workspace.index, index)
    write_folds(workspace.folds, index.column("id", train), fold)
    write_json(
        workspace.prepared,
        {
            "competition": competition.model_dump(mode="json"),
            "data": str(root),
            "cache": cache.key,
            "rows": _rows_digest(index),
            "content": content_digest(root, list(index.table["path"])),
            "patients": patients,
            "pipeline": pipeline.text,
            "seed": options.seed,
            # With these options another machine makes the same folds.
            "options": {key: getattr(options, key) for key in _OPTIONS_OF_SPLITS},
        },
    )
    return PreparedData(competition, index, fold, cache, root)


def _labels(found: pd.DataFrame) -> list[str]:
    return list(found.loc[found["label"] != "", "label"].unique())


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
        readable = found[~found["path"].isin(error.paths)].reset_index(drop=True)
        if not skip_broken or readable.empty:
            raise
        reporter.note(f"Left out, since they cannot be read: {', '.join(error.paths)}")
        return readable, build(readable)


def load_prepared(competition: Competition, workspace: Workspace) -> PreparedData:
    """Reads what `prepare` wrote and checks it again for leaks.

    Raises:
        MissingError: prepare was not run, or not completed.
        DataError, LeakError: the files do not match, or were changed in a way that is not valid.
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
    unknown = sorted(labels - set(prepared.classes.names))
    if unknown:
        raise DataError(
            f"The index holds labels that are no class. Received: {shorten(unknown)} in "
            f"{workspace.index}. Use {', '.join(prepared.classes.names)}, or run prepare again."
        )
    cache = open_cache(workspace.cache / values["cache"])
    if values.get("rows") != _rows_digest(index):
        raise DataError(
            f"The index and the cache hold different images, or the same in another order. "
            f"Received: {len(index.table)} lines in {workspace.index}, {len(cache.images)} cached "
            "images. Run prepare again."
        )
    fold = read_folds(workspace.require(workspace.folds, "prepare"), index)
    if competition.folder is not None:
        _check_folder(values, index, competition.folder)
    return PreparedData(prepared, index, fold, cache, competition.folder or Path(values["data"]))


def _check_folder(values: dict[str, Any], index: Index, root: Path) -> None:
    paths = list(index.table["path"])
    check_content(values.get("content", ""), paths, Path(values["data"]), root)


def _rows_digest(index: Index) -> str:
    """Identifies the image of each row, since the cache has rows only."""
    return digest(list(index.table["path"]))
