"""The patient of each image by an expression on its path."""

import warnings
from pathlib import PurePosixPath

import pandas as pd

from kagglecxr.core.errors import CxrWarning, DataError, shorten


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
    without = paths[patients == ""]
    if len(without) == len(paths):
        raise DataError(
            f"The expression for patients matches no image. Received: {expression!r} and images "
            f"as {shorten(list(paths))}. Correct [layout] patient, or leave it out."
        )
    if len(paths) > 1 and patients.nunique() == 1:
        raise DataError(
            f"The expression for patients gives all images one patient. Received: {expression!r}, "
            f"which finds {patients.iloc[0]!r} in {shorten(list(paths))}. Correct [layout] patient."
        )
    if len(without):
        told = f"Patients: {len(paths) - len(without)} of {len(paths)} images, {len(without)} "
        told += f"without, such as {shorten(list(without))}."
        warnings.warn(CxrWarning(told), stacklevel=2)
    return patients


def _extract(texts: "pd.Series[str]", expression: str) -> "pd.Series[str]":
    return texts.str.extract(expression, expand=True)[0].fillna("")
