"""The table and the pictures of a search."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import read_table
from kagglecxr.reports.search_report import plot_history, plot_importances, report_search

TRIALS = pd.DataFrame(
    {
        "trial": [0, 1, 2, 4],
        "state": ["finished", "pruned", "finished", "finished"],
        "score": [0.5, 0.2, 0.4, 0.7],
    }
)


@pytest.mark.parametrize(("greater", "best"), [(True, [0.5, 0.5, 0.7]), (False, [0.5, 0.4, 0.4])])
def test_the_best_so_far_is_a_line(greater: bool, best: list[float]) -> None:
    axes = plot_history(TRIALS, "accuracy", greater_is_better=greater).axes[0]
    (line,) = axes.lines
    assert np.asarray(line.get_xdata()).tolist() == [0, 2, 4]
    assert np.asarray(line.get_ydata()).tolist() == best
    finished, pruned = (np.asarray(drawn.get_offsets()).tolist() for drawn in axes.collections)
    assert finished == [[0, 0.5], [2, 0.4], [4, 0.7]]
    assert pruned == [[1, 0.2]]
    assert axes.get_ylabel() == "accuracy"


def test_the_greatest_importance_is_on_top() -> None:
    axes = plot_importances({"epochs": 0.2, "learning_rate": 0.8}, "accuracy").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["learning_rate", "epochs"]
    assert [text.get_text() for text in axes.texts] == ["80%", "20%"]
    assert axes.yaxis_inverted()


def test_the_files_of_a_search(tmp_path: Path) -> None:
    paths = report_search(tmp_path, TRIALS, {"epochs": 1.0}, "accuracy", greater_is_better=True)
    assert [path.name for path in paths] == ["trials.csv", "history.png", "importances.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert read_table(paths[0])["trial"].tolist() == ["0", "1", "2", "4"]
    assert all(cv2.imread(str(path)) is not None for path in paths[1:])


def test_importances_that_are_not_known_any_more_leave_no_picture(tmp_path: Path) -> None:
    for importances in ({"epochs": 1.0}, {}):
        report_search(tmp_path, TRIALS, importances, "accuracy", greater_is_better=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.png", "trials.csv"]
