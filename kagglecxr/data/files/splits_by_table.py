"""Images of a layout's patterns, and which of them its tables say are for training."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.findings import NOT_KNOWN, SEPARATOR
from kagglecxr.data.files.label_table import Labels, read_labels
from kagglecxr.data.files.matching import column_of_ids, match_paths
from kagglecxr.data.files.patterns import match_patterns
from kagglecxr.data.files.sample import SampleSubmission
from kagglecxr.data.files.tables import list_tables
from kagglecxr.data.files.test_labels import with_test_labels
from kagglecxr.data.schema import Classes, Layout


def labelled_rows(
    root: Path,
    layout: Layout,
    classes: Classes,
    folders: dict[str, str],
    images: Sequence[str],
    sample: SampleSubmission | None,
) -> tuple[pd.DataFrame, str, Labels | None]:
    """Returns `path,label,split,group,source` of the images that a layout describes, and a line.

    The third is what the table of labels says, if there is one.

    Patterns say which images are for training and which are the test set. Where both mean an image,
    or there are none for training, the table of labels and the sample submission say it.

    Raises:
        DataError: an image without a label, with two, or in both tables.
    """
    test = match_patterns(images, layout.test, folders)
    if layout.train:
        train = match_patterns(images, layout.train, folders)
    else:
        train = {path: "" for path in images if path not in test}
    labels = None
    if layout.labels:
        others = [path for path in test if path not in train]
        labels = read_labels(
            root, layout, classes, list(train), [] if layout.test_labels else others
        )
    if labels and layout.test_labels:
        labels = with_test_labels(labels, root, layout, classes, images, list(test))
        named_by_table = labels.rows.index[labels.rows["split"] == "test"]
        test |= {path: "" for path in named_by_table if path not in test}
    table = pd.DataFrame(
        [
            *((path, label, "train") for path, label in train.items()),
            *((path, label, "test") for path, label in test.items() if path not in train),
        ],
        columns=["path", "label", "split"],
    ).assign(group="", source="")
    said = f"Data: {shorten(layout.train) or 'images that the tables name'} for training"
    if layout.test:
        said += f", {shorten(layout.test)} for the test set{'' if test else ' (no image)'}"
    if labels is None:
        return table, f"{said}.", None
    undecided = set(test) & set(train) if layout.train else set(train)
    findings = classes.model_copy(update={"multilabel": labels.multilabel})
    named = {*findings.of_cells(labels.rows["label"]), *folders.values()}
    asked = _asked_for(undecided, sample, named)
    table = _decide(table, undecided, labels, asked, layout)
    form = f" ({labels.form})" if labels.form else ""
    matched = f"of whose {len(set(labels.ids)):,} ids {labels.named:,} have an image"
    table = _with_labels(table, labels, layout)
    if layout.test_list:
        named = _listed(root / layout.test_list, list(table["path"]))
        table["split"] = table["split"].mask(table["path"].isin(named), "test")
        said += f", {len(named):,} images that {layout.test_list} names for the test set"
    cells = table.loc[table["split"] == "train", "label"]
    if labels.multilabel:
        known = cells.str.split(SEPARATOR, regex=False).explode()
        cells = known[~known.str.startswith(NOT_KNOWN)]
    counts = cells.value_counts(sort=labels.multilabel)
    shown = ", ".join(f"{label} {count:,}" for label, count in counts.items())
    said += f", labels of {layout.labels}{form}, {matched}: {shown}."
    if layout.test_labels:
        tests = int((table["split"] == "test").sum())
        said += f" Labels of the {tests:,} test images: {layout.test_labels}."
    if passed := len({*train, *test}) - len(table):
        said += f" Left out: {passed:,} images that no table names."
    return table, said, labels


def _listed(path: Path, images: Sequence[str]) -> set[str]:
    """The images whose names are the lines of a file.

    Raises:
        MissingError: there is no such file.
        DataError: it names no image.
    """
    if not path.is_file():
        raise MissingError(
            f"The list of the test set does not exist. Received: {path}. Correct [layout] "
            f"test_list; there is {shorten(list_tables(path.parent)) or 'no table'}."
        )
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    named = set(match_paths([line for line in lines if line], images).image_of.values())
    if not named:
        raise DataError(
            f"The list of the test set names no image. Received: {path}, which begins with "
            f"{shorten(lines[:3]) or 'nothing'}; images are {shorten(list(images))}. Correct "
            "[layout] test_list."
        )
    return named


def _asked_for(undecided: set[str], sample: SampleSubmission | None, classes: set[str]) -> set[str]:
    """The images that a sample submission names."""
    if sample is None or not undecided:
        return set()
    images = sorted(undecided)
    ids = list(sample.table[column_of_ids(sample.table, images)])
    matches = match_paths(ids, images)
    if not matches.image_of:
        # In a long sample the name of a class stands behind each id.
        parts = [one.rpartition("_") for one in ids]
        matches = match_paths([image for image, _, label in parts if label in classes], images)
    return set(matches.image_of.values())


def _decide(
    table: pd.DataFrame, undecided: set[str], labels: Labels, asked: set[str], layout: Layout
) -> pd.DataFrame:
    """Gives undecided images the split that the tables say; leaves out what neither names."""
    says_something = (labels.rows["label"] != "") | (labels.rows["split"] == "test")
    labelled = undecided & set(labels.rows.index[says_something])
    both = sorted(labelled & asked)
    if both:
        raise DataError(
            f"Images are in the table of labels and in the sample submission. Received: "
            f"{len(both):,} of them, {shorten(both)}. Correct {layout.labels} or {layout.sample}, "
            "or describe both sets under [layout] train and test."
        )
    is_test = table["path"].isin(asked)
    is_left_out = table["path"].isin(undecided - labelled - asked)
    table = table.assign(split=table["split"].mask(is_test, "test"))
    return table[~is_left_out].reset_index(drop=True)


def _with_labels(table: pd.DataFrame, labels: Labels, layout: Layout) -> pd.DataFrame:
    rows = labels.rows.reindex(table["path"]).fillna("").reset_index(drop=True)
    train = table["split"] == "train"
    differ = (
        train & (table["label"] != "") & (rows["label"] != "") & (table["label"] != rows["label"])
    )
    if differ.any():
        shown = [
            f"{path} is {of_table!r} in the table"
            for path, of_table in zip(
                table.loc[differ, "path"], rows.loc[differ, "label"], strict=True
            )
        ]
        raise DataError(
            f"Folders and the table of labels disagree. Received: {int(differ.sum()):,} images, "
            f"{shorten(shown)}. Correct {layout.labels}, or leave {{class}} or [layout] labels out."
        )
    is_test = rows["split"] == "test"
    taken = (train | is_test) & (rows["label"] != "")
    table = table.assign(
        label=table["label"].mask(taken, rows["label"]),
        split=table["split"].mask(is_test, "test"),
        group=rows["group"],
        source=rows["source"],
    )
    train = table["split"] == "train"
    unlabelled = train & (table["label"] == "")
    if unlabelled.any():
        raise DataError(
            f"{int(unlabelled.sum())} training images have no label in {layout.labels}. Received: "
            f"the images {shorten(list(table.loc[unlabelled, 'path']))}, and the ids "
            f"{shorten(labels.ids)}. Correct [layout] train or label_id, or label them."
        )
    return table
