"""Calibrations against cases whose answer is known, and against scikit-learn."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
import sklearn.calibration
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from kagglecxr.core.metrics import METRICS
from kagglecxr.ensembling.calibration import (
    CALIBRATIONS,
    Calibration,
    CalibrationMethod,
    cross_fit,
    expected_calibration_error,
    fit_calibration,
    reliability_table,
)

Sample = tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]
TEMPERATURES: Any = getattr(sklearn.calibration, "_TemperatureScaling", None)


def overconfident(images: int, targets: int, factor: float, seed: int = 0) -> Sample:
    """Probabilities whose true temperature is the factor, and labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(images, targets))
    drawn = random.random((images, 1)) > softmax(logits, axis=1).cumsum(axis=1)
    return softmax(factor * logits, axis=1), np.minimum(drawn.sum(axis=1), targets - 1)


def separable(images: int) -> Sample:
    truth = np.arange(images) % 3
    return np.where(np.eye(3)[truth] == 1, 0.98, 0.01), truth


def test_the_methods_are_those_of_the_type() -> None:
    assert get_args(CalibrationMethod) == CALIBRATIONS


def test_three_of_four_right_at_odds_of_nine_is_a_temperature_of_two() -> None:
    truth = np.repeat([0, 1], [3000, 1000])
    calibration = fit_calibration("temperature", np.tile([0.9, 0.1], (4000, 1)), truth)
    assert 1 / calibration.scale[0] == pytest.approx(2.0, rel=1e-3)
    assert calibration(np.array([[0.9, 0.1]]))[0] == pytest.approx([0.75, 0.25], abs=1e-3)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_probabilities_is_found(factor: float) -> None:
    calibration = fit_calibration("temperature", *overconfident(10_000, 4, factor))
    assert len(calibration.scale) == len(calibration.bias) == 4
    assert 1 / np.array(calibration.scale) == pytest.approx(factor, rel=0.05)
    assert not any(calibration.bias)


@pytest.mark.skipif(TEMPERATURES is None, reason="scikit-learn scales temperatures from 1.8 on")
@pytest.mark.parametrize("targets", [2, 3])
def test_the_temperature_is_scikit_learns(targets: int) -> None:
    probabilities, truth = overconfident(5000, targets, 1.7)
    expected = TEMPERATURES().fit(probabilities, truth).beta_
    calibration = fit_calibration("temperature", probabilities, truth)
    assert calibration.scale[0] == pytest.approx(float(expected), rel=1e-3)


def test_vector_scaling_of_two_targets_is_a_logistic_regression() -> None:
    probabilities, truth = overconfident(5000, 2, 1.7)
    probabilities = softmax(np.log(probabilities) * [1.0, 1.5] + [0.0, 0.7], axis=1)
    logits = np.log(probabilities)
    expected = LogisticRegression(C=1e6, tol=1e-8).fit(logits, truth).predict_proba(logits)
    found = fit_calibration("vector", probabilities, truth)(probabilities)
    assert np.abs(found - expected).max() < 0.005


def test_vector_scaling_finds_back_a_shifted_class() -> None:
    probabilities, truth = overconfident(20_000, 3, 1.0)
    shifted = softmax(np.log(probabilities) + np.array([0.0, 0.0, 1.0]), axis=1)
    bias = fit_calibration("vector", shifted, truth).bias
    assert bias[2] - (bias[0] + bias[1]) / 2 == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize("method", ["temperature", "vector"])
@pytest.mark.parametrize("images", [6, 300, 6000])
def test_separable_data_do_not_diverge(method: CalibrationMethod, images: int) -> None:
    probabilities, truth = separable(images)
    calibration = fit_calibration(method, probabilities, truth)
    after = METRICS["log_loss"](truth, calibration(probabilities))
    assert after < METRICS["log_loss"](truth, probabilities)
    wrong = calibration(probabilities[:1])[0, 1]
    assert wrong > 1e-6


def test_a_target_without_an_image_keeps_a_probability() -> None:
    probabilities, truth = overconfident(500, 3, 1.0)
    seen = truth < 2
    calibrated = fit_calibration("vector", probabilities[seen], truth[seen])(probabilities)
    assert np.isfinite(calibrated).all()
    assert 1e-3 < calibrated[:, 2].mean() < probabilities[:, 2].mean()


def test_probabilities_that_mislead_are_levelled_but_not_turned_round() -> None:
    probabilities, truth = separable(300)
    calibration = fit_calibration("temperature", probabilities, (truth + 1) % 3)
    assert calibration.scale == pytest.approx([0.01] * 3)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 5), st.floats(0.3, 3.0), st.integers(0, 100))
def test_a_temperature_changes_no_decision(targets: int, factor: float, seed: int) -> None:
    probabilities, truth = overconfident(40, targets, factor, seed)
    probabilities = np.maximum(probabilities, 1e-4)
    calibrated = fit_calibration("temperature", probabilities, truth)(probabilities)
    assert calibrated.dtype == np.float32
    assert calibrated.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()


@settings(deadline=None, max_examples=8)
@given(st.permutations(range(3)), st.integers(0, 100))
def test_vector_scaling_does_not_depend_on_the_order_of_the_targets(
    order: list[int], seed: int
) -> None:
    probabilities, truth = overconfident(60, 3, 2.0, seed)
    expected = fit_calibration("vector", probabilities, truth)(probabilities)[:, order]
    moved = probabilities[:, order]
    found = fit_calibration("vector", moved, np.argsort(order)[truth])(moved)
    assert np.abs(found - expected).max() < 1e-4


def test_none_changes_nothing() -> None:
    probabilities, truth = overconfident(10, 3, 1.0)
    none = fit_calibration("none", probabilities, truth)
    assert none == Calibration()
    assert none.is_identity
    assert (none(probabilities) == probabilities.astype(np.float32)).all()
    assert not fit_calibration("temperature", probabilities, truth).is_identity


@pytest.mark.parametrize("method", CALIBRATIONS)
def test_a_calibration_is_the_same_after_json(method: CalibrationMethod) -> None:
    calibration = fit_calibration(method, *overconfident(50, 3, 2.0))
    assert Calibration(**json.loads(json.dumps(asdict(calibration)))) == calibration


def confident(values: list[float]) -> npt.NDArray[np.float64]:
    return np.array([[value, 1 - value] for value in values])


def test_the_reliability_table_is_as_computed_by_hand() -> None:
    # In four bins, 0.5 belongs to the second, 0.75 to the third.
    probabilities = confident([0.5, 0.75, 0.7, 0.6, 0.9, 1.0])
    table = reliability_table(probabilities, np.array([0, 0, 1, 0, 0, 1]), bins=4)
    assert table.columns.tolist() == ["low", "high", "images", "confidence", "accuracy"]
    assert table["low"].tolist() == [0.25, 0.5, 0.75]
    assert table["high"].tolist() == [0.5, 0.75, 1.0]
    assert table["images"].tolist() == [1, 3, 2]
    assert table["confidence"].tolist() == pytest.approx([0.5, 2.05 / 3, 0.95])
    assert table["accuracy"].tolist() == pytest.approx([1.0, 2 / 3, 0.5])


def test_the_expected_calibration_error_is_as_computed_by_hand() -> None:
    probabilities = confident([0.5, 0.75, 0.7, 0.6, 0.9, 1.0])
    error = expected_calibration_error(probabilities, np.array([0, 0, 1, 0, 0, 1]), bins=4)
    expected = (1 * 0.5 + 3 * (2.05 / 3 - 2 / 3) + 2 * 0.45) / 6
    assert error == pytest.approx(expected)


def test_probabilities_that_say_what_is_so_have_no_calibration_error() -> None:
    truth = np.repeat([0, 1], [3, 1])
    assert expected_calibration_error(confident([0.75] * 4), truth) == 0
    assert expected_calibration_error(confident([1.0] * 4), truth) == 0.25


def nested(
    method: CalibrationMethod, probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """Each of five folds calibrated as fitted on the others."""
    fit = partial(fit_calibration, method)
    return cross_fit(fit, probabilities, truth, np.arange(len(truth)) % 5)


def test_overconfidence_is_seen_and_cured_out_of_fold() -> None:
    probabilities, truth = overconfident(1500, 3, 3.0)
    loss, error = METRICS["log_loss"], expected_calibration_error
    for method in ("temperature", "vector"):
        cured = nested(method, probabilities, truth)
        assert loss(truth, cured) < loss(truth, probabilities) - 0.1
        assert error(cured, truth) < error(probabilities, truth) / 3
    assert list(CALIBRATIONS) == ["none", "temperature", "vector"]


def test_what_is_calibrated_already_does_not_look_better_after_a_fit() -> None:
    losses = np.empty((4, len(CALIBRATIONS)))
    for seed in range(4):
        probabilities, truth = overconfident(100, 3, 1.0, seed)
        losses[seed] = [
            METRICS["log_loss"](truth, nested(method, probabilities, truth))
            for method in CALIBRATIONS
        ]
    none, temperature, vector = losses.mean(axis=0)
    assert none < temperature < vector


def test_a_fold_is_changed_as_fitted_on_the_others_alone() -> None:
    folds = np.array([3, 0, 3, 1, 0])
    truth = np.arange(5)
    rows = np.arange(10.0).reshape(5, 2)
    fitted = []

    def fit(probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.integer]) -> Calibration:
        assert (probabilities == rows[truth]).all()
        fitted.append(truth.tolist())
        return Calibration()

    assert (cross_fit(fit, rows, truth, folds) == rows).all()
    assert fitted == [[0, 2, 3], [0, 1, 2, 4], [1, 3, 4]]
    with pytest.raises(ValueError, match="at least 2"):
        cross_fit(fit, rows, truth, np.zeros(5, int))


@pytest.mark.parametrize("factor", [0.5, 2.5])
def test_the_temperature_of_findings_is_found(factor: float) -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(8000, 3)) - 1.0
    truth = (random.random(scores.shape) < expit(scores)).astype(float)
    truth[random.random(scores.shape) < 0.2] = np.nan
    calibration = fit_calibration("temperature", expit(factor * scores), truth)
    assert 1 / np.array(calibration.scale) == pytest.approx(factor, rel=0.05)
    assert calibration.activation == "sigmoid"


def test_vector_scaling_of_findings_is_platts_of_each() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(5000, 2))
    truth = (random.random(scores.shape) < expit(2.0 * scores - [0.0, 1.0])).astype(float)
    truth[:1000, 0] = np.nan
    found = fit_calibration("vector", expit(scores), truth)(expit(scores))
    for finding, rows in enumerate((slice(1000, None), slice(None))):
        own = scores[rows, finding, None]
        expected = LogisticRegression(C=1e6, tol=1e-8).fit(own, truth[rows, finding])
        gap = found[rows, finding] - expected.predict_proba(own)[:, 1]
        assert np.abs(gap).max() < 0.005
