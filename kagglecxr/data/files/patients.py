"""The patient of each image by an expression on its path."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd

from kagglecxr.core.errors import DataError, shorten


def find_patients(paths: "pd.Series[str]", expression: str) -> "pd.Series[str]":
    """Returns the patient of each image, or "" where the expression matches nothing.

    The expression's first group is searched in the file name or, if it is found in none of them, in
    the whole path: in some collections all files of a patient lie in one folder.

    Raises:
        DataError: no image has a patient, or all have the same one.
    """
    names = paths.map(lambda path: PurePosixPath(path).name)
    patients = _extract(names, expression)
    if not patients.any():
        patients = _extract(paths, expression)
    if not patients.any():
        raise DataError(
            f"The expression for patients matches no image. Received: {expression!r} and images "
            f"as {shorten(list(paths))}. Correct [layout] patient, or leave it out."
        )
    if len(paths) > 1 and patients.nunique() == 1:
        raise DataError(
            f"The expression for patients gives all images one patient. Received: {expression!r}, "
            f"which finds {patients.iloc[0]!r} in {shorten(list(paths))}. Correct [layout] patient."
        )
    return patients


def describe_patients(paths: Sequence[str], groups: Sequence[str]) -> str:
    """Says of how many images the patient is known.

    >>> describe_patients(["a.png", "b.png"], ["p1", ""])
    'Patients: 1 of 2 images, 1 without, such as b.png.'
    """
    without = [path for path, group in zip(paths, groups, strict=True) if not group]
    if not without:
        return f"Patients: all {len(paths):,} images."
    if len(without) == len(paths):
        return f"Patients: none of {len(paths):,} images; those of one may be in several folds."
    known = len(paths) - len(without)
    some = f"{known:,} of {len(paths):,} images, {len(without):,} without"
    return f"Patients: {some}, such as {shorten(without)}."


def _extract(texts: "pd.Series[str]", expression: str) -> "pd.Series[str]":
    return texts.str.extract(expression, expand=True)[0].fillna("")
