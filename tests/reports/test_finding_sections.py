"""Errors of findings, the surest first."""

import numpy as np

from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.finding_sections import finding_errors

TRUTH = np.array([[1, 0], [1, 1], [0, np.nan], [0, 1]], float)
OUTPUTS = np.array([[0.9, 0.6], [0.1, 0.7], [0.8, 0.9], [0.2, 0.45]], np.float32)
OOF = Predictions(np.array(["a", "b", "c", "d"]), OUTPUTS, TRUTH)


def test_errors_are_cells_and_the_surest_first() -> None:
    errors = finding_errors(OOF, ["Edema", "Mass"])
    assert errors[["id", "finding", "error"]].to_numpy().tolist() == [
        ["b", "Edema", "missed"],
        ["c", "Edema", "false alarm"],
        ["a", "Mass", "false alarm"],
        ["d", "Mass", "missed"],
    ]
