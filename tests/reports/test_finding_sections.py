"""Errors of findings, the surest first, and findings that stand together."""

import numpy as np

from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.finding_sections import cooccurrence_figure, finding_errors

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


def test_shares_are_of_the_images_with_the_finding_of_the_row() -> None:
    figure = cooccurrence_figure(TRUTH, OUTPUTS, ["Edema", "Mass"])
    true, predicted = (np.asarray(axes.images[0].get_array()) for axes in figure.axes[:2])
    assert np.allclose(true, [[1, 1 / 2], [1 / 2, 1]])
    # Of the two with an edema one is said to have it, and both are said to have a mass.
    assert np.allclose(predicted, [[1 / 2, 1], [0, 1 / 2]])


def test_all_images_are_one_and_not_nought() -> None:
    figure = cooccurrence_figure(TRUTH, OUTPUTS, ["Edema", "Mass"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", ".50", ".50", "1.00"]
