"""The prepared data of a competition: read again, checked, with what its TOML says now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.files import digest, read_json
from kagglecxr.core.findings import truth_of_findings
from kagglecxr.core.metrics import Truth
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache, open_cache
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.content import check_content
from kagglecxr.data.files.sample import SampleSubmission
from kagglecxr.data.index import Index, read_folds, read_index
from kagglecxr.data.sample_form import with_sample_form
from kagglecxr.data.schema import SubmissionSettings


@dataclass(frozen=True)
class PreparedData:
    """The prepared data of a competition.

    Attributes:
        fold: (n_train,) int, of each training image.
        summary: what in the data folder was taken for what, and whose patients are known.
    """

    competition: Competition
    index: Index
    fold: npt.NDArray[np.intp]
    cache: Cache
    root: Path
    summary: tuple[str, str]

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

    def findings(self) -> npt.NDArray[np.float32]:
        """Returns (n_train, targets): 1 for a finding that is there, 0 else, NaN where not known.

        Of classes of which each image has one, these are one-hot.
        """
        labels = self.index.column("label", self.index.rows("train"))
        return truth_of_findings(labels, self.competition.targets())

    def truth(self) -> Truth:
        """Returns what is true of each training image, as metrics take it: ids or findings."""
        return self.findings() if self.competition.classes.multilabel else self.target_ids()

    def groups(self) -> npt.NDArray[np.object_]:
        """Returns (n_train,) text, the group of each training image in the index's order."""
        return np.array(self.index.column("group", self.index.rows("train")), dtype=object)

    def _label_ids(self, id_of: dict[str, int]) -> npt.NDArray[np.intp]:
        labels = self.index.column("label", self.index.rows("train"))
        return np.array([id_of[label] for label in labels], np.intp)


def load_prepared(competition: Competition, workspace: Workspace) -> PreparedData:
    """Reads what `prepare` wrote and checks it again for leaks.

    What has changed in the competition's TOML since then and needs no other images holds at once.

    Raises:
        MissingError: prepare was not run, not completed, or of an older version.
        DataError, LeakError: the files do not match, or were changed in a way that is not valid.
    """
    values = read_json(workspace.require(workspace.prepared, "prepare"))
    missing = sorted({"given", "summary"} - values.keys())
    if missing:
        raise MissingError(
            f"The data were prepared by an older version. Received: {workspace.prepared} without "
            f"{', '.join(missing)}. Run: {workspace.command('prepare')}"
        )
    prepared = _with_changes(competition, values, workspace)
    index = read_index(workspace.require(workspace.index, "prepare"))
    index.check_disjoint()
    labels = set(prepared.classes.of_cells(index.column("label", index.rows("train"))))
    unknown = sorted(labels - set(prepared.classes.names))
    if unknown:
        raise DataError(
            f"The index holds labels that are no class. Received: {shorten(unknown)} in "
            f"{workspace.index}. Use {', '.join(prepared.classes.names)}, or run prepare again."
        )
    cache = open_cache(workspace.cache / values["cache"])
    if values.get("rows") != rows_digest(index):
        raise DataError(
            f"The index and the cache hold different images, or the same in another order. "
            f"Received: {len(index.table)} lines in {workspace.index}, {len(cache.images)} cached "
            "images. Run prepare again."
        )
    fold = read_folds(workspace.require(workspace.folds, "prepare"), index)
    if competition.folder is not None:
        check_folder(values, index, competition.folder)
    root = competition.folder or Path(values["data"])
    if competition.images is not None and not root.is_dir():
        # The TOML was moved together with the images that it describes.
        root = competition.images
        check_folder(values, index, root)
    summary = (str(values["summary"]), str(values["patients"]))
    return PreparedData(prepared, index, fold, cache, root, summary)


def _with_changes(
    competition: Competition, values: dict[str, Any], workspace: Workspace
) -> Competition:
    """Returns the prepared competition with what the TOML says now.

    Raises:
        DataError: the TOML describes other images, classes or sample ids than the prepared ones.
    """
    prepared = Competition.model_validate(values["competition"])
    before = Competition.model_validate(values["given"])
    own_sample = prepared.layout.sample and workspace.sample_submission.is_file()
    fixed = ("classes", "layout", "merge", *(() if own_sample else ("submission",)))
    changed = [name for name in fixed if not _is_same(name, competition, before, prepared)]
    if changed:
        shown = ", ".join(f"[{name}]" for name in changed)
        raise DataError(
            f"The competition's TOML has changed since the data were prepared. Received: other "
            f"{shown}. Run: {prepare_again(workspace)}"
        )
    if prepared.classes.multilabel:
        # Its form of submissions is another, where the TOML says nothing of it.
        competition = competition.with_findings()
    free = ("title", "source", "metric", "submission", "folder", "images")
    now = {name: getattr(competition, name) for name in free}
    if own_sample:
        # What the TOML leaves out the sample has said.
        said = competition.submission.model_dump(include=competition.submission.model_fields_set)
        both = prepared.submission.model_dump() | said
        now["submission"] = SubmissionSettings.model_validate(both)
        updated = prepared.model_copy(update=now)
        sample = SampleSubmission.read(workspace.sample_submission)
        return with_sample_form(updated, prepared.classes.names, sample)
    return prepared.model_copy(update=now)


def _is_same(
    name: str, competition: Competition, before: Competition, prepared: Competition
) -> bool:
    """Whether a table of the TOML is as it was, or as `prepare` has completed it."""
    now, completed = getattr(competition, name), getattr(prepared, name)
    if name != "classes" or not prepared.classes.multilabel:
        return now in (getattr(before, name), completed)
    # The table of labels may have said that there are several, but the TOML may not deny it.
    is_denied = "multilabel" in now.model_fields_set and not now.multilabel
    said = competition.with_findings(completed.names).classes
    return not is_denied and said == completed


def prepare_again(workspace: Workspace, **changes: str) -> str:
    """Returns the command that prepares a workspace again, with its options but for some."""
    if not workspace.prepared.is_file():
        return workspace.command("prepare", *(f"--{key}={value}" for key, value in changes.items()))
    return prepare_command(workspace, read_json(workspace.prepared), **changes)


def prepare_command(workspace: Workspace, values: dict[str, Any], **changes: str) -> str:
    """Returns the command that prepares a workspace with the options of a prepare.json."""
    options = {
        "data": values["data"],
        **values["options"],
        "seed": values["seed"],
        **changes,
    }
    if Path(workspace.given).resolve() == Path(values["data"]):
        del options["data"]
    skip = ["--skip-broken"] if values["skip_broken"] else []
    return workspace.command("prepare", *(f"--{k}={v}" for k, v in options.items()), *skip)


def check_folder(values: dict[str, Any], index: Index, root: Path) -> None:
    """Checks that a folder holds the images that a workspace was prepared from."""
    paths = list(index.table["path"])
    check_content(values.get("content", ""), paths, Path(values["data"]), root)


def rows_digest(index: Index) -> str:
    """Identifies the image of each row, since the cache has rows only."""
    return digest(list(index.table["path"]))
