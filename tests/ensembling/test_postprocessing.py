"""Calibration and thresholds are taken where they help on folds they were not fitted on."""

import numpy as np
import pytest

from kagglecxr.core.metrics import METRICS
from kagglecxr.ensembling.blend_selection import OutOfFold
from kagglecxr.ensembling.ensemble_options import EnsembleOptions
from kagglecxr.ensembling.postprocessing import Postprocessing, PostprocessingSearch
from tests.ensembling.made_runs import made_out_of_fold

LOG_LOSS = METRICS["log_loss"]


def choose(
    oof: OutOfFold, options: EnsembleOptions, metric: str = "balanced_accuracy"
) -> Postprocessing:
    random = np.random.default_rng(0)
    search = PostprocessingSearch(oof.truth, oof.fold, oof.groups, METRICS[metric], random)
    return search.choose(oof.runs[0], oof.runs[0], options)


def test_probabilities_that_are_too_sure_are_calibrated() -> None:
    oof = made_out_of_fold((1.5,), sharpness=3.0)
    after = choose(oof, EnsembleOptions())
    assert after.calibration.method != "none"
    assert LOG_LOSS(oof.truth, after.nested) < LOG_LOSS(oof.truth, oof.runs[0])
    assert LOG_LOSS(oof.truth, after.calibration(oof.runs[0])) < LOG_LOSS(oof.truth, after.nested)
    assert after.sentences[0].startswith("Temperature scaling: out-of-fold log loss ")
    assert f"{after.calibration.method} scaling is used." in after.sentences[2]


def test_probabilities_that_are_right_are_left_as_they_are() -> None:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.ones(3), 300)
    truth = np.array([random.choice(3, p=row) for row in probabilities])
    oof = made_out_of_fold((1.0,), images=300)
    oof = OutOfFold(oof.names, probabilities[None], truth, oof.fold, oof.groups)
    after = choose(oof, EnsembleOptions(), "accuracy")
    assert after.calibration.is_identity
    assert "Calibration: no scaling is used." in after.sentences
    np.testing.assert_array_equal(after.nested, probabilities)


def test_a_calibration_that_costs_the_metric_is_not_taken_by_itself() -> None:
    # Trained on balanced batches: vector scaling would bring back how rare the second target is.
    random = np.random.default_rng(0)
    truth = np.r_[np.zeros(270, np.intp), np.ones(30, np.intp)]
    score = 1 / (1 + np.exp(-random.normal(np.where(truth == 1, 1.2, -1.2), 1.5)))
    probabilities = np.stack([1 - score, score], axis=1)
    fold = np.arange(300) % 5
    oof = OutOfFold(["a"], probabilities[None], truth, fold, np.arange(300).astype(object))
    after = choose(oof, EnsembleOptions(thresholds="none"))
    assert "It costs" in after.sentences[1]
    assert after.calibration.method != "vector"
    by_force = choose(oof, EnsembleOptions(calibrate="vector", thresholds="none"))
    assert by_force.calibration.method == "vector"
    assert LOG_LOSS(truth, by_force.nested) < LOG_LOSS(truth, after.nested)


def test_thresholds_that_hold_are_used() -> None:
    oof = made_out_of_fold((0.5,), images=300)
    biased = oof.runs[0] * [1.0, 8.0, 1.0]
    biased /= biased.sum(axis=1, keepdims=True)
    oof = OutOfFold(oof.names, biased[None], oof.truth, oof.fold, oof.groups)
    after = choose(oof, EnsembleOptions(calibrate="none"))
    assert after.class_weights
    assert after.class_weights[1] < min(after.class_weights[0], after.class_weights[2])
    metric = METRICS["balanced_accuracy"]
    assert metric(oof.truth, after.nested) > metric(oof.truth, biased) + 0.05
    assert after.sentences[-1].endswith("They are used.")


def test_thresholds_that_are_luck_are_not_used() -> None:
    oof = made_out_of_fold((1.0,), images=100)
    after = choose(oof, EnsembleOptions(calibrate="none"))
    assert not after.class_weights
    assert after.sentences[-1].endswith("They are not used.")
    assert choose(oof, EnsembleOptions(calibrate="none", thresholds="fitted")).class_weights


@pytest.mark.parametrize(
    ("options", "metric"),
    [
        (EnsembleOptions(calibrate="none", thresholds="none"), "accuracy"),
        (EnsembleOptions(calibrate="none"), "log_loss"),
    ],
)
def test_nothing_is_done_where_nothing_is_wanted_or_the_metric_decides_nothing(
    options: EnsembleOptions, metric: str
) -> None:
    oof = made_out_of_fold((1.0,), images=60)
    after = choose(oof, options, metric)
    assert (list(after.class_weights), after.sentences) == ([], [])
    assert after.nested is oof.runs[0] or np.array_equal(after.nested, oof.runs[0])
