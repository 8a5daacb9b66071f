"""The labels of a test set that has a table of its own, as CheXpert's valid.csv."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.files.label_table import Labels, read_labels
from kagglecxr.data.files.tables import list_tables
from kagglecxr.data.schema import Classes, Layout


def with_test_labels(
    labels: Labels,
    root: Path,
    layout: Layout,
    classes: Classes,
    images: Sequence[str],
    test: Sequence[str],
) -> Labels:
    """Adds what the layout's table of test labels says; the images that it names are the test set.

    The table has the columns of the table of labels. Only the rehearsal reads its labels.

    Args:
        labels: what the table of labels says.
        root: the data folder.
        layout: names the table.
        classes: of the competition.
        images: paths of all images.
        test: those that patterns say are the test set; without any, the table alone tells them.

    Raises:
        MissingError: there is no such table.
        DataError: it names no image or one of the training set, has other findings than the table
            of labels, or leaves out a test image.
    """
    path = root / layout.test_labels
    if not path.is_file():
        raise MissingError(
            f"The table of test labels is missing. Received: {path}. Correct [layout] test_labels, "
            f"or download it; there is {shorten(list_tables(root)) or 'no table'}."
        )
    # What the table of labels has shown holds for this one, in which it may not show.
    several = {"multilabel": True, "names": classes.names or list(labels.findings)}
    known = classes.model_copy(update=several) if labels.multilabel else classes
    own = layout.model_copy(update={"labels": layout.test_labels})
    theirs = read_labels(root, own, known, test or images, [])
    lacking = sorted(set(labels.findings) ^ set(theirs.findings))
    if lacking:
        raise DataError(
            f"The tables of labels have other findings. Received: {shorten(lacking)} in one of "
            f"{root / layout.labels} and {path}. Give both the same columns, or list the findings "
            "of both under [classes] names."
        )
    named = theirs.rows[theirs.rows["label"] != ""]
    if named.empty:
        raise DataError(
            f"The table of test labels names no image. Received: {path} with the ids "
            f"{shorten(theirs.ids)}; images are {shorten(list(test or images))}. Correct [layout] "
            "test or test_labels."
        )
    both = sorted(set(named.index) & set(labels.rows.index))
    if both:
        raise DataError(
            f"Images are in the table of labels and in that of the test labels. Received: "
            f"{len(both):,} of them, {shorten(both)}. Take them out of {layout.labels}, or name "
            "the test set by [layout] test_list."
        )
    without = sorted(set(test) - set(named.index))
    if without:
        raise DataError(
            f"Test images have no label in the table of test labels. Received: {len(without):,} "
            f"of them, {shorten(without)}, and {path}. Complete the table, or correct [layout] "
            "test."
        )
    rows = pd.concat([labels.rows, named.assign(split="test")])
    return replace(labels, rows=rows)
