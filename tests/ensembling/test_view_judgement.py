"""A set of views is chosen where choosing it is better on images it was not chosen by."""

import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.paired_tests import compare_paired
from kagglecxr.ensembling.view_judgement import JudgedViews, judge_views

TRUTH = np.arange(60) % 2
GROUPS = np.array([f"patient {number // 2}" for number in range(60)], dtype=object)
FOLDS = np.arange(60) // 2 % 3
ACCURACY = METRICS["accuracy"]


def right(*wrong: int) -> npt.NDArray[np.float32]:
    """Predictions that are all right but for some rows."""
    predicted = TRUTH.copy()
    predicted[list(wrong)] = 1 - predicted[list(wrong)]
    return np.eye(2, dtype=np.float32)[predicted]


def judge(
    sets: dict[str, npt.NDArray[np.float32]], metric: str = "accuracy"
) -> dict[str, JudgedViews]:
    random = np.random.default_rng(0)
    judgement = judge_views(sets, TRUTH, GROUPS, FOLDS, METRICS[metric], random)
    judged = judgement.sets
    assert judgement.of_fold.keys() == {0, 1, 2}
    assert [views.name for views in judged] == list(sets)
    assert sum(views.chosen for views in judged) == 1
    return {views.name: views for views in judged}


def test_a_set_that_is_better_in_all_folds_is_chosen_and_its_gain_is_that_of_the_test() -> None:
    sets = {"none": right(*range(12)), "hflip": right(0, 1), "five_crops": right(*range(20))}
    judged = judge(sets)
    assert judged["hflip"].chosen
    assert judged["hflip"].score == pytest.approx(58 / 60)
    assert judged["none"].comparison is None
    random = np.random.default_rng(0)
    expected = compare_paired(ACCURACY, TRUTH, sets["hflip"], sets["none"], GROUPS, random)
    assert judged["hflip"].comparison == expected
    assert expected.gain.score == pytest.approx(10 / 60)


def test_a_gain_that_is_only_in_the_choice_is_not_chosen() -> None:
    # Each set is good in one fold and bad in the others, and of the sets that are chosen by two
    # folds each loses in the third.
    by_fold = [np.flatnonzero(fold == FOLDS) for fold in range(3)]
    sets = {"none": right(*(rows[0] for rows in by_fold))}
    for name, fold in zip(("hflip", "rotations", "five_crops"), range(3), strict=True):
        sets[name] = right(*by_fold[fold][:2])
    judged = judge(sets)
    assert judged["hflip"].score > judged["none"].score
    assert judged["none"].chosen


def test_of_equally_good_sets_the_simpler_one_is_chosen() -> None:
    assert judge({"none": right(0), "hflip": right(1)})["none"].chosen
    judged = judge({"none": right(0, 1, 2, 3, 4, 5), "hflip": right(), "rotations": right()})
    assert judged["hflip"].chosen


def test_a_smaller_loss_is_better() -> None:
    sure, unsure = right(), 0.2 + 0.6 * right()
    assert judge({"none": unsure, "hflip": sure}, "log_loss")["hflip"].chosen
    assert judge({"none": sure, "hflip": unsure}, "log_loss")["none"].chosen


def test_there_has_to_be_something_to_compare_with() -> None:
    with pytest.raises(SettingError, match="none"):
        judge({"hflip": right()})


def test_the_set_of_a_fold_is_that_of_the_others() -> None:
    # Without fold 2 hflip is the best, which the fold itself speaks against.
    own = np.flatnonzero(FOLDS == 2)
    others = np.flatnonzero(FOLDS != 2)
    sets = {
        "none": right(*others[:20], *own[:4]),
        "hflip": right(*own[:12]),
        "rotations": right(others[0]),
    }
    random = np.random.default_rng(0)
    judged = judge_views(sets, TRUTH, GROUPS, FOLDS, ACCURACY, random)
    assert judged.chosen == "rotations"
    assert judged.of_fold[2] == "hflip"
