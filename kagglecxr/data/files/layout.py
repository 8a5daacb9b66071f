"""Finds the images of a data folder and what its paths and tables say about each."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.class_folders import FoldersFound, find_class_folders
from kagglecxr.data.files.listing import FolderFiles, list_files, sub_folders
from kagglecxr.data.files.masks import find_masks, masks_by_pattern
from kagglecxr.data.files.merging import merged_folder, merged_rows
from kagglecxr.data.files.metadata import with_metadata, with_sources
from kagglecxr.data.files.patients import find_patients
from kagglecxr.data.files.patterns import match_patterns
from kagglecxr.data.files.sample import SampleSubmission, own_sample
from kagglecxr.data.files.splits_by_table import labelled_rows
from kagglecxr.data.images.image import SUFFIXES
from kagglecxr.data.schema import Classes, Layout

COLUMNS = ["id", "path", "label", "split", "group", "source", "mask", "mask_source"]


@dataclass(frozen=True)
class FoundImages:
    """The images of a data folder.

    Attributes:
        table: text, `id,path,label,split,group,source,mask,mask_source`, sorted by id. Paths are
            relative to the data folder (or absolute, for data merged from an absolute folder) and
            have forward slashes; unknown values are empty. Test images have their label if the
            layout has it: whoever writes the index must remove it.
        summary: a line that says what was taken for what, and what was left out.
        sample: the sample submission that the layout names.
        multilabel: whether an image may have several labels, joined as findings.
        findings: the columns that are findings, whether an image has them or not.
    """

    table: pd.DataFrame
    summary: str
    sample: SampleSubmission | None = None
    multilabel: bool = False
    findings: tuple[str, ...] = ()


def find_images(root: Path, competition: Competition) -> FoundImages:
    """Lists all images of a data folder and of the data sets merged with it, without opening any.

    Raises:
        MissingError: the folder, or a table that the layout names, does not exist.
        DataError: no images, a class without images, or labels that match no image.
    """
    if not root.is_dir():
        raise MissingError(
            f"The data folder does not exist. Received: {root}. "
            "Name the folder that holds the images with --data."
        )
    sample = own_sample(root, competition.layout)
    classes = competition.classes
    own = _find_data_set(root, competition.layout, classes, class_folders(competition), sample)
    tables = [own.table]
    for part in competition.merge:
        folder = merged_folder(root, part)
        layout = Layout(train=part.train, patient=part.patient)
        merged = _find_data_set(folder, layout, classes, part.classes, None).table
        # All of it is for training, whatever it was meant for.
        merged = merged[merged["label"] != ""].assign(split="train")
        tables.append(merged_rows(merged, folder, root, part))
    table = pd.concat(tables).drop_duplicates("path")
    if own.multilabel:
        competition = competition.with_findings(own.findings)
    _check_labels(table, competition, root)
    table = table.sort_values("id")[COLUMNS].reset_index(drop=True)
    return FoundImages(table, own.summary, sample, own.multilabel, own.findings)


def class_folders(competition: Competition) -> dict[str, str]:
    """Returns the class of each class folder."""
    classes = competition.classes
    return {classes.folders.get(name, name): name for name in classes.names}


def _find_data_set(
    root: Path,
    layout: Layout,
    classes: Classes,
    folders: dict[str, str],
    sample: SampleSubmission | None,
) -> FoundImages:
    files = list_files(root)
    masks = {} if layout.masks else find_masks(files.images)
    are_masks = set(masks.values())
    images = [path for path in files.images if path not in are_masks]
    labels = None
    if layout.train or layout.labels:
        table, summary, labels = labelled_rows(root, layout, classes, folders, images, sample)
        passed_over = list(match_patterns(files.others, [*layout.train, *layout.test], folders))
    else:
        tests = match_patterns(images, layout.test, folders)
        found = find_class_folders([path for path in images if path not in tests], folders)
        without = sorted(set(sub_folders(root / found.inside)) - set(found.sub_folders))
        table, summary = _rows_of_folders(found, tests), _describe_folders(found, without)
        used = {PurePosixPath(path).parent for path in found.images}
        passed_over = [path for path in files.others if PurePosixPath(path).parent in used]
    if table.empty:
        raise _no_images(root, layout, folders, files.images)
    if layout.masks:
        masks = masks_by_pattern(root, table, layout.masks, folders)
    table["mask"] = [masks.get(path, "") for path in table["path"]]
    table["mask_source"] = ""
    if layout.patient:
        table["group"] = find_patients(table["path"], layout.patient)
    table = _with_tables(table, root, layout, files.images)
    table = table[~table["path"].isin(set(table["mask"]))].reset_index(drop=True)
    if layout.test_patients_apart:
        is_known = (table["split"] == "test") & (table["group"] != "")
        table["group"] = table["group"].mask(is_known, "test/" + table["group"])
    table["id"] = _make_ids(table["path"])
    with_mask = int((table["mask"] != "").sum())
    if with_mask or layout.masks:
        summary += f" Masks: {with_mask:,}."
    rest = _describe_rest(passed_over, files)
    listed = FoundImages(table, f"{summary}{rest}")
    if labels is None:
        return listed
    return replace(listed, multilabel=labels.multilabel, findings=labels.findings)


def _no_images(root: Path, layout: Layout, folders: dict[str, str], images: list[str]) -> DataError:
    held = shorten(layout.train or list(folders)) or "one sub-folder per class"
    if "{class}" in held:
        held += f" with {shorten(list(folders))} for {{class}}"
    if images:
        held += f"; its {len(images):,} images are elsewhere, such as {shorten(images)}"
    return DataError(
        f"No images were found. Received: {root}, which should hold {held}. Check the folder, or "
        "its layout in a TOML file."
    )


def _with_tables(table: pd.DataFrame, root: Path, layout: Layout, files: list[str]) -> pd.DataFrame:
    """Adds what sheets and the metadata say, and refuses one patient for all."""
    table = with_sources(table, root)
    metadata = root / layout.metadata
    if layout.metadata and "metadata" in layout.model_fields_set and not metadata.is_file():
        raise MissingError(
            f"The table of [layout] metadata is missing. Received: {metadata}. Correct the name."
        )
    table = with_metadata(table, metadata, root / layout.labels, files)
    groups = set(table["group"])
    if len(table) > 1 and len(groups) == 1 and groups != {""}:
        raise DataError(
            f"All images are of one patient or group. Received: {groups.pop()!r} for "
            f"{len(table):,} images. Correct the table that says so, or leave that column out."
        )
    return table


def _rows_of_folders(found: FoldersFound, tests: dict[str, str]) -> pd.DataFrame:
    rows = [(path, image.label, image.split, "", "") for path, image in found.images.items()]
    rows += [(path, label, "test", "", "") for path, label in tests.items()]
    return pd.DataFrame(rows, columns=["path", "label", "split", "group", "source"])


def _describe_folders(found: FoldersFound, without: list[str]) -> str:
    images = Counter(image.label for image in found.images.values() if image.label)
    classes = ", ".join(f"{label} {count:,}" for label, count in images.items())
    where = f"{found.inside}: " if found.inside else ""
    if found.parts:
        what = {"train": "for training", "test": "the test set"}
        parts = "; ".join(
            f"{'/ and '.join(names)}/ {'are' if names[1:] else 'is'} {what[part]}"
            for part, names in found.parts.items()
            if names
        )
        where += f"{parts}; "
    tests = sum(image.split == "test" for image in found.images.values())
    if tests and not found.parts.get("test"):
        classes += f", {tests:,} of them in folders of a test set"
    others = [*found.left_out, *(f"{name}/ without images" for name in without)]
    left_out = f" Left out: {', '.join(others)}." if others else ""
    return f"Data: {where}folders are the classes {classes}.{left_out}"


def _describe_rest(passed_over: list[str], files: FolderFiles) -> str:
    suffixes = Counter(PurePosixPath(path).suffix or "without suffix" for path in passed_over)
    counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common())
    text = f" Passed over, since no images: {counts}." if counts else ""
    if files.dangling:
        text += f" Links to nothing: {len(files.dangling):,}, {shorten(files.dangling)}."
    return text


def _make_ids(paths: "pd.Series[str]") -> list[str]:
    """File names without suffix or, if two are equal, whole paths without suffix."""
    stems = [PurePosixPath(path).stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    whole = [str(PurePosixPath(path).with_suffix("")) for path in paths]
    return whole if len(set(whole)) == len(whole) else list(paths)


def _check_labels(table: pd.DataFrame, competition: Competition, root: Path) -> None:
    names, labels = competition.classes.names, set(competition.classes.of_cells(table["label"]))
    if not labels:
        raise DataError(
            f"No image has a label. Received: {len(table)} images of {root}. Put {{class}} into "
            "[layout] train, or name a table of labels under [layout] labels."
        )
    if not names:
        _check_found_classes(table, labels, root)
        return
    unknown, absent = sorted(labels - set(names)), [name for name in names if name not in labels]
    if unknown:
        raise DataError(
            f"Labels were found that the competition does not name. Received: {shorten(unknown)}. "
            f"Add them under [classes] names, which are {', '.join(names)}."
        )
    if absent and not competition.classes.multilabel:
        folders = [folder for folder, name in class_folders(competition).items() if name in absent]
        raise DataError(
            f"A class has no images. Received: none for {shorten(absent)} in {root}, looked for "
            f"{', '.join(sorted(SUFFIXES))}. Check [layout], or the folders {shorten(folders)}."
        )


def _check_found_classes(table: pd.DataFrame, labels: set[str], root: Path) -> None:
    spellings = Counter(label.casefold() for label in labels)
    alike = sorted(label for label in labels if spellings[label.casefold()] > 1)
    if alike:
        raise DataError(
            f"Labels differ in capital letters alone. Received: {shorten(alike)}. Write each class "
            "in one way, or list both under [classes] names."
        )
    if len(labels) == 1:
        (only,) = labels
        raise DataError(
            f"All images are of one class. Received: {len(table)} images of {only!r} in {root}. "
            "Add a folder of another class, name the folder that holds the class folders, or "
            "describe a table of labels in a TOML file."
        )
