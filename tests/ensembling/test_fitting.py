"""A fitted ensemble does to new images what it was judged by."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import METRICS
from kagglecxr.ensembling.blends import equal_blend
from kagglecxr.ensembling.calibration import Calibration
from kagglecxr.ensembling.ensemble_options import EnsembleOptions
from kagglecxr.ensembling.fitting import FittedEnsemble, fit_ensemble, read_fitted
from tests.ensembling.made_runs import made_findings, made_out_of_fold


def test_blend_calibration_and_thresholds_in_this_order_by_hand() -> None:
    ensemble = FittedEnsemble(
        equal_blend(2), Calibration("temperature", [2.0, 2.0], [0.0, 0.0]), [0.5, 1.5]
    )
    # Mean 0.75 : 0.25, squared 9 : 1, weighted 4.5 : 1.5.
    given = [np.array([[0.9, 0.1]]), np.array([[0.6, 0.4]])]
    np.testing.assert_allclose(ensemble(given), [[0.75, 0.25]], atol=1e-6)
    again = read_fitted(json.loads(json.dumps(asdict(ensemble))))
    np.testing.assert_array_equal(again(given), ensemble(given))
    assert not ensemble.is_mean
    assert FittedEnsemble(equal_blend(2)).is_mean


def test_the_runs_without_a_part_are_not_asked() -> None:
    oof = made_out_of_fold((0.5, 3.0), images=100)
    fit = fit_ensemble(oof, METRICS["log_loss"], EnsembleOptions("best"), np.random.default_rng(0))
    assert fit.used == [0]
    assert fit.ensemble([oof.runs[0]]).shape == fit.probabilities.shape


@pytest.mark.parametrize("metric", ["log_loss", "macro_f1"])
def test_the_scores_are_of_the_out_of_fold_predictions(metric: str) -> None:
    oof = made_out_of_fold((1.0, 1.5), images=100, sharpness=2.0)
    options = EnsembleOptions("stacking")
    fit = fit_ensemble(oof, METRICS[metric], options, np.random.default_rng(0))
    assert fit.score == pytest.approx(METRICS[metric](oof.truth, fit.probabilities))
    own = fit.ensemble(list(oof.runs))
    assert fit.apparent == pytest.approx(METRICS[metric](oof.truth, own))
    # What was fitted on the images themselves is better there than elsewhere.
    assert METRICS[metric].gain(fit.apparent, fit.score) > -1e-9
    assert fit.method == "stacking"


@pytest.mark.parametrize("metric", ["mean_auc", "macro_f1", "micro_f1", "log_loss"])
def test_findings_are_fitted_judged_and_kept(metric: str) -> None:
    oof, scored = made_findings((0.8, 1.0), images=900, sharpness=2.0), FINDING_METRICS[metric]
    options = EnsembleOptions("mean", "temperature", "fitted")
    fit = fit_ensemble(oof, scored, options, np.random.default_rng(0))
    assert scored.gain(fit.score, oof.scores(scored)[oof.best(scored)]) > 0
    again = read_fitted(json.loads(json.dumps(asdict(fit.ensemble))))
    runs = [oof.runs[number] for number in fit.used]
    np.testing.assert_array_equal(again(runs), fit.ensemble(runs))
    assert scored(oof.truth, again(runs)) == pytest.approx(fit.apparent)
    assert again.calibration.scale[0] < 0.9  # as the scores are too sharp by a factor of two
    assert bool(again.class_weights) == metric.endswith("f1")
