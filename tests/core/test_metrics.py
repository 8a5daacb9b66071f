"""Scores against scikit-learn's, and the bootstrap against what is known of it."""

from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as scores

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.core.metrics import METRICS, Interval, Metric, bootstrap_interval

Case = tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]
SHARE_RIGHT = Metric("share", lambda truth, given: float((given.argmax(axis=1) == truth).mean()))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Truth in which every target occurs, and probabilities with ties among them."""
    targets = draw(st.integers(2, 4))
    more = draw(st.lists(st.integers(0, targets - 1), max_size=12))
    truth = np.array([*range(targets), *more], np.intp)
    cells = st.integers(1, 20)
    rows = st.lists(cells, min_size=targets, max_size=targets)
    weights = draw(st.lists(rows, min_size=len(truth), max_size=len(truth)))
    given = np.array(weights, np.float64)
    return truth, given / given.sum(axis=1, keepdims=True)


def one_hot(decided: list[int], targets: int = 2) -> npt.NDArray[np.float64]:
    return np.eye(targets)[decided]


@settings(deadline=None, max_examples=40)
@given(cases())
def test_scores_of_decisions_are_scikit_learns(case: Case) -> None:
    truth, given = case
    decided = given.argmax(axis=1)
    assert METRICS["accuracy"](truth, given) == pytest.approx(scores.accuracy_score(truth, decided))
    assert METRICS["balanced_accuracy"](truth, given) == pytest.approx(
        scores.balanced_accuracy_score(truth, decided)
    )
    assert METRICS["macro_f1"](truth, given) == pytest.approx(
        scores.f1_score(truth, decided, average="macro", zero_division=0)
    )


@settings(deadline=None, max_examples=40)
@given(cases())
def test_scores_of_probabilities_are_scikit_learns(case: Case) -> None:
    truth, given = case
    labels = range(given.shape[1])
    assert METRICS["log_loss"](truth, given) == pytest.approx(
        scores.log_loss(truth, given, labels=labels)
    )
    expected = (
        scores.roc_auc_score(truth, given[:, 1])
        if given.shape[1] == 2
        else scores.roc_auc_score(truth, given, multi_class="ovr", average="macro", labels=labels)
    )
    assert METRICS["auc"](truth, given) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(cases(), st.randoms(use_true_random=False))
def test_no_score_depends_on_the_order_of_the_images(case: Case, random: Random) -> None:
    truth, given = case
    order = list(range(len(truth)))
    random.shuffle(order)
    for name in METRICS.names():
        assert METRICS[name](truth[order], given[order]) == pytest.approx(
            METRICS[name](truth, given)
        )


def test_the_five_metrics_are_there() -> None:
    assert METRICS.names() == ["accuracy", "auc", "balanced_accuracy", "log_loss", "macro_f1"]


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'acuracy'.*accuracy"):
        METRICS["acuracy"]


@pytest.mark.parametrize("name", METRICS.names())
def test_a_perfect_prediction_has_the_best_score(name: str) -> None:
    truth = np.array([0, 1, 2, 1])
    perfect = METRICS[name](truth, one_hot([0, 1, 2, 1], 3))
    worse = METRICS[name](truth, one_hot([0, 1, 1, 0], 3))
    assert perfect == pytest.approx(1.0 if METRICS[name].greater_is_better else 0.0)
    assert METRICS[name].better(perfect, worse)
    assert not METRICS[name].better(worse, perfect)
    assert not METRICS[name].better(perfect, perfect)


def test_only_log_loss_is_better_when_smaller() -> None:
    small = [name for name in METRICS.names() if not METRICS[name].greater_is_better]
    assert small == ["log_loss"]


def test_the_metrics_of_ranked_or_sure_predictions_need_probabilities() -> None:
    needing = [name for name in METRICS.names() if METRICS[name].needs_probabilities]
    assert needing == ["auc", "log_loss"]


def test_a_sure_and_wrong_prediction_has_a_finite_loss() -> None:
    loss = METRICS["log_loss"](np.array([0]), one_hot([1]))
    assert loss == pytest.approx(-np.log(np.finfo(np.float64).eps))


def test_single_precision_probabilities_are_scored_in_double() -> None:
    given = np.array([[0.3, 0.7], [0.9, 0.1]], np.float32)
    expected = -np.log(given[[0, 1], [1, 0]].astype(np.float64)).mean()
    assert METRICS["log_loss"](np.array([1, 0]), given) == pytest.approx(expected, rel=1e-12)


def test_the_area_of_one_class_alone_is_not_a_number() -> None:
    assert np.isnan(METRICS["auc"](np.array([1, 1]), one_hot([0, 1])))


def test_a_target_that_the_images_do_not_hold_does_not_lower_the_balanced_accuracy() -> None:
    truth = np.array([0, 0, 1, 1])
    assert METRICS["balanced_accuracy"](truth, one_hot([0, 2, 1, 1], 3)) == pytest.approx(0.75)


def test_an_interval_is_shown_with_its_bounds() -> None:
    assert str(Interval(0.9, 0.85, 0.95)) == "0.9000 (95 % interval 0.8500 to 0.9500)"


def interval_of(
    right: npt.NDArray[np.bool_], groups: list[str], seed: int = 0, resamples: int = 1000
) -> Interval:
    truth = np.zeros(len(right), np.intp)
    given = one_hot((~right).astype(int).tolist())
    random = np.random.default_rng(seed)
    return bootstrap_interval(
        SHARE_RIGHT, truth, given, np.array(groups, object), random, resamples
    )


def test_single_images_give_the_width_that_theory_tells() -> None:
    right = np.arange(400) % 5 != 0
    interval = interval_of(right, [str(i) for i in range(400)])
    assert interval.score == pytest.approx(0.8)
    expected = 2 * 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.12)
    assert interval.low < 0.8 < interval.high


def test_equal_images_of_a_patient_make_the_interval_as_wide_as_the_patients_alone() -> None:
    right = np.repeat(np.arange(40) % 4 != 0, 9)
    by_image = interval_of(right, [str(i) for i in range(360)])
    by_patient = interval_of(right, [str(i // 9) for i in range(360)])
    ratio = (by_patient.high - by_patient.low) / (by_image.high - by_image.low)
    assert ratio == pytest.approx(3.0, rel=0.2)


def test_groups_are_drawn_whole() -> None:
    groups = np.array(["a", "b", "a", "c", "c", "c"], object)
    seen: list[list[int]] = []

    def remember(truth: npt.NDArray[np.integer], given: npt.NDArray[np.floating]) -> float:
        seen.append(np.bincount(truth, minlength=6).tolist())
        return float(given[:, 0].mean())

    bootstrap_interval(
        Metric("spy", remember),
        np.arange(6),
        np.ones((6, 2)),
        groups,
        np.random.default_rng(0),
        50,
    )
    resampled = [counts for counts in seen if counts != [1] * 6]
    assert len(seen) == 51
    assert len(resampled) > 10
    for a, b, a_too, c, c_too, c_three in resampled:
        assert a == a_too
        assert c == c_too == c_three
        assert a + b + c == 3


def test_the_same_seed_draws_the_same_interval_and_another_seed_another() -> None:
    right = np.arange(30) % 3 != 0
    groups = [str(i) for i in range(30)]
    wide = interval_of(right, groups, resamples=50)
    assert interval_of(right, groups, resamples=50) == wide
    assert interval_of(right, groups, seed=1, resamples=50) != wide


def test_where_nothing_is_wrong_the_interval_is_a_point() -> None:
    interval = interval_of(np.ones(6, bool), list("aabbcc"), resamples=20)
    assert interval == Interval(1.0, 1.0, 1.0)


def test_a_resample_without_a_score_does_not_spoil_the_interval() -> None:
    truth = np.array([0, 1, 1])
    given = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    groups = np.array(["a", "b", "c"], object)
    random = np.random.default_rng(0)
    interval = bootstrap_interval(METRICS["auc"], truth, given, groups, random, 40)
    assert interval == Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_can_be_resampled_without_a_warning(name: str) -> None:
    truth = np.array([0, 1, 2, 2])
    given = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2]])
    groups = np.array(["a", "b", "c", "c"], object)
    random = np.random.default_rng(0)
    interval = bootstrap_interval(METRICS[name], truth, given, groups, random, 60)
    assert interval.low <= interval.high
