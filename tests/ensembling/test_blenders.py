"""Methods that fit blends: hand-made cases, SciPy's and scikit-learn's answers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import METRICS
from kagglecxr.ensembling.blend_selection import OutOfFold
from kagglecxr.ensembling.blenders import BLENDERS, STACKING_PENALTY
from kagglecxr.ensembling.blends import FittedBlend, WeightedBlend
from kagglecxr.inference.predictions import log_probabilities
from tests.ensembling.made_runs import made_findings, made_out_of_fold


def fitted(name: str, oof: OutOfFold, metric: str = "log_loss") -> FittedBlend:
    return BLENDERS[name](oof.runs, oof.truth, METRICS[metric], np.random.default_rng(0))


def weights_of(blend: FittedBlend) -> list[float]:
    assert isinstance(blend, WeightedBlend)
    return list(blend.weights)


@pytest.mark.parametrize("name", BLENDERS.names())
def test_every_method_makes_probabilities_of_as_many_images(name: str) -> None:
    oof = made_out_of_fold((0.5, 1.0))
    blended = fitted(name, oof, "balanced_accuracy")(list(oof.runs[:, :7]))
    assert blended.shape == (7, 3)
    if name != "rank_mean":
        np.testing.assert_allclose(blended.sum(axis=1), 1.0, atol=1e-5)


def test_weights_are_those_with_the_least_log_loss() -> None:
    oof = made_out_of_fold((0.8, 1.2), sharpness=2.0)

    def loss(weight: float) -> float:
        mixed = weight * oof.runs[0] + (1 - weight) * oof.runs[1]
        return METRICS["log_loss"](oof.truth, mixed)

    best = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x
    assert 0.2 < best < 0.98
    assert weights_of(fitted("weights", oof)) == pytest.approx([best, 1 - best], abs=2e-3)


def test_weights_of_a_useless_run_are_zero() -> None:
    oof = made_out_of_fold((0.0, 0.0))
    wrong = np.full_like(oof.runs[0], 1e-3)
    wrong[np.arange(len(oof.truth)), (oof.truth + 1) % 3] = 0.998
    oof = OutOfFold(oof.names, np.stack([oof.runs[0], wrong]), oof.truth, oof.fold, oof.groups)
    for name in ("weights", "greedy"):
        blend = fitted(name, oof)
        assert weights_of(blend) == pytest.approx([1.0, 0.0], abs=0.03), name


def test_weights_weigh_targets_alike_where_the_metric_does() -> None:
    # The first run knows the frequent target, the second the rare one.
    truth = np.array([0] * 90 + [1] * 10)
    first = np.where(truth[:, None] == 0, [0.9, 0.1], [0.6, 0.4])
    second = np.where(truth[:, None] == 0, [0.5, 0.5], [0.1, 0.9])
    runs, random = np.stack([first, second]), np.random.default_rng(0)
    plain = BLENDERS["weights"](runs, truth, METRICS["log_loss"], random)
    balanced = BLENDERS["weights"](runs, truth, METRICS["macro_f1"], random)
    assert weights_of(plain)[0] > weights_of(balanced)[0]


def test_greedy_selection_by_hand() -> None:
    # Each run alone is right on two of three images, the first and the second together on all.
    truth = np.array([0, 0, 0])
    right, wrong, unsure = [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]
    runs = np.array([[right, right, wrong], [unsure, right, right], [wrong, wrong, wrong]])
    blend = BLENDERS["greedy"](runs, truth, METRICS["accuracy"], np.random.default_rng(0))
    weights = weights_of(blend)
    assert sum(weights) == pytest.approx(1.0)
    assert min(weights[:2]) > weights[2]
    assert METRICS["accuracy"](truth, blend(list(runs))) == 1.0


def test_greedy_selection_is_decided_by_the_generator_alone() -> None:
    oof = made_out_of_fold((0.5, 0.8, 1.0, 1.2), images=100)
    assert fitted("greedy", oof) == fitted("greedy", oof)


def test_without_a_score_greedy_selection_takes_all() -> None:
    oof = made_out_of_fold((0.5, 0.5), images=20)
    alike = np.zeros(20, np.intp)
    blend = BLENDERS["greedy"](oof.runs, alike, METRICS["auc"], np.random.default_rng(0))
    assert weights_of(blend) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("targets", [2, 3])
@pytest.mark.parametrize(("metric", "weight"), [("log_loss", None), ("macro_f1", "balanced")])
def test_stacking_is_scikit_learns_logistic_regression(
    targets: int, metric: str, weight: str | None
) -> None:
    oof = made_out_of_fold((0.7, 1.0), targets=targets)
    features = np.concatenate([log_probabilities(run) for run in oof.runs], axis=1)
    model = LogisticRegression(C=STACKING_PENALTY, class_weight=weight, tol=1e-8, max_iter=1000)
    expected = model.fit(features, oof.truth).predict_proba(features)
    np.testing.assert_allclose(fitted("stacking", oof, metric)(list(oof.runs)), expected, atol=2e-3)


def test_stacking_never_predicts_a_target_that_it_has_not_seen() -> None:
    oof = made_out_of_fold((0.7, 1.0))
    seen = oof.truth != 1
    runs, random = oof.runs[:, seen], np.random.default_rng(0)
    blend = BLENDERS["stacking"](runs, oof.truth[seen], METRICS["log_loss"], random)
    blended = blend(list(oof.runs))
    assert blended[:, 1].max() == 0
    alone = BLENDERS["stacking"](runs[:, :5], np.full(5, 2), METRICS["log_loss"], random)
    np.testing.assert_allclose(alone(list(oof.runs))[:, 2], 1.0)
    assert METRICS["accuracy"](oof.truth[seen], blended[seen]) > 0.8


def fitted_findings(name: str, oof: OutOfFold, metric: str = "mean_auc") -> FittedBlend:
    random = np.random.default_rng(0)
    return BLENDERS[name](oof.runs, oof.truth, FINDING_METRICS[metric], random)


@pytest.mark.parametrize("name", BLENDERS.names())
def test_every_method_blends_findings_each_by_itself(name: str) -> None:
    oof, auc = made_findings((0.7, 0.9)), FINDING_METRICS["mean_auc"]
    blend = fitted_findings(name, oof)
    blended = blend(list(oof.runs))
    assert blend.activation == "sigmoid"
    assert auc(oof.truth, blended) > max(oof.scores(auc))
    # Another finding's probabilities have no part in it.
    changed = oof.runs.copy()
    changed[:, :, 1:] = 0.5
    np.testing.assert_allclose(blend(list(changed))[:, 0], blended[:, 0], atol=1e-6)


def test_weights_of_findings_are_those_with_the_least_log_loss() -> None:
    oof, log_loss = made_findings((0.6, 1.0), sharpness=2.0), FINDING_METRICS["log_loss"]

    def loss(weight: float) -> float:
        return log_loss(oof.truth, weight * oof.runs[0] + (1 - weight) * oof.runs[1])

    best = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x
    assert 0.2 < best < 0.98
    found = weights_of(fitted_findings("weights", oof, "log_loss"))
    assert found == pytest.approx([best, 1 - best], abs=2e-3)


def test_stacked_findings_are_logistic_regressions_of_known_images() -> None:
    oof = made_findings((0.7, 1.0))
    logits = np.log(oof.runs / (1 - oof.runs))
    blended = fitted_findings("stacking", oof)(list(oof.runs))
    for finding in range(3):
        known = ~np.isnan(oof.truth[:, finding])
        features = logits[:, :, finding].T
        model = LogisticRegression(C=STACKING_PENALTY, tol=1e-8, max_iter=1000)
        model.fit(features[known], oof.truth[known, finding])
        expected = model.predict_proba(features)[:, 1]
        np.testing.assert_allclose(blended[:, finding], expected, atol=2e-3)


def test_a_finding_that_no_image_of_the_fit_has_keeps_the_mean_of_its_scores() -> None:
    oof = made_findings((0.7, 1.0))
    oof.truth[:, 2] = 0.0
    blended = fitted_findings("stacking", oof)(list(oof.runs))
    mean = fitted_findings("logit_mean", oof)(list(oof.runs))
    np.testing.assert_allclose(blended[:, 2], mean[:, 2], atol=1e-6)


def test_greedy_selection_scores_each_mixture_once() -> None:
    oof, seen = made_out_of_fold((0.5, 0.8, 1.0), images=60), []

    def counted(truth: np.ndarray, probabilities: np.ndarray) -> float:
        seen.append(probabilities.round(9).tobytes())
        return METRICS["accuracy"](truth, probabilities)

    metric = replace(METRICS["accuracy"], measure=counted)
    BLENDERS["greedy"](oof.runs, oof.truth, metric, np.random.default_rng(0))
    assert len(seen) == len(set(seen))
