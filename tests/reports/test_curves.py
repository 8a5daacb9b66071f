"""Figures of probabilities: what their lines are, with scikit-learn as the judge."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from kagglecxr.core.intervals import Interval
from kagglecxr.reports.curves import (
    reliability_diagram,
    roc_and_precision_recall,
    score_intervals,
)
from kagglecxr.reports.error_grid import error_grid
from kagglecxr.reports.run_figures import class_areas, class_errors, class_scores, shorten_name

NAMES = ["covid-19", "normal", "viral-pneumonia"]
RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet(np.ones(3), 60).astype(np.float32)
TRUTH = np.where(RANDOM.random(60) < 0.5, PROBABILITIES.argmax(axis=1), RANDOM.integers(3, size=60))


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_scores_are_dots_with_their_intervals_the_first_on_top() -> None:
    scores = [Interval(0.8, 0.7, 0.85), Interval(0.6, np.nan, np.nan)]
    axes = score_intervals(["best", "second"], scores, [True, False], "accuracy").axes[0]
    lines = [np.asarray(line.get_xdata()).tolist() for line in axes.lines]
    assert lines[:2] == [[0.7, 0.85], [0.8]]
    assert lines[3] == [0.6]
    assert [line.get_marker() for line in axes.lines[1::2]] == ["D", "o"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["best", "second"]
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "out-of-fold accuracy"


def test_a_best_without_an_interval_can_be_drawn() -> None:
    axes = score_intervals(["a"], [Interval(0.8, np.nan, np.nan)], [False], "auc").axes[0]
    assert len(axes.patches) == 0


def test_curves_and_areas_are_scikit_learns() -> None:
    figure = roc_and_precision_recall(TRUTH, PROBABILITIES, NAMES)
    for target, (line, label) in enumerate(
        zip(figure.axes[0].lines[1:], labels(figure), strict=True)
    ):
        is_target, scored = target == TRUTH, PROBABILITIES[:, target]
        x, y, _ = roc_curve(is_target, scored)
        np.testing.assert_allclose(np.asarray(line.get_xdata()), x)
        np.testing.assert_allclose(np.asarray(line.get_ydata()), y)
        auc, average = roc_auc_score(is_target, scored), average_precision_score(is_target, scored)
        assert label == f"{NAMES[target]}: AUC {auc:.3f}, AP {average:.3f}"


def test_the_guess_of_precision_is_the_share_of_the_class() -> None:
    right = roc_and_precision_recall(TRUTH, PROBABILITIES, NAMES).axes[1]
    guesses = [np.asarray(line.get_ydata())[0] for line in right.lines[1::2]]
    assert guesses == pytest.approx([(target == TRUTH).mean() for target in range(3)])


def test_a_class_without_images_has_no_curve() -> None:
    figure = roc_and_precision_recall(TRUTH % 2, PROBABILITIES, NAMES)
    assert [label.split(":")[0] for label in labels(figure)] == NAMES[:2]


def test_areas_of_a_class_are_scikit_learns_and_unknown_without_images() -> None:
    table = class_areas(TRUTH % 2, PROBABILITIES)
    for target in (0, 1):
        is_target, scored = target == TRUTH % 2, PROBABILITIES[:, target]
        assert table["auc"][target] == pytest.approx(roc_auc_score(is_target, scored))
        precision = average_precision_score(is_target, scored)
        assert table["average_precision"][target] == pytest.approx(precision)
    assert table.loc[2].isna().all()


def test_bars_of_reliability_are_accuracies_by_hand() -> None:
    before = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]], np.float32)
    truth = np.array([0, 1, 1, 1])
    figure = reliability_diagram(truth, before, None)
    upper = figure.axes[0]
    heights = [bar.get_height() for bar in upper.patches]  # type: ignore[attr-defined]
    assert heights == [1.0, 0.5]
    assert "calibration error 0.350" in upper.get_title()
    images = [bar.get_height() for bar in figure.axes[2].patches]  # type: ignore[attr-defined]
    assert images == [2, 2]
    assert not figure.axes[1].axison


def test_reliability_is_drawn_before_and_after() -> None:
    figure = reliability_diagram(TRUTH, PROBABILITIES, np.full_like(PROBABILITIES, 1 / 3))
    titles = [axes.get_title().split(":")[0] for axes in figure.axes[:2]]
    assert titles == ["as they are", "calibrated"]


@pytest.mark.parametrize(("classes", "is_beside"), [(3, True), (9, False)])
def test_many_classes_are_drawn_one_below_the_other(classes: int, is_beside: bool) -> None:
    names = [f"class {number}" for number in range(classes)]
    confusion = np.eye(classes, dtype=np.int64)
    figure = class_errors(confusion, names, class_scores(confusion, names))
    first, second = (axes.get_subplotspec() for axes in figure.axes)
    assert first is not None
    assert second is not None
    assert (first.rowspan == second.rowspan) is is_beside


def test_long_names_lose_their_middle() -> None:
    assert shorten_name("viral-pneumonia") == "viral-pneumonia"
    assert shorten_name("a" * 30 + "b" * 30, 10) == "aaaaa…bbbbb"


def test_errors_are_pictures_with_both_classes(tmp_path: Path) -> None:
    errors = pd.DataFrame(
        {
            "id": ["b1", "a1"], "true": NAMES[:2], "predicted": NAMES[1:],
            "confidence": [0.9, 0.7], "true_probability": [0.05, 0.2],
        }
    )  # fmt: skip
    images = [np.full((8, 8), 7, np.uint8), np.zeros((8, 8, 3), np.uint8)]
    figure = error_grid(images, errors)
    assert figure.axes[0].get_title() == "b1\nnormal 90%\ntrue: covid-19 5%"
    drawn = figure.axes[0].images[0].get_array()
    assert drawn is not None
    assert drawn[0, 0] == 7
    assert [axes.axison for axes in figure.axes] == [True, True, False, False]
