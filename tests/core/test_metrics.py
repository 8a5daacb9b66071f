"""Scores against scikit-learn's, and by hand."""

from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as scores

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.core.metrics import METRICS, area_under_curve

Case = tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]
BY_TARGET = {
    "precision": scores.precision_score,
    "recall": scores.recall_score,
    "f1": scores.f1_score,
}
CONFUSED = ([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1, 2, 2, 2, 0])
"""True and predicted targets: of each, (4, 3, 3) are true, (4, 3, 3) predicted, (3, 2, 2) both."""


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
    for name, expected in BY_TARGET.items():
        for average in ("macro", "weighted"):
            assert METRICS[f"{average}_{name}"](truth, given) == pytest.approx(
                expected(truth, decided, average=average, zero_division=0)
            )
    assert METRICS["mcc"](truth, given) == pytest.approx(scores.matthews_corrcoef(truth, decided))
    labels = np.arange(given.shape[1])
    for name, weights in (("kappa", None), ("quadratic_kappa", "quadratic")):
        assert METRICS[name](truth, given) == pytest.approx(
            scores.cohen_kappa_score(truth, decided, labels=labels, weights=weights)
        )


@settings(deadline=None, max_examples=40)
@given(cases())
def test_scores_of_a_target_are_scikit_learns(case: Case) -> None:
    truth, given = case
    targets = given.shape[1]
    for name, expected in BY_TARGET.items():
        values = expected(
            truth, given.argmax(axis=1), labels=range(targets), average=None, zero_division=0
        )
        own = [METRICS[name].for_target(target)(truth, given) for target in range(targets)]
        assert own == pytest.approx(values)
        assert METRICS[name](truth, given) == pytest.approx(values[-1])


@settings(deadline=None, max_examples=40)
@given(cases())
def test_the_area_of_a_column_is_scikit_learns(case: Case) -> None:
    truth, given = case
    for target in range(given.shape[1]):
        assert area_under_curve(truth == target, given[:, target]) == pytest.approx(
            scores.roc_auc_score(truth == target, given[:, target])
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


def test_the_metrics_of_kaggle_competitions_are_there() -> None:
    assert METRICS.names() == [
        "accuracy", "auc", "balanced_accuracy", "f1", "kappa", "log_loss", "macro_f1",
        "macro_precision", "macro_recall", "mcc", "precision", "quadratic_kappa", "recall",
        "weighted_f1", "weighted_precision", "weighted_recall",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("accuracy", 7 / 10),
        ("balanced_accuracy", (3 / 4 + 2 / 3 + 2 / 3) / 3),
        ("macro_precision", (3 / 4 + 2 / 3 + 2 / 3) / 3),
        ("weighted_precision", (4 * 3 / 4 + 3 * 2 / 3 + 3 * 2 / 3) / 10),
        ("macro_recall", (3 / 4 + 2 / 3 + 2 / 3) / 3),
        ("weighted_f1", (4 * 3 / 4 + 3 * 2 / 3 + 3 * 2 / 3) / 10),
        ("precision", 2 / 3),
        # By chance (16 + 9 + 9) / 100 are right.
        ("kappa", (0.7 - 0.34) / (1 - 0.34)),
        # Squared distances: 1 + 1 + 4 observed; by chance (2 * 12 + 2 * 9 + 2 * 4 * 12) / 10.
        ("quadratic_kappa", 1 - 6 / 13.8),
        # (7 * 10 - 34) / (100 - 34), as often true as predicted.
        ("mcc", 36 / 66),
    ],
)
def test_scores_by_hand(name: str, score: float) -> None:
    truth, decided = CONFUSED
    assert METRICS[name](np.array(truth), one_hot(decided, 3)) == pytest.approx(score)


def test_the_scores_of_a_target_by_hand() -> None:
    # Target 0 is true of 3 images, predicted of 2, one of them rightly.
    truth, given = np.array([0, 0, 0, 1]), one_hot([0, 1, 1, 0])
    scores_of_0 = [METRICS[name].for_target(0)(truth, given) for name in BY_TARGET]
    assert scores_of_0 == pytest.approx([1 / 2, 1 / 3, 2 / 5])


def test_a_metric_of_all_targets_is_the_same_for_each() -> None:
    assert METRICS["accuracy"].for_target(0) is METRICS["accuracy"]
    of_one = [name for name in METRICS.names() if METRICS[name].for_target(0) != METRICS[name]]
    assert of_one == ["f1", "precision", "recall"]


def test_a_target_never_predicted_has_no_precision() -> None:
    truth, given = np.array([0, 1]), one_hot([0, 0])
    assert [METRICS[name](truth, given) for name in BY_TARGET] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["kappa", "quadratic_kappa"])
def test_full_agreement_on_one_target_alone_is_full_agreement(name: str) -> None:
    assert METRICS[name](np.zeros(3, np.intp), one_hot([0, 0, 0])) == 1.0
    assert METRICS[name](np.zeros(3, np.intp), one_hot([0, 0, 1])) == 0.0


def test_the_gain_is_positive_where_the_first_is_better() -> None:
    assert METRICS["accuracy"].gain(0.75, 0.5) == 0.25
    assert METRICS["log_loss"].gain(0.75, 0.5) == -0.25


def test_equal_scores_count_half_in_the_area() -> None:
    is_target = np.array([True, True, False, False])
    assert area_under_curve(is_target, np.array([0.8, 0.5, 0.5, 0.2])) == (1 + 1 + 0.5 + 1) / 4
    assert np.isnan(area_under_curve(np.ones(4, bool), np.arange(4.0)))


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
